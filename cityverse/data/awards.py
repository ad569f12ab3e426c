"""Points and badges given, once a cause: table Award."""

from __future__ import annotations

from cityverse.data import codec
from cityverse.data.client import ConditionFailed, Dynamo, Item, put_write
from cityverse.data.cursors import Cursors
from cityverse.data.lists import LAST, Page, PartitionList
from cityverse.data.ties import counting
from cityverse.domain.points import HOUR, ONCE, Award
from cityverse.errors import NotFound

TABLE = "Award"


class AwardRepository:
    """Awards; the score and hours of a person are the sums of theirs."""

    def __init__(self, dynamo: Dynamo, cursors: Cursors) -> None:
        self.dynamo = dynamo
        self._awards = PartitionList(dynamo, cursors, TABLE, _decode, newest_first=False)

    def give(self, award: Award) -> bool:
        """Give an award; False when the person was given one for this cause before.

        Raises NotFound when there is no such person, or their account is being deleted.
        """
        award.check()
        fresh = put_write(
            TABLE, codec.to_item(award), ConditionExpression="attribute_not_exists(user_id)"
        )
        earned = counting("User", award.user_id, {"score": award.points, "hours": award.hours})
        try:
            self.dynamo.transact([fresh, earned.write])
        except ConditionFailed as failure:
            if 0 in failure.failed:
                return False
            raise NotFound(earned.missing) from failure
        return True

    def find(self, user_id: str, cause: str) -> Award | None:
        """The award for a cause, or None."""
        item = self.dynamo.get(TABLE, {"user_id": user_id, "cause": cause})
        return None if item is None else _decode(item)

    def once(self, user_id: str, *, limit: int, cursor: str | None = None) -> Page[Award]:
        """What a person was given for causes that count once, by cause."""
        return self._given(ONCE, user_id, limit, cursor)

    def hours(self, user_id: str, *, limit: int, cursor: str | None = None) -> Page[Award]:
        """The hours a person was given points for, the first one first."""
        return self._given(HOUR, user_id, limit, cursor)

    def _given(self, kind: str, user_id: str, limit: int, cursor: str | None) -> Page[Award]:
        return self._awards.page(user_id, limit=limit, cursor=cursor, low=kind, high=kind + LAST)


def _decode(item: Item) -> Award:
    return codec.from_item(Award, item)
