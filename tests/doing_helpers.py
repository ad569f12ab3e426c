"""Entities of what people do, and ways to try them: threads at once, a store that breaks."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from itertools import count
from typing import Any

from helpers import LATER, NOW, association, event, location, mission, post, stand_in

from cityverse.data.applications import ApplicationRepository
from cityverse.data.associations import AssociationRepository
from cityverse.data.attendance import AttendanceRepository
from cityverse.data.campaigns import CampaignRepository
from cityverse.data.client import Dynamo
from cityverse.data.comments import CommentRepository
from cityverse.data.contributions import ContributionRepository
from cityverse.data.cursors import Cursors
from cityverse.data.deletion import Deletion
from cityverse.data.events import EventRepository
from cityverse.data.follows import FollowRepository
from cityverse.data.missions import MissionRepository
from cityverse.data.posts import PostRepository
from cityverse.data.products import ProductRepository
from cityverse.data.reactions import ReactionRepository
from cityverse.domain.applications import Application, application_id
from cityverse.domain.comments import Comment
from cityverse.domain.giving import Campaign, Contribution
from cityverse.domain.products import Product
from cityverse.errors import CityVerseError

THREADS = 16
PEOPLE = (*(f"u{number}" for number in range(THREADS)), "zoe", "other")
# Ids are never used twice, so that tests need not empty the store.
_numbers = count()


class Doing:
    """Every repository of what people do, over one connection."""

    def __init__(self, dynamo: Dynamo) -> None:
        cursors = Cursors(b"a secret of the tests, 32 bytes.")
        self.dynamo = dynamo
        self.associations = AssociationRepository(dynamo, cursors)
        self.posts = PostRepository(dynamo, cursors)
        self.missions = MissionRepository(dynamo, cursors)
        self.events = EventRepository(dynamo, cursors)
        self.campaigns = CampaignRepository(dynamo, cursors)
        self.products = ProductRepository(dynamo, cursors)
        self.comments = CommentRepository(dynamo, cursors)
        self.reactions = ReactionRepository(dynamo, cursors)
        self.applications = ApplicationRepository(dynamo, cursors)
        self.contributions = ContributionRepository(dynamo, cursors)
        self.attendance = AttendanceRepository(dynamo, cursors)
        self.follows = FollowRepository(dynamo, cursors)
        self.deletion = Deletion(dynamo, cursors)


def settled(dynamo: Dynamo) -> Doing:
    """The same, where the association and the people of most tests are there."""
    stand_in(dynamo, "Association", "a1")
    stand_in(dynamo, "User", *PEOPLE)
    return Doing(dynamo)


def a_person(doing: Doing, prefix: str = "person") -> str:
    """The id of somebody who is there, and whom no other test knows."""
    user_id = unique(prefix)
    stand_in(doing.dynamo, "User", user_id)
    return user_id


def unique(prefix: str) -> str:
    """An id that no other test uses."""
    return f"{prefix}{next(_numbers)}"


def a_post(**changes: Any) -> Any:
    return post(unique("post"), **changes)


def a_mission(**changes: Any) -> Any:
    return mission(unique("mission"), **({"starts": LATER} | changes))


def an_event(**changes: Any) -> Any:
    return event(unique("event"), **({"starts": LATER, "ends": LATER} | changes))


def an_association(**changes: Any) -> Any:
    return association(unique("association"), **changes)


def a_campaign(**changes: Any) -> Campaign:
    fields: dict[str, Any] = {
        "id": unique("campaign"),
        "association_id": "a1",
        "association_name": "Les Semeurs",
        "title": "Une serre pour le jardin",
        "description": "De quoi planter toute l'année",
        "created": NOW,
        "goal": 250_000,
    }
    return Campaign(**(fields | changes))


def a_product(**changes: Any) -> Product:
    item_id = unique("product")
    fields: dict[str, Any] = {
        "id": item_id,
        "association_id": "a1",
        "association_name": "Les Semeurs",
        "name": f"Panier {item_id}",
        "created": NOW,
        "points": (location(9),),
    }
    return Product(**(fields | changes))


def a_comment(post_id: str, /, **changes: Any) -> Comment:
    fields: dict[str, Any] = {
        "id": unique("comment"),
        "post_id": post_id,
        "user_id": "u1",
        "user_name": "Camille",
        "text": "Bravo !",
        "created": NOW,
    }
    return Comment(**(fields | changes))


def an_application(mission_id: str, /, user_id: str = "u1", **changes: Any) -> Application:
    fields: dict[str, Any] = {
        "id": application_id(mission_id, user_id),
        "mission_id": mission_id,
        "user_id": user_id,
        "created": NOW,
        "first_name": "Camille",
        "surname": "Martin",
        "age": 34,
        "address": "12 rue des Martyrs",
        "phone": "06 00 00 00 00",
        "interests": "Le jardinage",
        "has_car": False,
        "has_licence": True,
    }
    return Application(**(fields | changes))


def a_contribution(campaign_id: str, /, user_id: str = "u1", **changes: Any) -> Contribution:
    fields: dict[str, Any] = {
        "id": "to-be-replaced",
        "campaign_id": campaign_id,
        "user_id": user_id,
        "cents": 2_000,
        "created": NOW,
        "first_name": "Camille",
        "surname": "Martin",
        "address": "12 rue des Martyrs",
    }
    return Contribution(**(fields | changes))


def every(page: Callable[..., Any], value: str, limit: int = 100) -> list[Any]:
    """All items of a list, by following its cursors."""
    found, cursor = [], None
    while True:
        one = page(value, limit=limit, cursor=cursor)
        found += one.items
        cursor = one.next
        if cursor is None:
            return found


def rows(dynamo: Dynamo, table: str) -> list[dict[str, Any]]:
    """Everything a table holds, as it is stored."""
    pages = dynamo.client.get_paginator("scan").paginate(TableName=table, ConsistentRead=True)
    return [item for page in pages for item in page["Items"]]


def at_once(calls: list[Callable[[], Any]]) -> list[Any]:
    """What these calls answer, or the error of ours they raise, all begun at one moment."""
    barrier = threading.Barrier(len(calls))

    def run(call: Callable[[], Any]) -> Any:
        barrier.wait(30)
        try:
            return call()
        except CityVerseError as error:
            return error

    with ThreadPoolExecutor(len(calls)) as pool:
        return list(pool.map(run, calls))


class Broken(Exception):
    """What a call raises that was made to break."""


class BreakingClient:
    """A client whose ``at``-th call (from 0) breaks, before or after it took effect."""

    def __init__(self, client: Any, at: int, *, after: bool) -> None:
        self._client, self._at, self._after = client, at, after
        self.calls = 0

    def __getattr__(self, name: str) -> Any:
        real = getattr(self._client, name)

        def call(**request: Any) -> Any:
            number, self.calls = self.calls, self.calls + 1
            if number == self._at and not self._after:
                raise Broken(name)
            answer = real(**request)
            if number == self._at:
                raise Broken(name)
            return answer

        return call
