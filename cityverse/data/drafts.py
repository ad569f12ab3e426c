"""What people are writing: table Draft."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from cityverse.data import codec
from cityverse.data.attachments import detached
from cityverse.data.client import ConditionFailed, Dynamo, Item, delete_write, put_write
from cityverse.data.ties import Tie, living
from cityverse.domain.posting import DRAFTS_MOST, Draft, DraftState
from cityverse.errors import NotFound, WrongState

TABLE = "Draft"
_DUE_AT_ONCE = 50


class DraftRepository:
    """Drafts of each person, read consistently; the last one to write wins."""

    def __init__(self, dynamo: Dynamo) -> None:
        self.dynamo = dynamo

    def keep(self, draft: Draft) -> Draft:
        """Keep a draft as it is now, or schedule it.

        Raises WrongState when it waits for its time meanwhile, NotFound when its person is
        not there. Keeping the very same again is no error.
        """
        return self._put(
            draft, "attribute_not_exists(user_id) OR #state = :writing OR #updated = :updated"
        )

    def hold(self, draft: Draft) -> Draft:
        """Take back that a draft waits for its time; raises WrongState when it was published."""
        return self._put(draft, "attribute_exists(user_id)")

    def _put(self, draft: Draft, condition: str) -> Draft:
        draft.check()
        values = {":writing": str(DraftState.WRITING), ":updated": codec.time_text(draft.updated)}
        names = {"#state": "state", "#updated": "updated"}
        used = {name: value for name, value in values.items() if name in condition}
        named = {name: value for name, value in names.items() if name in condition}
        put = put_write(
            TABLE,
            codec.to_item(draft),
            ConditionExpression=condition,
            **({"ExpressionAttributeNames": named} if named else {}),
            **({"ExpressionAttributeValues": used} if used else {}),
        )
        person = living("User", draft.user_id)
        try:
            self.dynamo.transact([put, person.write])
        except ConditionFailed as failure:
            if 0 in failure.failed:
                raise WrongState(f"{TABLE} {draft.id} is not being written") from failure
            raise NotFound(person.missing) from failure
        return draft

    def find(self, user_id: str, draft_id: str) -> Draft | None:
        """The draft of a person with this id, or None."""
        item = self.dynamo.get(TABLE, {"user_id": user_id, "id": draft_id})
        return None if item is None else codec.from_item(Draft, item)

    def of_user(self, user_id: str) -> list[Draft]:
        """What a person is writing, the newest first."""
        rows = self.dynamo.query(
            TABLE,
            limit=DRAFTS_MOST,
            KeyConditionExpression="user_id = :user",
            ExpressionAttributeValues={":user": user_id},
            ScanIndexForward=False,
            ConsistentRead=True,
        )
        return [codec.from_item(Draft, row) for row in rows]

    def due(self, now: datetime) -> list[Draft]:
        """Some of those whose time has come, the oldest first."""
        rows = self.dynamo.query(
            TABLE,
            index="due-index",
            limit=_DUE_AT_ONCE,
            KeyConditionExpression="#state = :scheduled AND due <= :now",
            ExpressionAttributeNames={"#state": "state"},
            ExpressionAttributeValues={
                ":scheduled": str(DraftState.SCHEDULED),
                ":now": codec.time_text(now),
            },
        )
        return [codec.from_item(Draft, row) for row in rows]

    def discard(self, draft: Draft) -> None:
        """Delete a draft and the files that are shown nowhere; what is gone is no error."""
        files = detached(self.dynamo, TABLE, draft.id, draft.files)
        gone = delete_write(TABLE, _key(draft))
        try:
            self.dynamo.transact([gone, *files])
        except ConditionFailed:  # a file was shown somewhere at this very moment
            self.dynamo.transact([gone])

    def becoming(self, draft: Draft) -> Tie:
        """The write by which a draft, as it was read, is one no longer."""
        write = delete_write(
            TABLE,
            _key(draft),
            ConditionExpression="#updated = :read",
            ExpressionAttributeNames={"#updated": "updated"},
            ExpressionAttributeValues={":read": codec.time_text(draft.updated)},
        )
        return Tie(write, f"{TABLE} {draft.id} was sent, discarded or changed")


def _key(draft: Draft) -> Item:
    key: dict[str, Any] = {"user_id": draft.user_id, "id": draft.id}
    return key
