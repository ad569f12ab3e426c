"""Requests to take part in missions: table Application, with the places of the mission.

The waiting list moves up in the transaction that frees a place: the first in line gets the
place where the team has accepted them, else their application is before the team again.
``Mission.waiting`` counts those in line, so that nobody who waits is overlooked.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from cityverse.data import codec
from cityverse.data.client import ConditionFailed, Dynamo, Item, update_write
from cityverse.data.cursors import Cursors
from cityverse.data.dealings import DealingRepository
from cityverse.data.lists import FIRST, PAGE_MOST, Page, PartitionList, before
from cityverse.data.missions import MissionRepository
from cityverse.data.notifications import NotificationRepository
from cityverse.data.parents import read_living
from cityverse.data.ties import LIVING, TRIES, living, unchanged
from cityverse.domain.applications import (
    Application,
    ApplicationState,
    Refusal,
    check_transition,
)
from cityverse.domain.community import Mission
from cityverse.domain.notifications import Notification, Topic
from cityverse.domain.people import check_choice
from cityverse.errors import AlreadyExists, Closed, Full, NotFound, VersionConflict, WrongState

_S = ApplicationState
_DUE = "due"
# What an older program wrote says no time of erasure.
_KEPT_AT_MOST = timedelta(days=365)
_TITLE = 300
_LOOKED_AT = 10


class ApplicationRepository(DealingRepository[Application]):
    """Applications: one a person and mission; never more approved than there are places."""

    table = "Application"
    entity = Application
    item_index = "mission-index"
    newest_first = False

    def __init__(self, dynamo: Dynamo, cursors: Cursors) -> None:
        super().__init__(dynamo, cursors)
        self._missions = MissionRepository(dynamo, cursors)
        self._notifications = NotificationRepository(dynamo, cursors)
        lists = (dynamo, cursors, self.table, self._decode)
        self._waiting = PartitionList(*lists, "waiting-index", newest_first=False)
        self._personal = PartitionList(*lists, "erase-index", newest_first=False)

    def keys_of(self, entity: Application) -> Item:
        """Its place in the lists, in the waiting list, and among what is to be erased."""
        keys = super().keys_of(entity)
        if entity.state is _S.WAITING:
            keys["waiting_for"] = entity.mission_id
        if entity.personal:
            until = entity.erase_at or entity.created + _KEPT_AT_MOST
            keys |= {"erase": _DUE, "erase_order": f"{codec.time_text(until)}#{entity.id}"}
        return keys

    def create(self, entity: Application, told: Sequence[dict[str, Any]] = ()) -> Application:
        """Apply, at the time ``created``; who withdrew before may apply again.

        The state is pending, or waiting where all places are taken. ``told`` are writes of
        the same transaction. Raises NotFound without the mission or the person, Closed when
        it is closed or over, AlreadyExists when the person has applied.
        """
        person = living("User", entity.user_id)
        for _ in range(TRIES):
            stored = self.find(entity.id)
            if stored is not None and stored.state is not _S.WITHDRAWN:
                raise AlreadyExists(f"{entity.user_id} has applied to {entity.mission_id}")
            mission = self._open_mission(entity.mission_id, entity.created)
            fresh, counted = self._joining(entity, mission, stored)
            writes = [self._put(fresh, stored.version if stored else 0), counted, person.write]
            try:
                self.dynamo.transact([*writes, *self._also(fresh), *told])
            except ConditionFailed as failure:
                if failure.failed[0] == 2:
                    raise NotFound(person.missing) from failure
                continue  # the next look says why
            return fresh
        raise VersionConflict(f"mission {entity.mission_id} changes all the time")

    def _joining(
        self, entity: Application, mission: Mission, stored: Application | None
    ) -> tuple[Application, dict[str, Any]]:
        """The application as it begins, and what must hold of the mission for that."""
        state = _S.PENDING if mission.places_left else _S.WAITING
        fresh = dataclasses.replace(
            entity,
            state=state,
            changed=None,
            refusal=None,
            accepted=False,
            version=(stored.version if stored else 0) + 1,
        )
        fresh.check()
        if state is _S.WAITING:
            return fresh, _counted(mission, waiting=1)
        return fresh, unchanged("Mission", mission.id, mission.version)

    def move(
        self,
        application_id: str,
        state: ApplicationState,
        now: datetime,
        *,
        refusal: Refusal | None = None,
        accepted: bool = False,
        told: Sequence[dict[str, Any]] = (),
    ) -> Application:
        """Bring an application into another state; into the one it has changes nothing.

        Approval takes a place of the mission, refusal and withdrawal free it for the first in
        line. Who is ``accepted`` while all places are taken waits, and gets the next one.
        ``told`` are writes of the same transaction. Raises NotFound, WrongState when that
        state may not follow, or when one is to wait though there is a place, and Full or
        Closed when an approval finds the mission so.
        """
        check_choice("state", state, ApplicationState)
        for _ in range(TRIES):
            stored = self.get(application_id)
            if stored.state is state and stored.accepted == accepted:
                return stored
            if stored.state is not state:
                check_transition(stored.state, state)
            elif state is not _S.WAITING:
                return stored
            write, moved = self._moved(stored, state, now, refusal=refusal, accepted=accepted)
            mission = self._mission_for(stored, state, now)
            following = self._following(stored, state, mission, now)
            try:
                self.dynamo.transact([write, *following, *told])
            except ConditionFailed:
                continue  # the next look says why
            return moved
        raise VersionConflict(f"application {application_id} changes all the time")

    def advance(self, mission_id: str, now: datetime) -> Application | None:
        """Let the first in line move up where there is a free place; answers with them.

        A place that an edit added is given in this way. None: nobody waits, or no place is
        free, or the mission takes nobody.
        """
        for _ in range(TRIES):
            mission = self._missions.find(mission_id)
            if mission is None or not mission.takes_applications(now):
                return None
            heir = self._first_in_line(mission)
            if heir is None or not mission.places_left:
                return None
            writes, moved = self._promoting(heir, mission, now)
            counted = _counted(mission, 1 if moved.state is _S.APPROVED else 0, -1)
            try:
                self.dynamo.transact([*writes, counted])
            except ConditionFailed:
                continue
            return moved
        return None

    def erase(self, application: Application) -> Application:
        """Empty what is personal in an application as it was read; raises VersionConflict."""
        return self.replace(application, application.erased())

    def delete(self, entity: Application, now: datetime | None = None) -> None:
        """Delete an application as it was read, and free its place for the first in line.

        Deleting twice is no error; raises VersionConflict when it changed since.
        """
        for _ in range(TRIES):
            mission = self._missions.find(entity.mission_id) if _counts(entity.state) else None
            moment = now or datetime.now(UTC)
            following = self._following(entity, _S.WITHDRAWN, mission, moment)
            try:
                self.dynamo.transact([*self.writes_deleting(entity), *following])
            except ConditionFailed as failure:
                if 0 in failure.failed:
                    break
                continue  # the mission was changed meanwhile
            return
        if self.find(entity.id) is not None:
            raise VersionConflict(f"application {entity.id} was changed meanwhile")

    def of_mission(
        self, mission_id: str, *, limit: int, cursor: str | None = None
    ) -> Page[Application]:
        """The applications to a mission, the first one first."""
        return self._of_item.page(mission_id, limit=limit, cursor=cursor)

    def place_in_line(self, application: Application) -> int | None:
        """How many stand in line up to this one, from 1; None when more than a hundred do."""
        last = self.keys_of(application)["order"]
        rows = self._waiting.rows(
            application.mission_id, limit=PAGE_MOST + 1, low=FIRST, high=before(last)
        )
        return len(rows) + 1 if len(rows) <= PAGE_MOST else None

    def to_erase(self, now: datetime, *, limit: int) -> list[Application]:
        """Applications whose personal part has been kept long enough, oldest first."""
        rows = self._personal.rows(_DUE, limit=limit, high=codec.time_text(now))
        return [self._decode(row) for row in rows]

    def _open_mission(self, mission_id: str, now: datetime) -> Mission:
        mission = read_living(self._missions, mission_id)
        if not mission.takes_applications(now):
            raise Closed(f"mission {mission_id} is closed or over")
        return mission

    def _mission_for(
        self, stored: Application, state: ApplicationState, now: datetime
    ) -> Mission | None:
        """The mission, where a change of state concerns its places or its line."""
        if state is _S.APPROVED:
            mission = self._open_mission(stored.mission_id, now)
            if not mission.places_left:
                raise Full(f"mission {mission.id} is full")
            return mission
        if state is _S.WAITING:
            mission = self._open_mission(stored.mission_id, now)
            if mission.places_left:
                raise WrongState(f"mission {mission.id} has places: nobody need wait")
            return mission
        return self._missions.find(stored.mission_id)

    def _following(
        self,
        stored: Application,
        state: ApplicationState,
        mission: Mission | None,
        now: datetime,
    ) -> list[dict[str, Any]]:
        """The writes that follow from a change of state, for who moves up by it, too."""
        if mission is None:
            return []
        places = (state is _S.APPROVED) - (stored.state is _S.APPROVED)
        waiting = (state is _S.WAITING) - (stored.state is _S.WAITING)
        heir = None
        freed = places < 0 or (stored.state is _S.PENDING and mission.places_left > 0)
        if freed and state in {_S.REFUSED, _S.WITHDRAWN} and mission.takes_applications(now):
            heir = self._first_in_line(mission)
        writes: list[dict[str, Any]] = []
        if heir is not None:
            writes, moved = self._promoting(heir, mission, now)
            places += moved.state is _S.APPROVED
            waiting -= 1
        places = max(places, -mission.approved)
        waiting = max(waiting, -mission.waiting)
        if places or waiting:
            writes = [_counted(mission, places, waiting, nobody_waits=heir is None), *writes]
        return writes

    def _first_in_line(self, mission: Mission) -> Application | None:
        """Who is next; the index, which lags behind, only says whom to look at."""
        if mission.waiting == 0:
            return None
        ids = [row["id"] for row in self._waiting.rows(mission.id, limit=_LOOKED_AT)]
        found = self.find_many(ids)
        return next((found[i] for i in ids if i in found and found[i].state is _S.WAITING), None)

    def _promoting(
        self, heir: Application, mission: Mission, now: datetime
    ) -> tuple[list[dict[str, Any]], Application]:
        """The writes by which the first in line moves up and is told, and what they are then."""
        state = _S.APPROVED if heir.accepted else _S.PENDING
        write, moved = self._moved(heir, state, now, accepted=False)
        told = Notification(
            id=f"place:{heir.id}:{heir.version}",
            user_id=heir.user_id,
            topic=Topic.PLACE_FREED,
            created=now,
            target=f"mission:{mission.id}",
            actor_name=mission.association_name,
            text=mission.title[:_TITLE],
        )
        return [write, self._notifications.write_of(told)], moved


def _counts(state: ApplicationState) -> bool:
    return state in {_S.APPROVED, _S.WAITING, _S.PENDING}


def _counted(
    mission: Mission, places: int = 0, waiting: int = 0, *, nobody_waits: bool = False
) -> dict[str, Any]:
    """The write that changes the counters of a mission as it was read.

    Only where the mission becomes full, or is no longer, must the counter be exactly
    what was read: so approvals seldom wait for one another. ``nobody_waits``: a place is
    freed for nobody, so nobody may have joined the line meanwhile.
    """
    counted = dataclasses.replace(mission, approved=mission.approved + places).settled()
    conditions = [
        "#version = :read",
        LIVING if places > 0 or waiting > 0 else "attribute_exists(id)",
    ]
    values: dict[str, Any] = {":read": mission.version}
    if counted.status is not mission.status:
        conditions.append("approved = :approved")
        values[":approved"] = mission.approved
    elif places > 0:
        conditions.append("approved < :last")
        values[":last"] = mission.places - 1
    elif places < 0 and mission.places_left:
        conditions.append("approved > :none AND approved < :places")
        values |= {":none": 0, ":places": mission.places}
    elif places < 0:
        conditions.append("approved > :none")
        values[":none"] = 0
    if waiting > 0:
        conditions.append("approved >= :places")
        values[":places"] = mission.places
    elif waiting < 0:
        conditions.append("waiting >= :left")
        values[":left"] = -waiting
    if places < 0 and nobody_waits:
        conditions.append("(attribute_not_exists(waiting) OR waiting = :waiting)")
        values[":waiting"] = mission.waiting
    status = {} if counted.status is mission.status else {"status": str(counted.status)}
    added = {"approved": places, "waiting": waiting}
    return update_write(
        "Mission",
        {"id": mission.id},
        status,
        condition=" AND ".join(conditions),
        names={"#version": "version"},
        values=values,
        added={name: step for name, step in added.items() if step},
    )
