"""Articles that managers take off all lists, with a reason, and bring back."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from datetime import datetime

from cityverse.data.store import Store
from cityverse.domain import policy
from cityverse.domain.news import Article, Withdrawal, brought_back, taken_down
from cityverse.domain.people import User
from cityverse.domain.policy import Action
from cityverse.errors import InvalidField, NotFound, VersionConflict

log = logging.getLogger(__name__)

LISTED_MOST = 20
# A poll may change an article meanwhile.
_TRIES = 5


def withdraw(store: Store, who: User | None, article_id: str, reason: str, now: datetime) -> None:
    """Take an article off all lists; its feed does not bring it back. Twice is no error.

    Raises NotSignedIn, NotAllowed, NotFound, InvalidField without a reason.
    """
    user = policy.require(who, Action.MANAGE_SOURCES)
    if not reason.strip():
        raise InvalidField("reason", "must not be empty")
    made = Withdrawal(now, reason.strip())
    made.check()
    if _change(store, article_id, lambda a: None if a.withdrawn_at else taken_down(a, made)):
        log.warning("audit: %s withdrew article %s: %s", user.id, article_id, made.reason)


def restore(store: Store, who: User | None, article_id: str) -> None:
    """Bring an article back that a manager withdrew; one that is there is no error.

    Raises NotSignedIn, NotAllowed and NotFound.
    """
    user = policy.require(who, Action.MANAGE_SOURCES)
    if _change(store, article_id, lambda a: brought_back(a) if a.withdrawal else None):
        log.warning("audit: %s brought article %s back", user.id, article_id)


def listed(store: Store, who: User | None, source_id: str) -> Sequence[Article]:
    """The newest articles of a source that were withdrawn. Raises NotSignedIn, NotAllowed."""
    policy.require(who, Action.MANAGE_SOURCES)
    return store.news.taken_down(source_id, limit=LISTED_MOST)


def _change(store: Store, article_id: str, change: Callable[[Article], Article | None]) -> bool:
    """Change an article as it is now; False where nothing is to be changed."""
    for left in reversed(range(_TRIES)):
        article = store.news.known([article_id]).get(article_id)
        if article is None:
            raise NotFound(f"there is no article {article_id}")
        changed = change(article)
        if changed is None:
            return False
        try:
            store.news.replace(article, changed)
        except VersionConflict:
            if not left:
                raise
        else:
            return True
    raise AssertionError("unreachable")
