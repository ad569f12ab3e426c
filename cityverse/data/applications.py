"""Requests to take part in missions: table Application, with the places of the mission."""

from __future__ import annotations

import dataclasses
from datetime import datetime
from typing import Any

from cityverse.data.client import ConditionFailed, Dynamo, update_write
from cityverse.data.cursors import Cursors
from cityverse.data.dealings import DealingRepository
from cityverse.data.lists import Page
from cityverse.data.missions import MissionRepository
from cityverse.data.parents import read_living
from cityverse.data.ties import LIVING, TRIES, living, unchanged
from cityverse.domain.applications import Application, ApplicationState, check_transition
from cityverse.domain.community import Mission
from cityverse.domain.people import check_choice
from cityverse.errors import AlreadyExists, Closed, Full, NotFound, VersionConflict


class ApplicationRepository(DealingRepository[Application]):
    """Applications: one a person and mission; never more approved than there are places."""

    table = "Application"
    entity = Application
    item_index = "mission-index"
    newest_first = False

    def __init__(self, dynamo: Dynamo, cursors: Cursors) -> None:
        super().__init__(dynamo, cursors)
        self._missions = MissionRepository(dynamo, cursors)

    def create(self, entity: Application) -> Application:
        """Apply, at the time ``created``; who withdrew before may apply again.

        The state is pending, or waiting where all places are taken. Raises NotFound
        without the mission or the person, Closed when it is closed or over, AlreadyExists
        when the person has applied.
        """
        person = living("User", entity.user_id)
        for _ in range(TRIES):
            stored = self.find(entity.id)
            if stored is not None and stored.state is not ApplicationState.WITHDRAWN:
                raise AlreadyExists(f"{entity.user_id} has applied to {entity.mission_id}")
            mission = self._open_mission(entity.mission_id, entity.created)
            state = ApplicationState.PENDING if mission.places_left else ApplicationState.WAITING
            read = stored.version if stored is not None else 0
            fresh = dataclasses.replace(entity, state=state, changed=None, version=read + 1)
            fresh.check()
            mission_as_read = unchanged("Mission", mission.id, mission.version)
            writes = [self._put(fresh, read), mission_as_read, person.write, *self._also(fresh)]
            try:
                self.dynamo.transact(writes)
            except ConditionFailed as failure:
                if failure.failed[0] == 2:
                    raise NotFound(person.missing) from failure
                continue  # the next look says why
            return fresh
        raise VersionConflict(f"mission {entity.mission_id} changes all the time")

    def move(self, application_id: str, state: ApplicationState, now: datetime) -> Application:
        """Bring an application into another state; into the one it has changes nothing.

        Approval takes a place of the mission, refusal and withdrawal free it. Raises
        NotFound, WrongState when that state may not follow, and Full or Closed when an
        approval finds the mission so.
        """
        check_choice("state", state, ApplicationState)
        for _ in range(TRIES):
            stored = self.get(application_id)
            if stored.state is state:
                return stored
            check_transition(stored.state, state)
            write, moved = self._moved(stored, state, now)
            try:
                self.dynamo.transact([write, *self._place(stored, state, now)])
            except ConditionFailed:
                continue  # the next look says why
            return moved
        raise VersionConflict(f"application {application_id} changes all the time")

    def erase(self, application: Application) -> Application:
        """Empty what is personal in an application as it was read; raises VersionConflict."""
        return self.replace(application, application.erased())

    def delete(self, entity: Application) -> None:
        """Delete an application as it was read, and free its place if it has one.

        Deleting twice is no error; raises VersionConflict when it changed since.
        """
        for _ in range(TRIES):
            try:
                self.dynamo.transact([*self.writes_deleting(entity), *self._freed(entity)])
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

    def _open_mission(self, mission_id: str, now: datetime) -> Mission:
        mission = read_living(self._missions, mission_id)
        if not mission.takes_applications(now):
            raise Closed(f"mission {mission_id} is closed or over")
        return mission

    def _place(
        self, application: Application, state: ApplicationState, now: datetime
    ) -> list[dict[str, Any]]:
        """The write that takes or frees a place, if this change of state does."""
        if state is ApplicationState.APPROVED:
            mission = self._open_mission(application.mission_id, now)
            if not mission.places_left:
                raise Full(f"mission {mission.id} is full")
            return [_counted(mission, 1)]
        return self._freed(application)

    def _freed(self, application: Application) -> list[dict[str, Any]]:
        """The write that frees the place of an application, if it has one of a mission there."""
        if application.state is not ApplicationState.APPROVED:
            return []
        mission = self._missions.find(application.mission_id)
        return [] if mission is None or mission.approved == 0 else [_counted(mission, -1)]


def _counted(mission: Mission, step: int) -> dict[str, Any]:
    """The write that takes or frees a place of a mission as it was read.

    Only where the mission becomes full, or is no longer, must the counter be exactly
    what was read: so approvals seldom wait for one another.
    """
    counted = dataclasses.replace(mission, approved=mission.approved + step).settled()
    if counted.status is not mission.status:
        bounds, values = "approved = :approved", {":approved": mission.approved}
    elif step > 0:
        bounds, values = "approved < :last", {":last": mission.places - 1}
    elif mission.places_left:
        bounds, values = "approved > :none AND approved < :places", {":places": mission.places}
    else:
        bounds, values = "approved > :none", {}
    if ":none" in bounds:
        values[":none"] = 0
    there = LIVING if step > 0 else "attribute_exists(id)"
    status = {} if counted.status is mission.status else {"status": str(counted.status)}
    return update_write(
        "Mission",
        {"id": mission.id},
        status,
        condition=f"{there} AND #version = :read AND {bounds}",
        names={"#version": "version"},
        values={":read": mission.version, **values},
        added={"approved": step},
    )
