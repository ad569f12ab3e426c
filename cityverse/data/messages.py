"""Threads between applicants and teams: table Message."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from cityverse.data import codec
from cityverse.data.client import ConditionFailed, Dynamo, Item, put_write
from cityverse.data.cursors import Cursors
from cityverse.data.lists import Page, PartitionList
from cityverse.data.ties import living
from cityverse.domain.messages import Message
from cityverse.errors import NotFound

TABLE = "Message"


class MessageRepository:
    """Messages of each application, the newest first; they expire by themselves."""

    def __init__(self, dynamo: Dynamo, cursors: Cursors) -> None:
        self.dynamo = dynamo
        self._of_application = PartitionList(dynamo, cursors, TABLE, _decode)

    def say(self, message: Message, told: Sequence[dict[str, Any]] = ()) -> bool:
        """Add a message; False when it was added before (same id and application).

        Its key is its id, which begins with its time: so a form that is sent twice says it
        once. ``told`` are writes of the same transaction. Raises NotFound without the
        application or the person.
        """
        message.check()
        item = codec.to_item(message) | {
            "order": message.id,
            "expires": int(message.expires_at.timestamp()),
        }
        put = put_write(TABLE, item, ConditionExpression="attribute_not_exists(application_id)")
        application = living("Application", message.application_id)
        person = living("User", message.user_id)
        try:
            self.dynamo.transact([put, application.write, person.write, *told])
        except ConditionFailed as failure:
            if 0 in failure.failed:
                return False
            missing = application if 1 in failure.failed else person
            raise NotFound(missing.missing) from failure
        return True

    def page(self, application_id: str, *, limit: int, cursor: str | None = None) -> Page[Message]:
        """What was written, the newest first."""
        return self._of_application.page(application_id, limit=limit, cursor=cursor)


def _decode(item: Item) -> Message:
    return codec.from_item(Message, item)
