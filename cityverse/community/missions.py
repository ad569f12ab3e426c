"""Volunteering missions: finding them, taking part, and what their team does.

Who acts is who is signed in (``who``, read from the store on this very run). Everything may be
sent twice: a mission and a message have the id their form was given, all else is a state one
is in.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from datetime import date, datetime, time, timedelta
from typing import Any

from cityverse.community.city import CITY_ZONE
from cityverse.community.talk import name_of
from cityverse.community.teams import publishers
from cityverse.data.lists import PAGE_MOST, Page
from cityverse.data.repository import Window
from cityverse.data.store import Store
from cityverse.data.timeline import is_hidden
from cityverse.domain import policy
from cityverse.domain.applications import (
    KEPT,
    MINUTES_MOST,
    Application,
    ApplicationState,
    Presence,
    Refusal,
    application_id,
)
from cityverse.domain.community import (
    Association,
    Mission,
    MissionDuration,
    MissionStatus,
    MissionType,
    Qualification,
)
from cityverse.domain.messages import Message
from cityverse.domain.missions import Rhythm, check_transition, repeated
from cityverse.domain.notifications import Notification, Topic
from cityverse.domain.people import User
from cityverse.domain.places import Location
from cityverse.domain.policy import Action
from cityverse.domain.rules import check_between
from cityverse.errors import (
    AlreadyExists,
    Full,
    InvalidField,
    NotFound,
    VersionConflict,
    WrongState,
)

PAGE_SIZE = 12
_TRIES = 5
_EXCERPT = 200
# So many of a team are told of an application.
_TEAM_MOST = 20
_MAY_ATTEND = frozenset(
    {ApplicationState.PENDING, ApplicationState.WAITING, ApplicationState.APPROVED}
)


@dataclass(frozen=True, slots=True)
class Search:
    """What missions one looks for; ``start`` is the first day, ``near`` a point in degrees."""

    text: str = ""
    start: date | None = None
    days: int | None = None
    goals: frozenset[int] = frozenset()
    mission_type: MissionType | None = None
    arrondissement: int | None = None
    near: tuple[float, float] | None = None
    metres: int = 1500
    free_only: bool = False
    association_id: str | None = None


@dataclass(frozen=True, slots=True)
class Detail:
    """A mission as who is signed in sees it.

    ``mine`` is their application, ``line`` their place in the waiting list; ``team`` whether
    they run the mission.
    """

    mission: Mission
    mine: Application | None = None
    line: int | None = None
    team: bool = False


def find(
    store: Store, wanted: Search, now: datetime, *, cursor: str | None = None
) -> Page[Mission]:
    """Missions that begin today or later, the next first; never a draft.

    A text is looked for among the 200 newest that have its words; ``Page.more`` says that
    there may be further ones. Raises StoreError.
    """
    window = _window(wanted, now)
    if wanted.text.strip():
        return _searched(store, wanted, window)

    def passes(mission: Mission) -> bool:
        return _passes(mission, wanted)

    where = passes if _is_filtered(wanted) else None
    if wanted.near is not None:
        lat, lon = wanted.near
        page = store.missions.near(
            lat, lon, metres=wanted.metres, limit=PAGE_SIZE, window=window, cursor=cursor
        )
        return replace(page, items=tuple(one for one in page.items if passes(one)))
    return store.missions.page(
        limit=PAGE_SIZE,
        window=window,
        arrondissement=wanted.arrondissement,
        association_id=wanted.association_id,
        cursor=cursor,
        where=where,
    )


def _window(wanted: Search, now: datetime) -> Window:
    today = now.astimezone(CITY_ZONE).date()
    first = max(wanted.start or today, today)
    start = datetime.combine(first, time.min, CITY_ZONE)
    return Window(start, None if wanted.days is None else start + timedelta(days=wanted.days))


def _is_filtered(wanted: Search) -> bool:
    return bool(wanted.goals or wanted.mission_type or wanted.free_only) or (
        wanted.association_id is not None and wanted.arrondissement is not None
    )


def _passes(mission: Mission, wanted: Search) -> bool:
    in_place = wanted.arrondissement is None or (
        mission.location is not None and mission.location.arrondissement == wanted.arrondissement
    )
    of_type = wanted.mission_type in {None, mission.mission_type}
    of_goal = not wanted.goals or bool(wanted.goals & mission.goals)
    free = not wanted.free_only or mission.status is MissionStatus.OPEN
    return in_place and of_type and of_goal and free


def _searched(store: Store, wanted: Search, window: Window) -> Page[Mission]:
    found = store.search("mission", wanted.text)
    if found is None:
        raise InvalidField("search", "needs a word of at least three letters")
    missions = store.missions.find_many(one.item_id for one in found).values()
    passing = [m for m in missions if _passes(m, wanted) and _within(m.starts, window)]
    return Page(tuple(sorted(passing, key=lambda m: (m.starts, m.id))))


def _within(moment: datetime, window: Window) -> bool:
    after = window.start is None or moment >= window.start
    return after and (window.end is None or moment < window.end)


def about(store: Store, who: User | None, mission_id: str) -> Detail | None:
    """A mission, or None where there is none, or it is a draft of others. Raises StoreError."""
    mission = store.missions.find(mission_id)
    if mission is None:
        return None
    team = who is not None and _runs(store, who, mission.association_id)
    if (mission.status is MissionStatus.DRAFT or is_hidden(mission)) and not team:
        return None
    mine = None if who is None else store.applications.find(application_id(mission.id, who.id))
    line = None
    if mine is not None and mine.state is ApplicationState.WAITING:
        line = store.applications.place_in_line(mine)
    return Detail(mission, mine, line, team)


def _runs(store: Store, who: User, association_id: str) -> bool:
    association = store.associations.find(association_id)
    return association is not None and policy.may(who, Action.RUN_ASSOCIATION, association)


# --- taking part ----------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class ApplicationForm:
    """What somebody says of themselves; ``reason`` is why they want to take part."""

    reason: str
    first_name: str = ""
    surname: str = ""
    age: int | None = None
    address: str = ""
    phone: str = ""
    has_car: bool | None = None
    has_licence: bool | None = None


def apply(
    store: Store, who: User | None, mission_id: str, form: ApplicationForm, now: datetime
) -> Application:
    """Ask to take part; the team is told. Who has applied already keeps that application.

    Raises NotSignedIn, NotAllowed, InvalidField, NotFound, Closed, and AlreadyExists where the
    team has refused before.
    """
    user = policy.require(who, Action.APPLY)
    if not form.reason.strip():
        raise InvalidField("reason", "must not be empty")
    mission = store.missions.get(mission_id)
    wanted = Application(
        id=application_id(mission_id, user.id),
        mission_id=mission_id,
        user_id=user.id,
        created=now,
        first_name=form.first_name.strip() or user.first_name,
        surname=form.surname.strip() or user.last_name,
        age=form.age,
        address=form.address.strip(),
        phone=form.phone.strip(),
        interests=form.reason.strip(),
        has_car=form.has_car,
        has_licence=form.has_licence,
        erase_at=mission.over + KEPT,
    )
    told = [store.notifications.write_of(one) for one in _told_team(store, wanted, mission, user)]
    try:
        return store.applications.create(wanted, told)
    except AlreadyExists:
        stored = store.applications.find(wanted.id)
        if stored is None or stored.state not in _MAY_ATTEND:
            raise
        return stored


def _told_team(
    store: Store, application: Application, mission: Mission, user: User
) -> Iterator[Notification]:
    """What the team of a mission is told of an application that comes in."""
    association = store.associations.find(mission.association_id)
    if association is None:
        return
    for member in sorted(_team(store, association) - {user.id}):
        moment = int(application.created.timestamp())
        yield Notification(
            id=f"application:{application.id}:{moment}",
            user_id=member,
            topic=Topic.APPLICATION,
            created=application.created,
            target=f"mission:{mission.id}",
            actor_id=user.id,
            actor_name=name_of(user),
            text=mission.title,
        )


def _team(store: Store, association: Association) -> set[str]:
    """Those of a team, at most twenty, who have an account."""
    ids = [association.owner_id] if association.owner_id else []
    ids += sorted(association.editors)
    return set(store.users.find_many(ids[:_TEAM_MOST]))


def withdraw(store: Store, who: User | None, mission_id: str, now: datetime) -> Application:
    """No longer want to take part; a place that is freed goes to the first in line.

    Raises NotSignedIn, NotAllowed, NotFound, WrongState after a refusal.
    """
    user = policy.require(who, Action.APPLY)
    one = application_id(mission_id, user.id)
    return store.applications.move(one, ApplicationState.WITHDRAWN, now)


@dataclass(frozen=True, slots=True)
class Thread:
    """What an applicant and the team wrote, oldest first; ``earlier`` leads further back."""

    application: Application
    messages: tuple[Message, ...]
    earlier: str | None


def thread(
    store: Store, who: User | None, application_id_: str, cursor: str | None = None
) -> Thread:
    """The thread of an application, for its applicant and the team alone.

    Raises NotSignedIn, NotAllowed and NotFound.
    """
    application, _ = _concerning(store, who, application_id_)
    page = store.messages.page(application.id, limit=20, cursor=cursor)
    return Thread(application, tuple(reversed(page.items)), page.next)


def say(
    store: Store, who: User | None, application_id_: str, message_id: str, text: str, now: datetime
) -> None:
    """Write to the other side, which is told; ``message_id`` is that of the form (a ULID).

    Raises NotSignedIn, NotAllowed, NotFound and InvalidField.
    """
    application, user = _concerning(store, who, application_id_)
    mission = store.missions.get(application.mission_id)
    mine = application.user_id == user.id
    message = Message(
        id=message_id,
        application_id=application.id,
        user_id=user.id,
        user_name=name_of(user),
        text=text.strip(),
        created=now,
        expires_at=max(mission.over, now) + KEPT,
        team=not mine,
    )
    association = store.associations.get(mission.association_id)
    to = _team(store, association) - {user.id} if mine else _living(store, application.user_id)
    told = Notification(
        id=f"message:{message_id}",
        user_id=application.user_id,
        topic=Topic.APPLICATION_MESSAGE,
        created=now,
        target=f"mission:{mission.id}",
        actor_id=user.id,
        actor_name=name_of(user) if mine else mission.association_name,
        text=message.text[:_EXCERPT],
    )
    writes = [store.notifications.write_of(replace(told, user_id=one)) for one in sorted(to)]
    store.messages.say(message, writes)


def _living(store: Store, user_id: str) -> set[str]:
    return set(store.users.find_many([user_id]))


def _concerning(store: Store, who: User | None, application_id_: str) -> tuple[Application, User]:
    """An application, where who acts made it or runs its mission; and who that is."""
    user = policy.require(who, Action.APPLY)
    application = store.applications.get(application_id_)
    if application.user_id != user.id:
        mission = store.missions.get(application.mission_id)
        association = store.associations.get(mission.association_id)
        policy.require(user, Action.RUN_ASSOCIATION, association)
    return application, user


# --- the team -------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class MissionForm:
    """A mission as its team typed it; ``id`` is that of the form, so it is made once.

    ``version`` is that of the mission which is edited, 0 for a new one. A new one with a
    ``rhythm`` is made ``times`` times, each with places of its own.
    """

    id: str
    association_id: str
    title: str
    description: str
    starts: datetime
    ends: datetime | None
    places: int
    location: Location | None = None
    duration: MissionDuration | None = None
    mission_type: MissionType | None = None
    qualification: Qualification = Qualification.OPEN_TO_ALL
    goals: frozenset[int] = field(default_factory=frozenset)
    needs_car: bool = False
    needs_licence: bool = False
    draft: bool = False
    rhythm: Rhythm = Rhythm.ONCE
    times: int = 1
    version: int = 0


def teams(store: Store, who: User | None, wanted: str | None = None) -> list[Association]:
    """The associations that who is signed in runs, by name.

    Those they own or edit; the one with the id ``wanted`` however many these are.
    """
    if who is None:
        return []
    found = {one.id: one for one in publishers(store, who)}
    if wanted is not None and wanted not in found:
        association = store.associations.find(wanted)
        if association is not None:
            found[association.id] = association
    may = [one for one in found.values() if policy.may(who, Action.RUN_ASSOCIATION, one)]
    return sorted(may, key=lambda one: one.name.casefold())


def save(store: Store, who: User | None, form: MissionForm, now: datetime) -> list[Mission]:
    """Publish a mission or keep it as a draft, each time of its series; or edit one.

    Where those who take part must know, because time or place changed, they are told. Raises
    NotSignedIn, NotAllowed, NotFound, InvalidField, VersionConflict, WrongState.
    """
    association = store.associations.get(form.association_id)
    policy.require(who, Action.PUBLISH, association)
    if form.version:
        return [_edit(store, form, now)]
    if (form.ends or form.starts) <= now:
        raise InvalidField("ends", "must lie in the future")
    starts = list(repeated(form.starts, form.rhythm, form.times))
    return [_create(store, form, association, n, when, now) for n, when in enumerate(starts)]


def _create(
    store: Store, form: MissionForm, association: Association, n: int, when: datetime, now: datetime
) -> Mission:
    series = form.rhythm is not Rhythm.ONCE and form.times > 1
    mission = Mission(
        id=f"{form.id}-{n}" if series else form.id,
        association_id=association.id,
        association_name=association.name,
        created=now,
        approved=0,
        status=MissionStatus.DRAFT if form.draft else MissionStatus.OPEN,
        series_id=form.id if series else None,
        demo=association.demo,
        **_typed(form) | {"starts": when, "ends": form.ends and when + (form.ends - form.starts)},
    )
    try:
        return store.missions.create(mission)
    except AlreadyExists:
        # The answer to the first sending was lost.
        stored = store.missions.get(mission.id)
        if stored.association_id != association.id:
            raise
        return stored


def _typed(form: MissionForm) -> dict[str, Any]:
    return {
        "title": form.title.strip(),
        "description": form.description.strip(),
        "starts": form.starts,
        "ends": form.ends,
        "places": form.places,
        "location": form.location,
        "duration": form.duration,
        "mission_type": form.mission_type,
        "qualification": form.qualification,
        "goals": form.goals,
        "needs_car": form.needs_car,
        "needs_licence": form.needs_licence,
    }


def _edit(store: Store, form: MissionForm, now: datetime) -> Mission:
    stored = store.missions.get(form.id)
    if stored.association_id != form.association_id:
        raise NotFound(f"association {form.association_id} has no mission {form.id}")
    if stored.version != form.version:
        if replace(stored, **_typed(form)) == stored:
            return stored  # sent twice: it says this already
        raise VersionConflict(f"mission {form.id} was changed meanwhile")
    changed = replace(stored, **_typed(form))
    written = store.missions.replace(stored, changed)
    if (stored.starts, stored.ends, stored.location) != (
        changed.starts,
        changed.ends,
        changed.location,
    ):
        _tell_all(store, written, now)
    _advance(store, written.id, now)
    return written


def set_status(
    store: Store, who: User | None, mission_id: str, status: MissionStatus, now: datetime
) -> Mission:
    """Open, close, finish or cancel a mission; those who applied are told of the last.

    Raises NotSignedIn, NotAllowed, NotFound, WrongState, VersionConflict.
    """
    stored = store.missions.get(mission_id)
    policy.require(who, Action.PUBLISH, store.associations.get(stored.association_id))
    for left in reversed(range(_TRIES)):
        stored = store.missions.get(mission_id)
        if stored.status is status or (
            status is MissionStatus.OPEN and stored.status is MissionStatus.FULL
        ):
            written = stored
            break
        check_transition(stored, status, now)
        with contextlib.suppress(VersionConflict):
            written = store.missions.replace(stored, replace(stored, status=status))
            break
        if not left:
            raise VersionConflict(f"mission {mission_id} changes all the time")
    if stored.status is not MissionStatus.DRAFT and {status, stored.status} & {
        MissionStatus.CANCELLED
    }:
        _tell_all(store, written, now)
    _advance(store, mission_id, now)
    return written


def discard(store: Store, who: User | None, mission_id: str) -> None:
    """Delete a draft; raises WrongState for what was published, which is cancelled instead."""
    stored = store.missions.find(mission_id)
    if stored is None:
        return
    policy.require(who, Action.PUBLISH, store.associations.get(stored.association_id))
    if stored.status is not MissionStatus.DRAFT:
        raise WrongState("a published mission is cancelled, not deleted")
    store.deletion.delete("Mission", mission_id)


def _tell_all(store: Store, mission: Mission, now: datetime) -> None:
    """Tell everybody who takes part, or wants to, what became of a mission; once a version."""
    for application in everybody(store, mission.id):
        if application.state in _MAY_ATTEND:
            told = Notification(
                id=f"mission:{mission.id}:{mission.version}",
                user_id=application.user_id,
                topic=Topic.MISSION_CHANGED,
                created=now,
                target=f"mission:{mission.id}",
                actor_name=mission.association_name,
                text=mission.title,
            )
            with contextlib.suppress(NotFound):  # without an account by now
                store.notifications.tell(told)


def everybody(store: Store, mission_id: str) -> Iterator[Application]:
    """All applications to a mission, the first one first."""
    cursor: str | None = None
    while True:
        page = store.applications.of_mission(mission_id, limit=PAGE_MOST, cursor=cursor)
        yield from page.items
        cursor = page.next
        if cursor is None:
            return


def applications(
    store: Store, who: User | None, mission_id: str, *, cursor: str | None = None
) -> Page[Application]:
    """Who wants to take part, the first one first, for the team alone.

    Raises NotSignedIn, NotAllowed and NotFound.
    """
    _of_team(store, who, mission_id)
    return store.applications.of_mission(mission_id, limit=20, cursor=cursor)


def _of_team(store: Store, who: User | None, mission_id: str) -> Mission:
    mission = store.missions.get(mission_id)
    policy.require(who, Action.RUN_ASSOCIATION, store.associations.get(mission.association_id))
    return mission


def approve(store: Store, who: User | None, application_id_: str, now: datetime) -> Application:
    """Take somebody; where all places are taken they wait, and get the next one by themselves.

    Raises NotSignedIn, NotAllowed, NotFound, Closed, WrongState.
    """
    application = store.applications.get(application_id_)
    mission = _of_team(store, who, application.mission_id)
    for _ in range(_TRIES):
        told = _decided(store, application, mission, now)
        with contextlib.suppress(Full):
            return store.applications.move(
                application.id, ApplicationState.APPROVED, now, told=told
            )
        with contextlib.suppress(WrongState):  # a place was freed at this very moment
            return store.applications.move(
                application.id, ApplicationState.WAITING, now, accepted=True
            )
        application = store.applications.get(application_id_)
    raise VersionConflict(f"mission {mission.id} changes all the time")


def refuse(
    store: Store, who: User | None, application_id_: str, reason: Refusal, now: datetime
) -> Application:
    """Do not take somebody, and say why; a place that is freed goes to the first in line.

    Raises NotSignedIn, NotAllowed, NotFound, WrongState.
    """
    application = store.applications.get(application_id_)
    mission = _of_team(store, who, application.mission_id)
    return store.applications.move(
        application.id,
        ApplicationState.REFUSED,
        now,
        refusal=reason,
        told=_decided(store, application, mission, now),
    )


def _decided(
    store: Store, application: Application, mission: Mission, now: datetime
) -> list[dict[str, Any]]:
    if store.users.find(application.user_id) is None:
        return []
    told = Notification(
        id=f"decided:{application.id}:{application.version}",
        user_id=application.user_id,
        topic=Topic.APPLICATION_DECIDED,
        created=now,
        target=f"mission:{mission.id}",
        actor_name=mission.association_name,
        text=mission.title,
    )
    return [store.notifications.write_of(told)]


def note_presence(
    store: Store,
    who: User | None,
    application_id_: str,
    presence: Presence,
    minutes: int,
    now: datetime,
) -> Application:
    """Note whether somebody came, and for how long; only once the mission has begun.

    Raises NotSignedIn, NotAllowed, NotFound, InvalidField, WrongState, VersionConflict.
    """
    check_between("minutes", minutes, 0, MINUTES_MOST)
    application = store.applications.get(application_id_)
    mission = _of_team(store, who, application.mission_id)
    if application.state is not ApplicationState.APPROVED or mission.starts > now:
        raise WrongState("presence is noted of those who were approved, once it has begun")
    came = minutes if presence is Presence.PRESENT else 0
    noted = replace(application, presence=presence, minutes=came)
    return application if noted == application else store.applications.replace(application, noted)


def _advance(store: Store, mission_id: str, now: datetime) -> None:
    """Let as many move up as there are free places that nobody before the team may get."""
    mission = store.missions.get(mission_id)
    if not mission.waiting or not mission.places_left or not mission.takes_applications(now):
        return
    pending = sum(one.state is ApplicationState.PENDING for one in everybody(store, mission_id))
    for _ in range(min(mission.waiting, mission.places_left - pending)):
        if store.applications.advance(mission_id, now) is None:
            return


# --- what the worker does ---------------------------------------------------------------------

REMINDED = timedelta(hours=30)
_OVER_SINCE = timedelta(days=1)


def tend(store: Store, now: datetime, *, back: timedelta = timedelta(days=8)) -> dict[str, int]:
    """Remind those who take part soon, end what is over, erase what was kept long enough.

    Looks at missions that began up to ``back`` ago. Everything is done once, however often this
    runs; answers with how much it was.
    """
    done = {"reminded": 0, "ended": 0, "erased": 0}
    window = Window(now - back, now + REMINDED)
    cursor: str | None = None
    while True:
        page = store.missions.page(limit=PAGE_MOST, window=window, cursor=cursor)
        for mission in page.items:
            if mission.takes_applications(now):
                _advance(store, mission.id, now)
            if mission.starts > now and mission.status not in _NOT_HELD:
                done["reminded"] += _remind(store, mission)
            elif mission.over + _OVER_SINCE <= now and mission.status not in _NOT_HELD:
                done["ended"] += _end(store, mission, now)
        cursor = page.next
        if cursor is None:
            break
    done["erased"] = _erase(store, now)
    return done


_NOT_HELD = frozenset({MissionStatus.DRAFT, MissionStatus.DONE, MissionStatus.CANCELLED})


def _remind(store: Store, mission: Mission) -> int:
    reminded = 0
    for application in everybody(store, mission.id):
        if application.state is not ApplicationState.APPROVED:
            continue
        told = Notification(
            # The same however often this runs; another one where the mission is moved.
            id=f"soon:{mission.id}",
            user_id=application.user_id,
            topic=Topic.MISSION_SOON,
            created=mission.starts - REMINDED,
            target=f"mission:{mission.id}",
            actor_name=mission.association_name,
            text=mission.title,
        )
        with contextlib.suppress(NotFound):
            reminded += store.notifications.tell(told)
    return reminded


def _end(store: Store, mission: Mission, now: datetime) -> int:
    """A mission that is over is done; whom its team never answered is told so."""
    for application in everybody(store, mission.id):
        if application.state in {ApplicationState.PENDING, ApplicationState.WAITING}:
            told = _decided(store, application, mission, now)
            with contextlib.suppress(WrongState, NotFound, VersionConflict):
                store.applications.move(
                    application.id,
                    ApplicationState.REFUSED,
                    now,
                    refusal=Refusal.OVER,
                    told=told,
                )
    try:
        store.missions.replace(mission, replace(mission, status=MissionStatus.DONE))
    except VersionConflict:
        return 0  # somebody else did it, or moved it
    return 1


def _erase(store: Store, now: datetime) -> int:
    erased = 0
    while due := store.applications.to_erase(now, limit=PAGE_MOST):
        progress = 0
        for application in store.applications.find_many(one.id for one in due).values():
            mission = store.missions.find(application.mission_id)
            until = application.created if mission is None else mission.over + KEPT
            with contextlib.suppress(VersionConflict):
                if until > now and application.erase_at != until:
                    # The mission was moved to a later time.
                    store.applications.replace(application, replace(application, erase_at=until))
                    progress += 1
                elif application.personal:
                    store.applications.erase(application)
                    erased += 1
                    progress += 1
        if not progress:
            break
    return erased
