"""What a person was told: reading it, and saying that it was read."""

from __future__ import annotations

from datetime import datetime

from cityverse.data.lists import Page
from cityverse.data.store import Store
from cityverse.domain import policy
from cityverse.domain.notifications import Notification
from cityverse.domain.people import User
from cityverse.domain.policy import Action

PAGE_SIZE = 20


def listed(store: Store, who: User | None, cursor: str | None = None) -> Page[Notification]:
    """What who is signed in was told, the newest first. Raises NotSignedIn and StoreError."""
    user = policy.require(who, Action.EDIT_ACCOUNT, who.id if who else None)
    return store.notifications.page(user.id, limit=PAGE_SIZE, cursor=cursor)


def unread(store: Store, who: User) -> int:
    """How many of the newest hundred were not read. Raises StoreError."""
    return store.notifications.unread(who)


def read(store: Store, who: User | None, notification: Notification, now: datetime) -> None:
    """Say that one was read; only one's own. Raises NotSignedIn, NotAllowed, NotFound."""
    policy.require(who, Action.EDIT_ACCOUNT, notification.user_id)
    store.notifications.read(notification, now)


def read_all(store: Store, who: User | None, until: datetime) -> None:
    """Say that all up to a time were read. Raises NotSignedIn."""
    user = policy.require(who, Action.EDIT_ACCOUNT, who.id if who else None)
    store.users.notified(user.id, until)
