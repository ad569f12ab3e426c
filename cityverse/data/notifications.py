"""What people should know: table Notification."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from cityverse.data import codec
from cityverse.data.client import ConditionFailed, Dynamo, Item, put_write
from cityverse.data.cursors import Cursors
from cityverse.data.lists import FIRST, PAGE_MOST, Page, PartitionList
from cityverse.data.ties import living
from cityverse.data.timeline import order_of
from cityverse.domain.notifications import Notification
from cityverse.domain.people import User
from cityverse.errors import NotFound

TABLE = "Notification"


class NotificationRepository:
    """Notifications of each person, the newest first; they expire by themselves."""

    def __init__(self, dynamo: Dynamo, cursors: Cursors) -> None:
        self.dynamo = dynamo
        self._notifications = PartitionList(dynamo, cursors, TABLE, _decode)

    def write_of(self, notification: Notification) -> dict[str, Any]:
        """The write that tells a person something, for the transaction of what happened.

        That transaction has a condition on the person, as ``tell`` has, if it can.
        """
        notification.check()
        item = codec.to_item(notification) | {
            "order": _order(notification),
            "expires": int(notification.expires_at.timestamp()),
        }
        return put_write(TABLE, item, ConditionExpression="attribute_not_exists(user_id)")

    def tell(self, notification: Notification) -> bool:
        """Tell a person something; False when it was told before (same id and time).

        Raises NotFound when there is no such person, or their account is being deleted.
        """
        person = living("User", notification.user_id)
        try:
            self.dynamo.transact([self.write_of(notification), person.write])
        except ConditionFailed as failure:
            if 0 in failure.failed:
                return False
            raise NotFound(person.missing) from failure
        return True

    def page(self, user_id: str, *, limit: int, cursor: str | None = None) -> Page[Notification]:
        """What a person was told, the newest first."""
        return self._notifications.page(user_id, limit=limit, cursor=cursor)

    def unread(self, user: User) -> int:
        """How many of the newest ``PAGE_MOST`` notifications a person has not seen."""
        low = FIRST if user.notified_until is None else codec.time_text(user.notified_until)
        rows = self._notifications.rows(user.id, limit=PAGE_MOST, low=low, falling=True)
        return sum(_decode(row).unread(user) for row in rows)

    def read(self, notification: Notification, now: datetime) -> Notification:
        """Mark a notification as read; reading twice keeps the first time. Raises NotFound."""
        key = {"user_id": notification.user_id, "order": _order(notification)}
        try:
            item = self.dynamo.update(
                TABLE,
                key,
                UpdateExpression="SET read_at = if_not_exists(read_at, :now)",
                ConditionExpression="attribute_exists(user_id)",
                ExpressionAttributeValues={":now": codec.time_text(now)},
            )
        except ConditionFailed as failure:
            raise NotFound(f"there is no notification {notification.id}") from failure
        return _decode(item)


def _decode(item: Item) -> Notification:
    return codec.from_item(Notification, item)


def _order(notification: Notification) -> str:
    return order_of(notification.created, notification.id)
