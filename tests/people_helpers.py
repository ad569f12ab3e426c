"""People and what ties them to others, for tests; repositories over the store of a test."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

from helpers import NOW, clear

from cityverse.data.awards import AwardRepository
from cityverse.data.badges import BadgeRepository
from cityverse.data.client import Dynamo, decode
from cityverse.data.cursors import Cursors
from cityverse.data.follows import FollowRepository
from cityverse.data.notifications import NotificationRepository
from cityverse.data.reports import DecisionRepository, ReportRepository
from cityverse.data.revoked import RevokedTokens
from cityverse.data.rollups import RollupRepository
from cityverse.data.store import Store, over
from cityverse.data.users import UserRepository
from cityverse.domain.moderation import Decision, Ground, Measure, Reason, Report
from cityverse.domain.notifications import Notification, Topic
from cityverse.domain.people import Follow, User

CURSORS = Cursors(b"a secret of the tests, 32 bytes.")
THREADS = 16

# What these repositories write to.
TABLES = (
    *("User", "Association", "Follow", "Award", "Badge", "Notification", "Report", "Decision"),
    *("Rollup", "Blacklist", "Claim", "Receipt", "Term"),
)


@dataclass(frozen=True)
class People:
    """The repositories of people over one connection."""

    store: Store
    users: UserRepository
    follows: FollowRepository
    awards: AwardRepository
    badges: BadgeRepository
    notifications: NotificationRepository
    reports: ReportRepository
    decisions: DecisionRepository
    rollups: RollupRepository
    revoked: RevokedTokens


def nobody(dynamo: Dynamo) -> People:
    """The repositories of people over empty tables."""
    clear(dynamo, *TABLES)
    store = over(dynamo, CURSORS)
    return People(
        store,
        UserRepository(dynamo),
        FollowRepository(dynamo, CURSORS),
        AwardRepository(dynamo, CURSORS),
        BadgeRepository(dynamo),
        NotificationRepository(dynamo, CURSORS),
        ReportRepository(dynamo, CURSORS),
        DecisionRepository(dynamo, CURSORS),
        RollupRepository(dynamo),
        RevokedTokens(dynamo),
    )


def user(item_id: str = "u1", **changes: Any) -> User:
    """A resident."""
    fields: dict[str, Any] = {
        "id": item_id,
        "created": NOW,
        "email": f"{item_id}@example.org",
        "first_name": "Camille",
        "last_name": "Roche",
    }
    return User(**(fields | changes))


def follow(user_id: str = "u1", association_id: str = "a1", **changes: Any) -> Follow:
    """``u1`` follows ``a1``."""
    return Follow(
        **({"user_id": user_id, "association_id": association_id, "created": NOW} | changes)
    )


def notification(item_id: str = "n1", **changes: Any) -> Notification:
    """Something ``u1`` should know."""
    fields: dict[str, Any] = {
        "id": item_id,
        "user_id": "u1",
        "topic": Topic.COMMENT,
        "created": NOW,
        "target": "post:p1",
    }
    return Notification(**(fields | changes))


def report(item_id: str = "r1", **changes: Any) -> Report:
    """``u1`` reports ``p1``."""
    fields: dict[str, Any] = {
        "id": item_id,
        "target": "post:p1",
        "reason": Reason.SPAM,
        "created": NOW,
        "reporter_id": "u1",
    }
    return Report(**(fields | changes))


def decision(item_id: str = "d1", **changes: Any) -> Decision:
    """A manager removes ``p1``."""
    fields: dict[str, Any] = {
        "id": item_id,
        "target": "post:p1",
        "moderator_id": "manager",
        "measure": Measure.REMOVAL,
        "created": NOW,
        "facts": "The post sells watches.",
        "ground": Ground.TERMS,
        "rule": "No advertising",
        "explanation": "It advertises goods of its author.",
        "redress": "Answer within six months.",
    }
    return Decision(**(fields | changes))


def rows(dynamo: Dynamo, table: str) -> list[dict[str, Any]]:
    """Everything a table holds."""
    pages = dynamo.client.get_paginator("scan").paginate(TableName=table)
    return [decode(item) for page in pages for item in page["Items"]]


def at_once(*calls: Callable[[], Any]) -> list[Any]:
    """What calls answer, or raise, that all begin at the same moment."""
    barrier = threading.Barrier(len(calls))

    def one(call: Callable[[], Any]) -> Any:
        barrier.wait(30)
        try:
            return call()
        except Exception as error:
            return error

    with ThreadPoolExecutor(len(calls)) as pool:
        return list(pool.map(one, calls))


def all_pages(page: Callable[..., Any], limit: int) -> tuple[list[Any], list[Any]]:
    """The items of all pages read forward, and the same read back from the last page."""
    pages = [page(limit=limit)]
    while pages[-1].next is not None:
        pages.append(page(limit=limit, cursor=pages[-1].next))
        assert len(pages) < 100
    forward = [item for one in pages for item in one.items]
    backward, cursor = list(pages[-1].items), pages[-1].previous
    while cursor is not None:
        before = page(limit=limit, cursor=cursor)
        backward, cursor = [*before.items, *backward], before.previous
        assert len(backward) <= len(forward)
    return forward, backward
