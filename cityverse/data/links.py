"""Links for one use, kept under a hash of their token: table Link."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from cityverse.data import codec
from cityverse.data.client import ConditionFailed, Dynamo, put_write, update_write
from cityverse.domain.people import Link
from cityverse.errors import AlreadyExists

TABLE = "Link"
# A link that was used can be told from one that never was for a while.
_KEPT_AFTER = timedelta(days=1)
_FIRST_ADMIN = {"id": "first_admin"}


class LinkRepository:
    """Links that were sent; a link is used in the transaction of what it allows."""

    def __init__(self, dynamo: Dynamo) -> None:
        self.dynamo = dynamo

    def issue(self, link: Link) -> None:
        """Keep a new link; raises AlreadyExists when there is one of this hash."""
        try:
            self.dynamo.transact([_put(link)])
        except ConditionFailed as failure:
            raise AlreadyExists(f"{TABLE} has an item {link.id} already") from failure

    def find(self, link_id: str) -> Link | None:
        """The link with this hash, used and expired ones too, or None."""
        item = self.dynamo.get(TABLE, {"id": link_id})
        return None if item is None else codec.from_item(Link, item)

    def use(self, link: Link) -> dict[str, Any]:
        """The write that uses a link up; its condition fails for the second one to do so."""
        return update_write(
            TABLE,
            {"id": link.id},
            {"used": True},
            condition="attribute_exists(id) AND #used = :no",
            names={"#used": "used"},
            values={":no": False},
        )

    def offer_first_admin(self, link: Link) -> bool:
        """Keep the link by which somebody becomes the first admin; False when there was one."""
        offer = put_write(
            "Meta",
            {**_FIRST_ADMIN, "offered": codec.time_text(link.created)},
            ConditionExpression="attribute_not_exists(id)",
        )
        try:
            self.dynamo.transact([offer, _put(link)])
        except ConditionFailed:
            return False
        return True

    def admin_came(self) -> dict[str, Any]:
        """The write that notes that there is an admin."""
        return put_write("Meta", {**_FIRST_ADMIN, "came": codec.time_text(datetime.now(UTC))})

    def has_admin(self) -> bool:
        """Whether there was ever an admin."""
        return "came" in (self.dynamo.get("Meta", _FIRST_ADMIN) or {})


def _put(link: Link) -> dict[str, Any]:
    link.check()
    expires = int((link.expires_at + _KEPT_AFTER).timestamp())
    return put_write(
        TABLE,
        codec.to_item(link) | {"expires": expires},
        ConditionExpression="attribute_not_exists(id)",
    )
