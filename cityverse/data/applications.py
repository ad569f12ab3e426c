"""Requests to take part in missions: table Application, with the places of the mission."""

from __future__ import annotations

import dataclasses
from datetime import datetime
from typing import Any

from cityverse.data import codec
from cityverse.data.client import (
    ConditionFailed,
    Dynamo,
    Item,
    check_write,
    put_write,
    update_write,
)
from cityverse.data.cursors import Cursors
from cityverse.data.lists import Page, PartitionList
from cityverse.data.missions import MissionRepository
from cityverse.data.parents import LIVING, TRIES, read_living
from cityverse.data.repository import Repository
from cityverse.data.timeline import order_of
from cityverse.domain.applications import Application, ApplicationState, check_transition
from cityverse.domain.community import Mission
from cityverse.domain.people import check_choice
from cityverse.errors import AlreadyExists, Conflict, VersionConflict


class ApplicationRepository(Repository[Application]):
    """Applications: one a person and mission; never more approved than there are places."""

    table = "Application"
    entity = Application

    def __init__(self, dynamo: Dynamo, cursors: Cursors) -> None:
        super().__init__(dynamo)
        self._missions = MissionRepository(dynamo, cursors)
        self._of_mission = PartitionList(
            dynamo, cursors, self.table, self._decode, "mission-index", newest_first=False
        )
        self._of_user = PartitionList(dynamo, cursors, self.table, self._decode, "user-index")

    def keys_of(self, entity: Application) -> Item:
        """Its place among the applications of the mission, and of the person."""
        return {"order": order_of(entity.created, entity.id)}

    def create(self, entity: Application) -> Application:
        """Apply, at the time ``created``; who withdrew before may apply again.

        The state is pending, or waiting where all places are taken. Raises NotFound
        without the mission, Conflict when it is closed or over, AlreadyExists when the
        person has applied.
        """
        for _ in range(TRIES):
            stored = self.find(entity.id)
            if stored is not None and stored.state is not ApplicationState.WITHDRAWN:
                raise AlreadyExists(f"{entity.user_id} has applied to {entity.mission_id}")
            mission = self._open_mission(entity.mission_id, entity.created)
            state = ApplicationState.PENDING if mission.places_left else ApplicationState.WAITING
            read = stored.version if stored is not None else 0
            fresh = dataclasses.replace(entity, state=state, changed=None, version=read + 1)
            fresh.check()
            try:
                self.dynamo.transact(
                    [self._put(fresh, read), _unchanged(mission), *self._also(fresh)]
                )
            except ConditionFailed:
                continue  # the next look says why
            return fresh
        raise VersionConflict(f"mission {entity.mission_id} changes all the time")

    def move(self, application_id: str, state: ApplicationState, now: datetime) -> Application:
        """Bring an application into another state; into the one it has changes nothing.

        Approval takes a place of the mission, refusal and withdrawal free it. Raises
        NotFound, and Conflict when that state may not follow, or an approval finds the
        mission full, closed or over.
        """
        check_choice("state", state, ApplicationState)
        for _ in range(TRIES):
            stored = self.get(application_id)
            if stored.state is state:
                return stored
            check_transition(stored.state, state)
            writes = [_moved(stored, state, now), *self._place(stored, state, now)]
            try:
                self.dynamo.transact(writes)
            except ConditionFailed:
                continue  # the next look says why
            return dataclasses.replace(stored, state=state, changed=now, version=stored.version + 1)
        raise VersionConflict(f"application {application_id} changes all the time")

    def erase(self, application: Application) -> Application:
        """Empty what is personal in an application as it was read; raises VersionConflict."""
        return self.replace(application, application.erased())

    def delete(self, entity: Application) -> None:
        """Delete an application as it was read, and free its place if it has one.

        Deleting twice is no error; raises VersionConflict when it changed since.
        """
        if entity.state is ApplicationState.APPROVED and self.find(entity.id) == entity:
            entity = self.move(entity.id, ApplicationState.WITHDRAWN, entity.created)
        super().delete(entity)

    def of_mission(
        self, mission_id: str, *, limit: int, cursor: str | None = None
    ) -> Page[Application]:
        """The applications to a mission, the first one first."""
        return self._of_mission.page(mission_id, limit=limit, cursor=cursor)

    def of_user(self, user_id: str, *, limit: int, cursor: str | None = None) -> Page[Application]:
        """What a person applied to, newest first."""
        return self._of_user.page(user_id, limit=limit, cursor=cursor)

    def _open_mission(self, mission_id: str, now: datetime) -> Mission:
        mission = read_living(self._missions, mission_id)
        if not mission.takes_applications(now):
            raise Conflict(f"mission {mission_id} is closed or over")
        return mission

    def _put(self, application: Application, read: int) -> dict[str, Any]:
        item = codec.to_item(application) | self.keys_of(application)
        if read == 0:
            return put_write(self.table, item, ConditionExpression="attribute_not_exists(id)")
        return put_write(
            self.table,
            item,
            ConditionExpression="#version = :read",
            ExpressionAttributeNames={"#version": "version"},
            ExpressionAttributeValues={":read": read},
        )

    def _place(
        self, application: Application, state: ApplicationState, now: datetime
    ) -> list[dict[str, Any]]:
        """The write that takes or frees a place, if this change of state does."""
        if state is ApplicationState.APPROVED:
            mission = self._open_mission(application.mission_id, now)
            if not mission.places_left:
                raise Conflict(f"mission {mission.id} is full")
            return [_counted(mission, 1)]
        if application.state is ApplicationState.APPROVED:
            return [_counted(read_living(self._missions, application.mission_id), -1)]
        return []

    @staticmethod
    def _decode(item: Item) -> Application:
        return codec.from_item(Application, item)


def _unchanged(mission: Mission) -> dict[str, Any]:
    """The condition that a mission is as it was read, but for its counter."""
    return check_write(
        "Mission",
        {"id": mission.id},
        ConditionExpression=f"{LIVING} AND #version = :read",
        ExpressionAttributeNames={"#version": "version"},
        ExpressionAttributeValues={":read": mission.version},
    )


def _moved(application: Application, state: ApplicationState, now: datetime) -> dict[str, Any]:
    changes = {
        "state": str(state),
        "changed": codec.time_text(now),
        "version": application.version + 1,
    }
    return update_write(
        "Application",
        {"id": application.id},
        changes,
        condition="#version = :read",
        names={"#version": "version"},
        values={":read": application.version},
    )


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
    status = {} if counted.status is mission.status else {"status": str(counted.status)}
    return update_write(
        "Mission",
        {"id": mission.id},
        status,
        condition=f"{LIVING} AND #version = :read AND {bounds}",
        names={"#version": "version"},
        values={":read": mission.version, **values},
        added={"approved": step},
    )
