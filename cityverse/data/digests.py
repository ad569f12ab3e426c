"""Who wants a digest, and when the next one is due: table Digest."""

from __future__ import annotations

from datetime import datetime

from cityverse.data import codec
from cityverse.data.client import ConditionFailed, Dynamo, put_write, update_write
from cityverse.data.ties import living
from cityverse.domain.digests import Digest
from cityverse.errors import NotFound

TABLE = "Digest"
# All are of one state, so that those that are due can be found by their time.
_WANTED = "wanted"
_DUE_AT_ONCE = 50


class DigestRepository:
    """At most one digest a person."""

    def __init__(self, dynamo: Dynamo) -> None:
        self.dynamo = dynamo

    def find(self, user_id: str) -> Digest | None:
        """What a person wants to be sent, or None."""
        item = self.dynamo.get(TABLE, {"user_id": user_id})
        return None if item is None else codec.from_item(Digest, item)

    def keep(self, digest: Digest) -> Digest:
        """Want a digest, or another one; raises NotFound when its person is not there."""
        digest.check()
        put = put_write(TABLE, codec.to_item(digest) | {"state": _WANTED})
        person = living("User", digest.user_id)
        try:
            self.dynamo.transact([put, person.write])
        except ConditionFailed as failure:
            raise NotFound(person.missing) from failure
        return digest

    def stop(self, user_id: str) -> None:
        """Want none; doing so again is no error."""
        self.dynamo.delete(TABLE, {"user_id": user_id})

    def due(self, now: datetime) -> list[Digest]:
        """Some of those whose time has come, the longest due first."""
        rows = self.dynamo.query(
            TABLE,
            index="due-index",
            limit=_DUE_AT_ONCE,
            KeyConditionExpression="#state = :wanted AND due <= :now",
            ExpressionAttributeNames={"#state": "state"},
            ExpressionAttributeValues={":wanted": _WANTED, ":now": codec.time_text(now)},
        )
        return [codec.from_item(Digest, row) for row in rows]

    def postpone(self, digest: Digest, due: datetime) -> bool:
        """Have it come at another time; False when it was sent, changed or stopped meanwhile.

        So of several workers one alone takes a digest that is due.
        """
        return self._change(digest, "due", due)

    def told(self, digest: Digest, since: datetime) -> bool:
        """Note up to when it told; False when it was changed or stopped meanwhile."""
        return self._change(digest, "since", since)

    def _change(self, digest: Digest, name: str, moment: datetime) -> bool:
        change = update_write(
            TABLE,
            {"user_id": digest.user_id},
            {name: codec.time_text(moment)},
            condition="due = :due AND since = :since",
            values={":due": codec.time_text(digest.due), ":since": codec.time_text(digest.since)},
        )
        try:
            # As a transaction: tried again after a lost answer, it still knows that it won.
            self.dynamo.transact([change])
        except ConditionFailed:
            return False
        return True
