"""Reports, the cases they make, decisions with their reasons, appeals, and the public log.

Anybody reports; managers decide, and never on what is their own; somebody else decides on
an appeal. A decision, what it does to its item, what its author is told and the line of the
audit trail are one transaction: of two moderators at once one wins.
"""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from typing import Any

from cityverse.data.attachments import files_of, hiding
from cityverse.data.letters import Letter
from cityverse.data.lists import Page
from cityverse.data.media import MediaRepository
from cityverse.data.removals import Removal
from cityverse.data.repository import Repository
from cityverse.data.rollups import series_of
from cityverse.data.store import Store
from cityverse.data.throttles import Limit
from cityverse.data.ties import living
from cityverse.domain import policy
from cityverse.domain.media import MediaState
from cityverse.domain.moderation import (
    APPEAL_WITHIN,
    PENDING,
    Act,
    Appeal,
    AppealStatus,
    Case,
    CaseStatus,
    Decision,
    Evidence,
    Ground,
    Hint,
    Measure,
    Moderated,
    Reason,
    Report,
    TargetKind,
    appeal_id,
    check_target,
    due_of,
    hints,
    ladder,
)
from cityverse.domain.notifications import Notification, Topic
from cityverse.domain.people import ANONYMOUS, Role, Status, User
from cityverse.domain.policy import Action
from cityverse.errors import (
    AlreadyExists,
    InvalidField,
    NotAllowed,
    NotFound,
    Taken,
    TooManyAttempts,
    VersionConflict,
    WrongState,
)

log = logging.getLogger(__name__)

_DAY = timedelta(days=1)
REPORTS = Limit("reports", 20, _DAY)
# Of one reporter against what belongs to one person.
REPORTS_ON_ONE = Limit("reports_on_one", 5, _DAY)
REPORTS_SIGNED_OUT = Limit("reports_signed_out", 5, timedelta(hours=1))
APPEALS = Limit("appeals", 10, _DAY)
QUEUE_MOST = 50
_HISTORY_MOST = 20
_TRIES = 5
_EXCERPT = 120
# Reports that came at the very moment of a decision have reached the index by then.
_TELLING = timedelta(minutes=1)
_TABLES = {
    TargetKind.POST: "Posts",
    TargetKind.COMMENT: "Comment",
    TargetKind.MISSION: "Mission",
    TargetKind.EVENT: "Event",
    TargetKind.CAMPAIGN: "Donation",
    TargetKind.ASSOCIATION: "Association",
    TargetKind.MEDIA: "Media",
    TargetKind.USER: "User",
}
COUNTED = ("reports", *Measure, "appeals", "overturned")
"""What the public figures count."""


@dataclass(frozen=True, slots=True)
class Item:
    """What is reported, whatever it is."""

    kind: TargetKind
    entity: Any
    evidence: Evidence
    subject_id: str | None
    association_id: str | None = None


def find(store: Store, target: str) -> Item | None:
    """The item of a target, or None when it is gone; raises InvalidField for no target."""
    check_target(target)
    name, _, item_id = target.partition(":")
    kind = TargetKind(name)
    if kind not in _TABLES:
        raise InvalidField("target", f"a {kind} cannot be reported")
    entity = _repository(store, kind).find(item_id)
    if entity is None or getattr(entity, "deleted", None):
        return None
    if kind is TargetKind.USER and entity.status is Status.CLOSED:
        return None
    return _item(store, kind, entity)


def targets(store: Store, target: str) -> list[str]:
    """What can be reported with an item: itself, its files, and who wrote it."""
    found = find(store, target)
    if found is None:
        return []
    files = () if found.kind is TargetKind.MEDIA else found.evidence.media
    named = [target, *(f"media:{one}" for one in files)]
    author = getattr(found.entity, "user_id", None)
    if author not in {None, ANONYMOUS} and found.association_id is None:
        named.append(f"user:{author}")
    return named


def _item(store: Store, kind: TargetKind, entity: Any) -> Item:
    said = getattr(entity, "text", "") or getattr(entity, "description", "")
    title = getattr(entity, "title", "") or getattr(entity, "name", "")
    if kind is TargetKind.USER:
        title = f"{entity.first_name} {entity.last_name}".strip()
    evidence = Evidence(
        title[:200], said[:5000], _files(kind, entity), getattr(entity, "version", 0)
    )
    association_id = getattr(entity, "association_id", None)
    subject = getattr(entity, "user_id", None) or getattr(entity, "owner", None)
    if kind is TargetKind.USER:
        subject = entity.id
    elif kind is TargetKind.ASSOCIATION:
        subject, association_id = entity.owner_id, entity.id
    elif subject is None and association_id is not None:
        association = store.associations.find(association_id)
        subject = association.owner_id if association else None
    return Item(kind, entity, evidence, subject, association_id)


def _files(kind: TargetKind, entity: Any) -> tuple[str, ...]:
    return (entity.id,) if kind is TargetKind.MEDIA else files_of(entity)


def _repository(store: Store, kind: TargetKind) -> Repository[Any]:
    if kind is TargetKind.MEDIA:
        return MediaRepository(store.dynamo)
    return store.repositories()[_TABLES[kind]]


# --- reporting ----------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Filing:
    """What somebody sent; ``id`` is that of the form, so that it counts once.

    ``network`` is that of who is not signed in, for limits alone.
    """

    id: str
    target: str
    reason: Reason
    text: str = ""
    good_faith: bool = False
    name: str = ""
    email: str = ""
    network: str = ""


def report(store: Store, who: User | None, filing: Filing, now: datetime) -> Report:
    """Report an item; what it is at this moment is kept. Sent again it counts once.

    Raises InvalidField, NotFound when the item is gone, Taken when this person's report of
    it waits already, TooManyAttempts.
    """
    if (sent := store.reports.find(filing.id)) is not None:
        if sent.reporter_id != (who.id if who else None) or sent.target != filing.target:
            raise AlreadyExists(f"there is a report {filing.id} of something else")
        return sent
    if not filing.good_faith:
        raise InvalidField("good_faith", "must be confirmed")
    item = find(store, filing.target)
    if item is None:
        raise NotFound(f"there is no {filing.target}")
    wanted = Report(
        id=filing.id,
        target=filing.target,
        reason=filing.reason,
        created=now,
        reporter_id=who.id if who else None,
        text=filing.text.strip(),
        evidence=item.evidence,
        reporter_name="" if who else filing.name.strip(),
        reporter_email=None if who else (filing.email.strip() or None),
        demo=item.entity.demo,
    )
    wanted.check()
    _count(store, who, filing, item, now)
    return _file(store, wanted, item)


def _count(store: Store, who: User | None, filing: Filing, item: Item, now: datetime) -> None:
    by = who.id if who else filing.network
    limits = [(REPORTS if who else REPORTS_SIGNED_OUT, by)]
    if item.subject_id is not None:
        limits.append((REPORTS_ON_ONE, f"{by} {item.subject_id}"))
    for limit, key in limits:
        if not store.throttles.take(limit, key, filing.id, now):
            raise TooManyAttempts(f"{limit.most} reports of this kind and no more")


def _file(store: Store, wanted: Report, item: Item) -> Report:
    for left in reversed(range(_TRIES)):
        case = _case(store, wanted, item)
        filed = replace(wanted, case_id=case.id)
        try:
            return store.reports.file(filed, _received(store, filed))
        except AlreadyExists as error:
            if isinstance(error, Taken):
                raise
            return store.reports.get(wanted.id)  # the answer to the first sending was lost
        except NotFound:
            # The case was decided at this very moment: the next one is another.
            if not left:
                raise
    raise VersionConflict(f"{wanted.target} is decided on all the time")


def _case(store: Store, wanted: Report, item: Item) -> Case:
    """The open case of the item, or a new one."""
    opened = Case(
        id=wanted.id,
        target=wanted.target,
        reason=wanted.reason,
        opened=wanted.created,
        due=due_of(wanted.reason, wanted.created),
        title=(item.evidence.title or item.evidence.text)[:_EXCERPT].replace("\n", " "),
        subject_id=item.subject_id,
        association_id=item.association_id,
        demo=wanted.demo,
    )
    found = store.cases.open_of(wanted.target)
    if found is not None:
        return found
    try:
        return store.cases.create(opened)
    except (Taken, AlreadyExists):  # somebody else reports it, too
        return store.cases.open_of(wanted.target) or store.cases.get(opened.id)


def _received(store: Store, filed: Report) -> list[dict[str, Any]]:
    """That it was received: counted, and told to who reported."""
    writes = [_counted(store, "reports", filed.created.date())]
    if filed.reporter_id is not None:
        told = _telling(filed.reporter_id, Topic.REPORT_RECEIVED, filed, filed.target)
        writes.append(store.notifications.write_of(told))
    elif filed.reporter_email is not None:
        letter = Letter(
            f"received:{filed.id}", "report_received", filed.created, address=filed.reporter_email
        )
        writes.append(store.letters.write_of(letter))
    return writes


def _telling(user_id: str, topic: Topic, about: Report | Decision, target: str) -> Notification:
    return Notification(f"{topic}:{about.id}", user_id, topic, about.created, target)


def _counted(store: Store, what: str, day: date) -> dict[str, Any]:
    return store.rollups.write_of(series_of(f"moderation_{what}", "city"), day, 1)


# --- the queue ----------------------------------------------------------------------------


def queue(
    store: Store, who: User | None, status: CaseStatus, cursor: str | None = None
) -> Page[Case]:
    """The cases of a status, the most urgent first. Raises NotSignedIn and NotAllowed."""
    policy.require(who, Action.MODERATE)
    return store.cases.queue(status, limit=QUEUE_MOST, cursor=cursor)


@dataclass(frozen=True, slots=True)
class File:
    """All that a moderator needs to decide on a case.

    ``mine``: it is about what is one's own, or one's association's.
    """

    case: Case
    item: Item | None
    reports: tuple[Report, ...]
    history: tuple[Decision, ...]
    hints: tuple[Hint, ...]
    mine: bool


def open_file(store: Store, who: User | None, case_id: str, now: datetime) -> File:
    """The file of a case; raises NotSignedIn, NotAllowed and NotFound."""
    user = policy.require(who, Action.MODERATE)
    case = store.cases.get(case_id)
    found = store.reports.of_target(case.target, limit=QUEUE_MOST).items
    history: Sequence[Decision] = ()
    if case.subject_id is not None:
        history = store.decisions.of_subject(case.subject_id, limit=_HISTORY_MOST).items
    return File(
        case,
        find(store, case.target),
        tuple(one for one in found if one.case_id == case.id),
        tuple(history),
        _hints(store, case, now),
        _is_own(store, user, case.subject_id, case.association_id),
    )


def _hints(store: Store, case: Case, now: datetime) -> tuple[Hint, ...]:
    """Rate, links and likeness to what the same person wrote lately."""
    item = find(store, case.target)
    if item is None or case.subject_id is None or not item.evidence.text:
        return ()
    posts = store.posts.of_user(case.subject_id, limit=_HISTORY_MOST).items
    comments = store.comments.of_user(case.subject_id, limit=_HISTORY_MOST).items
    said = [(one.id, one.text, one.created) for one in posts]
    said += [(one.id, one.text, one.created) for one in comments]
    others = [text for one, text, _ in said if text and one != item.entity.id]
    lately = sum(now - created < _DAY for _, _, created in said)
    return hints(item.evidence.text, others, lately)


def assign(store: Store, who: User | None, case: Case, now: datetime, *, mine: bool) -> None:
    """Take a case, as it was read, or give it back; raises VersionConflict, WrongState."""
    user = policy.require(who, Action.MODERATE)
    if case.status is not CaseStatus.OPEN:
        raise WrongState(f"case {case.id} is decided")
    if mine:
        _require_impartial(store, user, case.subject_id, case.association_id)
    wanted = replace(case, assigned_to=user.id if mine else None)
    if wanted.assigned_to == case.assigned_to:
        return
    act = _act(f"{case.id}:{case.version}", now, user, "assign" if mine else "unassign", case)
    store.cases.moderate(case, wanted, [store.audit.write_of(act)])


def _act(act_id: str, now: datetime, user: User, what: str, about: Case | Appeal | Decision) -> Act:
    return Act(act_id, now, user.id, what, about.target)


def _is_own(store: Store, user: User, subject_id: str | None, association_id: str | None) -> bool:
    if user.id == subject_id:
        return True
    association = store.associations.find(association_id) if association_id else None
    return association is not None and user.id in {association.owner_id, *association.editors}


def _require_impartial(
    store: Store, user: User, subject_id: str | None, association_id: str | None
) -> None:
    if _is_own(store, user, subject_id, association_id):
        raise NotAllowed(f"{user.id} does not judge what is their own")


# --- deciding -----------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Verdict:
    """What a moderator decided on a case as they saw it; ``id`` is that of the form."""

    id: str
    case_id: str
    version: int
    measure: Measure
    facts: str
    ground: Ground | None = None
    rule: str = ""
    explanation: str = ""
    redress: str = ""
    days: int | None = None


def decide(store: Store, who: User | None, verdict: Verdict, now: datetime) -> Decision:
    """Decide on a case, do what was decided, and tell everybody concerned.

    Raises NotSignedIn, NotAllowed for what is one's own, NotFound when the item is gone,
    InvalidField, WrongState when it was decided already, VersionConflict.
    """
    user = policy.require(who, Action.MODERATE)
    case = store.cases.get(verdict.case_id)
    if (made := store.decisions.find(verdict.id)) is not None:
        if made.moderator_id != user.id or made.case_id != case.id:
            raise AlreadyExists(f"there is a decision {verdict.id} already")
        settle(store, case, now)  # the answer to the first sending was lost
        return made
    _require_impartial(store, user, case.subject_id, case.association_id)
    if case.status is not CaseStatus.OPEN:
        raise WrongState(f"case {case.id} was decided already")
    if case.version != verdict.version:
        raise VersionConflict(f"case {case.id} was changed meanwhile")
    decision = _decision(user, case, verdict, now)
    item = find(store, case.target)
    if item is None and decision.restricts:
        raise NotFound(f"there is no {case.target}")
    act = replace(_act(decision.id, now, user, "decide", case), about=str(decision.measure))
    along = [
        store.decisions.adding(decision),
        *store.cases.writes_deciding(case, decision.id),
        store.audit.write_of(act),
        _counted(store, decision.measure, now.date()),
        *(_reasons(store, decision, item) if decision.restricts and item else ()),
    ]
    if item is None or not decision.restricts:
        store.decisions.record(along)
    else:
        _restrict(store, user, item, decision, along)
    log.info("%s decided %s on %s", user.id, decision.measure, case.target)
    settle(store, store.cases.get(case.id), now)
    return decision


def _decision(user: User, case: Case, verdict: Verdict, now: datetime) -> Decision:
    if verdict.measure not in ladder(case.kind):
        raise InvalidField("measure", f"is nothing that is done to a {case.kind}")
    lasts = verdict.measure is Measure.SUSPENSION
    if lasts and not verdict.days:
        raise InvalidField("until", "a suspension has an end")
    restricts = verdict.measure is not Measure.NONE
    decision = Decision(
        id=verdict.id,
        target=case.target,
        moderator_id=user.id,
        measure=verdict.measure,
        created=now,
        facts=verdict.facts.strip(),
        ground=verdict.ground if restricts else None,
        rule=verdict.rule.strip() if restricts else "",
        explanation=verdict.explanation.strip() if restricts else "",
        redress=verdict.redress if restricts else "",
        until=now + timedelta(days=verdict.days) if lasts and verdict.days else None,
        subject_id=case.subject_id,
        case_id=case.id,
    )
    decision.check()
    return decision


def _reasons(store: Store, decision: Decision, item: Item) -> list[dict[str, Any]]:
    """The statement of reasons: a notification and an e-mail to whose item it is."""
    user_id = decision.subject_id
    if user_id is None or store.users.find(user_id) is None:
        return []
    told = replace(
        _telling(user_id, Topic.DECISION, decision, f"decision:{decision.id}"),
        text=(item.evidence.title or item.evidence.text)[:_EXCERPT],
    )
    letter = Letter(
        f"decision:{decision.id}", "decision", decision.created,
        user_id=user_id, about=decision.id, party=user_id,
    )  # fmt: skip
    writes = [store.notifications.write_of(told), store.letters.write_of(letter)]
    if item.kind is not TargetKind.USER:  # that account is written to by the decision itself
        writes.append(living("User", user_id).write)
    return writes


def _restrict(
    store: Store, user: User, item: Item, decision: Decision, along: list[dict[str, Any]]
) -> None:
    entity, repository = item.entity, _repository(store, item.kind)
    if item.kind is TargetKind.USER:
        if entity.role is Role.ADMIN and user.role is not Role.ADMIN:
            raise NotAllowed("an admin is suspended by another admin")
        changed = replace(
            entity,
            status=Status.SUSPENDED,
            suspended_until=decision.until,
            session_version=entity.session_version + 1,
        )
        if decision.until is not None:
            lifting = Removal("Suspension", entity.id, decision.until)
            along.append(store.removals.adding(lifting))
        repository.moderate(entity, changed, along)
        return
    hidden = decision.measure in {Measure.HIDING, Measure.REMOVAL}
    if decision.measure is Measure.REMOVAL and not getattr(entity, "removed", None):
        going = Removal(_TABLES[item.kind], entity.id, decision.created + APPEAL_WITHIN)
        along.append(store.removals.adding(going))
    if item.kind is TargetKind.MEDIA:
        repository.moderate(entity, replace(entity, hidden=True), along)
        return
    state = Moderated.HIDDEN if hidden else Moderated.LABELLED
    along += hiding(store.dynamo, item.evidence.media, hidden=hidden)
    repository.moderate(entity, replace(entity, moderation=state), along)


def settle(store: Store, case: Case, now: datetime) -> None:
    """Close the reports of a decided case and tell who reported; restartable.

    The case is done with a minute after the decision: reports of its last moment are in
    the index by then.
    """
    if case.status is not CaseStatus.TELLING or case.decision_id is None:
        return
    decision = store.decisions.get(case.decision_id)
    cursor: str | None = None
    while True:
        page = store.reports.of_target(case.target, limit=QUEUE_MOST, cursor=cursor)
        for one in page.items:
            if one.case_id == case.id and one.status in PENDING:
                _close(store, one.id, decision)
        if page.next is None:
            break
        cursor = page.next
    if now - decision.created > _TELLING:
        with contextlib.suppress(VersionConflict):  # another worker did
            store.cases.replace(case, replace(case, status=CaseStatus.DECIDED))


def _close(store: Store, report_id: str, decision: Decision) -> None:
    found = store.reports.find(report_id)
    if found is None or found.status not in PENDING:
        return
    letter: Letter | None = None
    told: list[dict[str, Any]] = []
    if found.reporter_id is not None and store.users.find(found.reporter_id) is not None:
        notice = Notification(
            f"report:{found.id}", found.reporter_id, Topic.REPORT_DECIDED, decision.created,
            f"decision:{decision.id}",
        )  # fmt: skip
        told = [store.notifications.write_of(notice), living("User", found.reporter_id).write]
        letter = Letter(
            f"report:{found.id}", "report_decided", decision.created,
            user_id=found.reporter_id, about=decision.id, party=found.reporter_id,
        )  # fmt: skip
    elif found.reporter_email is not None:
        letter = Letter(
            f"report:{found.id}", "report_decided", decision.created,
            address=found.reporter_email, about=decision.id, party=found.id,
        )  # fmt: skip
    if letter is not None:
        told.append(store.letters.write_of(letter))
    with contextlib.suppress(VersionConflict):  # another one closed it
        store.reports.close(found, decision.id, told)


def settle_due(store: Store, now: datetime) -> int:
    """Go on with telling of decisions; answers with how many cases."""
    waiting = store.cases.queue(CaseStatus.TELLING, limit=QUEUE_MOST).items
    for case in waiting:
        settle(store, store.cases.get(case.id), now)
    return len(waiting)


def undo(
    store: Store, who: User | None, decision_id: str, reason: str, undo_id: str, now: datetime
) -> None:
    """Take a decision back, with a reason; again is no error.

    Raises NotSignedIn, NotAllowed, NotFound, InvalidField, WrongState when a later decision
    stands or the item is going, VersionConflict.
    """
    user = policy.require(who, Action.MODERATE)
    decision = store.decisions.get(decision_id)
    if store.decisions.find(undo_id) is not None:
        return
    item = find(store, decision.target)
    association_id = item.association_id if item else None
    _require_impartial(store, user, decision.subject_id, association_id)
    _restore(store, user, decision, reason, undo_id, now, ())


def _restore(
    store: Store, user: User, decision: Decision, reason: str, undo_id: str, now: datetime,
    further: Sequence[dict[str, Any]],
) -> None:  # fmt: skip
    newest = store.decisions.of_target(decision.target, limit=1).items
    if not decision.restricts or (newest and newest[0].id != decision.id):
        raise WrongState(f"decision {decision.id} stands no more")
    item = find(store, decision.target)
    if item is None:
        raise NotFound(f"there is no {decision.target}")
    restored = Decision(
        id=undo_id,
        target=decision.target,
        moderator_id=user.id,
        measure=Measure.RESTORATION,
        created=now,
        facts=reason.strip(),
        revises=decision.id,
        subject_id=decision.subject_id,
        case_id=decision.case_id,
    )
    along = [
        store.decisions.adding(restored),
        store.audit.write_of(_act(undo_id, now, user, "restore", restored)),
        _counted(store, restored.measure, now.date()),
        *_reasons(store, restored, item),
        *further,
    ]
    entity, repository = item.entity, _repository(store, item.kind)
    if item.kind is TargetKind.USER:
        if entity.status is not Status.SUSPENDED:
            raise WrongState(f"{entity.id} is not suspended")
        if decision.until is not None:
            along.append(store.removals.taking_back("Suspension", entity.id))
        changed = replace(entity, status=Status.ACTIVE, suspended_until=None)
    else:
        if decision.measure is Measure.REMOVAL and not getattr(entity, "removed", None):
            along.append(store.removals.taking_back(_TABLES[item.kind], entity.id))
        if item.kind is TargetKind.MEDIA:
            changed = replace(entity, hidden=False)
        else:
            along += hiding(store.dynamo, item.evidence.media, hidden=False)
            changed = replace(entity, moderation=None)
    repository.moderate(entity, changed, along)


# --- appeals ------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Statement:
    """A decision for one of those it concerns; ``appeal`` is theirs, if there is one."""

    decision: Decision
    party: str
    against_inaction: bool
    appeal: Appeal | None
    revised: bool

    def can_be_appealed(self, now: datetime) -> bool:
        """Whether there is still time to appeal, and reason to."""
        decision = self.decision
        stands = decision.measure is not Measure.RESTORATION and not self.revised
        in_time = now < decision.created + APPEAL_WITHIN
        return (
            stands
            and in_time
            and self.appeal is None
            and (self.against_inaction or decision.restricts)
        )


def statement(store: Store, who: User | None, decision_id: str, party: str | None) -> Statement:
    """A decision with its reasons, for whose item it is, or who reported it.

    ``party`` is who comes with a key that was checked: a person or a report. Raises
    NotFound for everybody else.
    """
    decision = store.decisions.find(decision_id)
    wanted = party or (who.id if who else None)
    if decision is None or wanted is None:
        raise NotFound(f"there is no decision {decision_id} for you")
    author = decision.subject_id == wanted
    if not author and not _reported(store, decision, wanted):
        raise NotFound(f"there is no decision {decision_id} for you")
    newest = store.decisions.of_target(decision.target, limit=1).items
    return Statement(
        decision,
        wanted,
        not author and decision.measure is Measure.NONE,
        store.appeals.find(appeal_id(decision.id, wanted)),
        revised=bool(newest) and newest[0].revises == decision.id,
    )


def _reported(store: Store, decision: Decision, party: str) -> bool:
    found = store.reports.find(party)
    if found is not None:
        return found.decision_id == decision.id
    page = store.reports.of_target(decision.target, limit=100).items
    return any(one.reporter_id == party and one.decision_id == decision.id for one in page)


def appeal(store: Store, shown: Statement, text: str, now: datetime) -> Appeal:
    """Not accept a decision; sent again it counts once.

    Raises InvalidField, WrongState when it is too late, TooManyAttempts.
    """
    if shown.appeal is not None:
        return shown.appeal
    if not shown.can_be_appealed(now):
        raise WrongState(f"decision {shown.decision.id} cannot be appealed against")
    decision = shown.decision
    wanted = Appeal(
        id=appeal_id(decision.id, shown.party),
        decision_id=decision.id,
        target=decision.target,
        moderator_id=decision.moderator_id,
        created=now,
        text=text.strip(),
        party=shown.party,
        user_id=shown.party if store.users.find(shown.party) else None,
        against_inaction=shown.against_inaction,
    )
    wanted.check()
    if not store.throttles.take(APPEALS, shown.party, wanted.id, now):
        raise TooManyAttempts(f"{APPEALS.most} appeals a day")
    try:
        return store.appeals.open_telling(wanted, [_counted(store, "appeals", now.date())])
    except AlreadyExists:
        return store.appeals.get(wanted.id)


def appeals(store: Store, who: User | None) -> list[Appeal]:
    """The appeals that wait: all for managers, for others those they were named for."""
    if who is None:
        return []
    found = store.appeals.queue(AppealStatus.OPEN, limit=QUEUE_MOST).items
    if policy.may(who, Action.MODERATE):
        return list(found)
    return [one for one in found if one.named == who.id]


def may_decide_appeal(store: Store, who: User, wanted: Appeal) -> bool:
    """Whether somebody else than who decided, and whose it is, would decide."""
    if who.id in {wanted.moderator_id, wanted.party}:
        return False
    if not policy.may(who, Action.MODERATE) and wanted.named != who.id:
        return False
    item = find(store, wanted.target)
    return who.status is Status.ACTIVE and not (
        item is not None and _is_own(store, who, item.subject_id, item.association_id)
    )


def decide_appeal(
    store: Store, who: User | None, wanted: Appeal, now: datetime, *,
    overturned: bool, reason: str,
) -> None:  # fmt: skip
    """Decide on an appeal as it was read; what is overturned is undone at once.

    Of an appeal against inaction the case is opened anew. Raises NotAllowed for who decided
    first and whose it is, InvalidField without a reason, VersionConflict, WrongState.
    """
    if who is None or not may_decide_appeal(store, who, wanted):
        raise NotAllowed("somebody else decides on this appeal")
    current = store.appeals.get(wanted.id)
    if current.status is not AppealStatus.OPEN:
        raise WrongState(f"appeal {wanted.id} was decided already")
    decided = replace(
        wanted,
        status=AppealStatus.OVERTURNED if overturned else AppealStatus.UPHELD,
        decided_by=who.id,
        decided_at=now,
        reason=reason.strip(),
    )
    decided.check()
    what = "overturn" if overturned else "uphold"
    along = [
        store.audit.write_of(_act(f"appeal:{wanted.id}", now, who, what, wanted)),
        *_answered(store, decided, now),
    ]
    if overturned:
        along.append(_counted(store, "overturned", now.date()))
    decision = store.decisions.get(wanted.decision_id)
    if overturned and not wanted.against_inaction:
        along.append(store.appeals.deciding(wanted, decided))
        _restore(store, who, decision, decided.reason, f"r:{wanted.id}", now, along)
        return
    if overturned:
        _reopen(store, who, wanted, decision, now)
    store.appeals.settle(wanted, decided, along)


def _reopen(store: Store, who: User, wanted: Appeal, decision: Decision, now: datetime) -> None:
    before = store.cases.get(decision.case_id or "")
    case = replace(
        before,
        id=f"a:{wanted.id}",
        opened=now,
        due=due_of(before.reason, now),
        status=CaseStatus.OPEN,
        assigned_to=who.id,
        decision_id=None,
        reports=0,
        version=0,
    )
    with contextlib.suppress(AlreadyExists):  # it was reported again, or this was sent twice
        store.cases.create(case)


def _answered(store: Store, decided: Appeal, now: datetime) -> list[dict[str, Any]]:
    """What to tell who appealed."""
    letter = Letter(
        f"appeal:{decided.id}", "appeal_decided", now, about=decided.decision_id,
        party=decided.party,
    )  # fmt: skip
    if decided.user_id is None:
        found = store.reports.find(decided.party)
        if found is None or found.reporter_email is None:
            return []
        return [store.letters.write_of(replace(letter, address=found.reporter_email))]
    if store.users.find(decided.user_id) is None:
        return []
    notice = Notification(
        f"appeal:{decided.id}", decided.user_id, Topic.APPEAL_DECIDED, now,
        f"decision:{decided.decision_id}", text=decided.reason[:_EXCERPT],
    )  # fmt: skip
    to = replace(letter, user_id=decided.user_id)
    return [store.notifications.write_of(notice), store.letters.write_of(to)]


def name(store: Store, who: User | None, wanted: Appeal, email: str, now: datetime) -> None:
    """Ask a person to decide on an appeal where nobody else is there; for admins.

    Raises NotSignedIn, NotAllowed, InvalidField where that person cannot decide on it,
    VersionConflict.
    """
    user = policy.require(who, Action.GRANT_ROLE)
    person = store.users.find_by_email(email)
    if person is None or person.status is not Status.ACTIVE:
        raise InvalidField("email", "is nobody's who could decide")
    named = replace(wanted, named=person.id)
    if not may_decide_appeal(store, person, named):
        raise InvalidField("email", "is of somebody concerned")
    act = _act(f"name:{wanted.id}:{wanted.version}", now, user, "name", wanted)
    notice = Notification(
        f"name:{wanted.id}:{wanted.version}", person.id, Topic.APPEAL_TO_DECIDE, now,
        f"appeal:{wanted.id}",
    )  # fmt: skip
    along = [store.audit.write_of(act), store.notifications.write_of(notice)]
    store.appeals.moderate(wanted, named, along)


# --- what everybody may know --------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Line:
    """A line of the public log: no names, no words of anybody."""

    created: datetime
    kind: TargetKind
    measure: Measure
    ground: Ground | None
    rule: str
    until: datetime | None
    by_machine: bool


def public_log(store: Store, month: str, cursor: str | None = None) -> Page[Line]:
    """What was decided in a month (``2026-11``), the newest first."""
    page = store.decisions.of_month(month, limit=QUEUE_MOST, cursor=cursor)
    return Page(tuple(map(_line, page.items)), page.next, page.previous)


def _line(decision: Decision) -> Line:
    return Line(
        decision.created,
        decision.kind,
        decision.measure,
        decision.ground,
        decision.rule,
        decision.until,
        decision.decided_by_machine,
    )


def figures(store: Store, first: date, last: date) -> dict[str, int]:
    """How many reports, decisions by measure, appeals and overturned ones, both days included."""
    return {
        what: sum(
            store.rollups.between(series_of(f"moderation_{what}", "city"), first, last).values()
        )
        for what in COUNTED
    }


def audit(store: Store, who: User | None, month: str, cursor: str | None = None) -> Page[Act]:
    """The audit trail of a month, for managers. Raises NotSignedIn and NotAllowed."""
    policy.require(who, Action.MODERATE)
    return store.audit.of_month(month, limit=QUEUE_MOST, cursor=cursor)


# --- what ends by itself ------------------------------------------------------------------


def lift(store: Store, user_id: str, now: datetime) -> None:
    """End a suspension whose time has come; again is no error."""
    for _ in range(_TRIES):
        user = store.users.find(user_id)
        if user is None or user.status is not Status.SUSPENDED:
            return
        if user.suspended_until is None or user.suspended_until > now:
            return  # a later decision lasts longer
        with contextlib.suppress(VersionConflict):
            store.users.replace(user, replace(user, status=Status.ACTIVE, suspended_until=None))
            return


def erase_comment(store: Store, comment_id: str, now: datetime) -> None:
    """Delete a comment whose time to appeal is over; what is gone is no error."""
    found = store.comments.find(comment_id)
    if found is not None and not found.deleted:
        store.comments.delete(found)


def erase_file(store: Store, media_id: str, now: datetime) -> None:
    """Have a file deleted whose time to appeal is over; what is gone is no error."""
    repository = MediaRepository(store.dynamo)
    found = repository.find(media_id)
    if found is not None and found.state is MediaState.READY:
        repository.replace(found, replace(found, state=MediaState.DELETED, deleted=now))


ENDS: dict[str, Callable[[Store, str, datetime], None]] = {
    "Suspension": lift,
    "Comment": erase_comment,
    "Media": erase_file,
}
"""What is done when the time of a row of Removal has come that names no table to delete from."""
