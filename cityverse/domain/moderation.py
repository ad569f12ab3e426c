"""Reports of content, and the decisions of moderators with their reasons."""

from __future__ import annotations

import difflib
import hashlib
import hmac
import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum

from cityverse.domain.people import (
    NAME_LONGEST,
    check_choice,
    check_optional_id,
    check_whole,
    normalised_email,
)
from cityverse.domain.rules import check_id, check_text, check_time
from cityverse.errors import InvalidField


class TargetKind(StrEnum):
    """What can be reported and decided on."""

    POST = "post"
    COMMENT = "comment"
    MISSION = "mission"
    EVENT = "event"
    CAMPAIGN = "campaign"
    PRODUCT = "product"
    ASSOCIATION = "association"
    MEDIA = "media"
    USER = "user"


TARGET_KINDS = frozenset(TargetKind)
# From its decision on, somebody may appeal for so long (article 20 of the DSA).
APPEAL_WITHIN = timedelta(days=183)
SUSPENDED_MOST = timedelta(days=365)


class Moderated(StrEnum):
    """What a decision did to an item that is still there."""

    LABELLED = "labelled"
    HIDDEN = "hidden"


class Reason(StrEnum):
    """Why somebody reports an item."""

    ILLEGAL = "illegal"
    HATE = "hate"
    HARASSMENT = "harassment"
    VIOLENCE = "violence"
    SEXUAL = "sexual"
    FALSE = "false"
    FRAUD = "fraud"
    SPAM = "spam"
    PERSONAL_DATA = "personal_data"
    COPYRIGHT = "copyright"
    OTHER = "other"


# What cannot wait: within a day, all else within three.
_URGENT = frozenset({Reason.ILLEGAL, Reason.HATE, Reason.VIOLENCE, Reason.SEXUAL})


def due_of(reason: Reason, opened: datetime) -> datetime:
    """By when somebody should have decided."""
    return opened + timedelta(days=1 if reason in _URGENT else 3)


@dataclass(frozen=True, slots=True)
class Evidence:
    """An item as it was when it was reported, whatever becomes of it."""

    title: str = ""
    text: str = ""
    media: tuple[str, ...] = ()
    version: int = 0

    def check(self) -> None:
        """Raise InvalidField when a field breaks its rule."""
        check_text("evidence.title", self.title, longest=200, required=False)
        check_text("evidence.text", self.text, longest=5000, required=False)
        check_whole("evidence.version", self.version)
        for one in self.media:
            check_id("evidence.media", one)


class ReportStatus(StrEnum):
    """How far a report has come."""

    OPEN = "open"
    IN_REVIEW = "in_review"
    DECIDED = "decided"
    WITHDRAWN = "withdrawn"


# A report may go to and fro between these, and from them to the end.
PENDING = frozenset({ReportStatus.OPEN, ReportStatus.IN_REVIEW})


@dataclass(frozen=True, slots=True)
class Report:
    """That somebody finds an item wrong. ``target`` is its kind, a colon and its id.

    Who is not signed in may leave name and e-mail, to be told what was decided.
    """

    id: str
    target: str
    reason: Reason
    created: datetime
    reporter_id: str | None = None
    text: str = ""
    status: ReportStatus = ReportStatus.OPEN
    assigned_to: str | None = None
    decision_id: str | None = None
    case_id: str | None = None
    evidence: Evidence | None = None
    reporter_name: str = ""
    reporter_email: str | None = None
    demo: bool = False
    version: int = 0

    def check(self) -> None:
        """Raise InvalidField when a field breaks its rule."""
        check_id("id", self.id)
        check_target(self.target)
        check_text("reporter_name", self.reporter_name, longest=NAME_LONGEST, required=False)
        if self.reporter_email is not None:
            normalised_email(self.reporter_email)
        if self.evidence is not None:
            self.evidence.check()
        check_choice("reason", self.reason, Reason)
        check_choice("status", self.status, ReportStatus)
        check_time("created", self.created)
        check_text("text", self.text, longest=2000, required=self.reason is Reason.OTHER)
        for name in ("reporter_id", "assigned_to", "decision_id", "case_id"):
            check_optional_id(name, getattr(self, name))
        if (self.status is ReportStatus.DECIDED) != (self.decision_id is not None):
            raise InvalidField("decision_id", "a report has a decision when it is decided")


def check_pending(report: Report) -> None:
    """Raise InvalidField when a report has come to its end, after which it does not change."""
    if report.status not in PENDING:
        raise InvalidField("status", f"the report is {report.status}, which is final")


class CaseStatus(StrEnum):
    """How far a case has come; ``TELLING``: decided, and those who reported are being told."""

    OPEN = "open"
    TELLING = "telling"
    DECIDED = "decided"


@dataclass(frozen=True, slots=True)
class Case:
    """All reports of one item that wait for one decision; an item has one open case at most.

    ``subject_id`` is the person whose item it is, if any; ``title`` is that of the first
    report. ``reports`` counts them; it says nothing about who is right.
    """

    id: str
    target: str
    reason: Reason
    opened: datetime
    due: datetime
    title: str = ""
    subject_id: str | None = None
    association_id: str | None = None
    status: CaseStatus = CaseStatus.OPEN
    assigned_to: str | None = None
    decision_id: str | None = None
    reports: int = field(default=0, metadata={"counter": True})
    demo: bool = False
    version: int = 0

    @property
    def kind(self) -> TargetKind:
        """What is reported."""
        return TargetKind(self.target.partition(":")[0])

    def check(self) -> None:
        """Raise InvalidField when a field breaks its rule."""
        check_id("id", self.id)
        check_target(self.target)
        check_choice("reason", self.reason, Reason)
        check_choice("status", self.status, CaseStatus)
        check_time("opened", self.opened)
        check_time("due", self.due)
        check_text("title", self.title, longest=200, required=False)
        check_whole("reports", self.reports)
        for name in ("subject_id", "association_id", "assigned_to", "decision_id"):
            check_optional_id(name, getattr(self, name))
        if (self.status is CaseStatus.OPEN) != (self.decision_id is None):
            raise InvalidField("decision_id", "a case has a decision when it is decided")


class Measure(StrEnum):
    """What is done to an item or an account, from the mildest on; the last one undoes."""

    NONE = "none"
    LABEL = "label"
    HIDING = "hiding"
    REMOVAL = "removal"
    SUSPENSION = "suspension"
    BAN = "ban"
    RESTORATION = "restoration"


_ON_PEOPLE = (Measure.NONE, Measure.SUSPENSION, Measure.BAN)
_ON_FILES = (Measure.NONE, Measure.HIDING, Measure.REMOVAL)
_ON_WORDS = (Measure.NONE, Measure.LABEL, Measure.HIDING, Measure.REMOVAL)


def ladder(kind: TargetKind) -> tuple[Measure, ...]:
    """What can be done to items of a kind."""
    if kind is TargetKind.USER:
        return _ON_PEOPLE
    return _ON_FILES if kind is TargetKind.MEDIA else _ON_WORDS


class Ground(StrEnum):
    """Upon what a measure rests."""

    LAW = "law"
    TERMS = "terms"


@dataclass(frozen=True, slots=True)
class Decision:
    """What a moderator decided on an item, with the statement of reasons its author is given.

    Decisions are never changed: a later one names the one it ``revises``. The statement
    holds what Article 17 of Regulation (EU) 2022/2065 asks for: the measure and until
    when it lasts, the facts, whether automated means found the item or decided, the
    ground with the rule and why it is broken, and how to complain.
    """

    id: str
    target: str
    moderator_id: str
    measure: Measure
    created: datetime
    facts: str
    ground: Ground | None = None
    rule: str = ""
    explanation: str = ""
    redress: str = ""
    until: datetime | None = None
    found_by_machine: bool = False
    decided_by_machine: bool = False
    revises: str | None = None
    subject_id: str | None = None
    case_id: str | None = None

    @property
    def kind(self) -> TargetKind:
        """What it is about."""
        return TargetKind(self.target.partition(":")[0])

    @property
    def restricts(self) -> bool:
        """Whether it takes something away from somebody."""
        return self.measure not in {Measure.NONE, Measure.RESTORATION}

    def check(self) -> None:
        """Raise InvalidField when a field breaks its rule."""
        check_id("id", self.id)
        check_target(self.target)
        check_id("moderator_id", self.moderator_id)
        check_choice("measure", self.measure, Measure)
        if self.ground is not None:
            check_choice("ground", self.ground, Ground)
        for name in ("revises", "subject_id", "case_id"):
            check_optional_id(name, getattr(self, name))
        check_time("created", self.created)
        check_time("until", self.until)
        check_text("facts", self.facts, longest=4000)
        # Only what takes something away from somebody needs to be justified.
        restricts = self.restricts
        if restricts and self.ground is None:
            raise InvalidField("ground", "a measure rests upon the law or the terms")
        check_text("rule", self.rule, longest=300, required=restricts)
        check_text("explanation", self.explanation, longest=4000, required=restricts)
        check_text("redress", self.redress, longest=2000, required=restricts)
        if self.until is not None and self.until <= self.created:
            raise InvalidField("until", "must lie after the decision")
        if (self.until is not None) != (self.measure is Measure.SUSPENSION):
            raise InvalidField("until", "is for a suspension, which has an end")
        if self.until is not None and self.until > self.created + SUSPENDED_MOST:
            raise InvalidField("until", "a suspension lasts a year at most")


class AppealStatus(StrEnum):
    """How far an appeal has come."""

    OPEN = "open"
    UPHELD = "upheld"
    OVERTURNED = "overturned"


@dataclass(frozen=True, slots=True)
class Appeal:
    """That somebody does not accept a decision; decided by somebody else.

    ``user_id`` is whose item it was or who reported it, None where they have no account;
    ``named`` is whom an admin asked to decide, since nobody else is there.
    """

    id: str
    decision_id: str
    target: str
    moderator_id: str
    created: datetime
    text: str
    party: str
    user_id: str | None = None
    against_inaction: bool = False
    status: AppealStatus = AppealStatus.OPEN
    named: str | None = None
    decided_by: str | None = None
    decided_at: datetime | None = None
    reason: str = ""
    demo: bool = False
    version: int = 0

    def check(self) -> None:
        """Raise InvalidField when a field breaks its rule."""
        for name in ("id", "decision_id", "moderator_id", "party"):
            check_id(name, getattr(self, name))
        check_target(self.target)
        check_choice("status", self.status, AppealStatus)
        check_time("created", self.created)
        check_time("decided_at", self.decided_at)
        check_text("text", self.text, longest=4000)
        decided = self.status is not AppealStatus.OPEN
        check_text("reason", self.reason, longest=4000, required=decided)
        for name in ("user_id", "named", "decided_by"):
            check_optional_id(name, getattr(self, name))
        if self.decided_by == self.moderator_id:
            raise InvalidField("decided_by", "nobody judges their own decision")
        if decided != (self.decided_at is not None):
            raise InvalidField("decided_at", "an appeal that is decided has a time")


def appeal_id(decision_id: str, party: str) -> str:
    """The one appeal of somebody against a decision; who it is cannot be read from it."""
    return hashlib.sha256(f"{decision_id} {party}".encode()).hexdigest()[:40]


def key_of(secret: bytes, decision_id: str, party: str) -> str:
    """The key by which who cannot sign in opens a statement of reasons and appeals."""
    said = f"decision {decision_id} {party}".encode()
    return hmac.new(secret, said, hashlib.sha256).hexdigest()[:40]


@dataclass(frozen=True, slots=True)
class Act:
    """A line of the audit trail: who did what to what, and when."""

    id: str
    created: datetime
    actor_id: str
    what: str
    target: str
    about: str = ""

    def check(self) -> None:
        """Raise InvalidField when a field breaks its rule."""
        check_id("id", self.id)
        check_time("created", self.created)
        for name in ("actor_id", "what", "target"):
            check_id(name, getattr(self, name))
        check_text("about", self.about, longest=300, required=False)


class Hint(StrEnum):
    """What makes an item look like spam or a copy: a suggestion to whoever decides."""

    LINKS = "links"
    SAME = "same"
    OFTEN = "often"
    CAPITALS = "capitals"


_LINK = re.compile(r"https?://|www\.", re.IGNORECASE)
_LINKS_FROM, _OFTEN_FROM, _ALIKE_FROM = 3, 10, 0.85


def hints(text: str, others: Sequence[str], in_the_last_day: int) -> tuple[Hint, ...]:
    """What is remarkable about a text beside ``others`` of the same author."""
    found = []
    if len(_LINK.findall(text)) >= _LINKS_FROM:
        found.append(Hint.LINKS)
    if any(_alike(text, other) for other in others):
        found.append(Hint.SAME)
    if in_the_last_day >= _OFTEN_FROM:
        found.append(Hint.OFTEN)
    letters = [c for c in text if c.isalpha()]
    if len(letters) >= 20 and sum(c.isupper() for c in letters) > 0.6 * len(letters):
        found.append(Hint.CAPITALS)
    return tuple(found)


def _alike(one: str, other: str) -> bool:
    """Whether two texts are nearly the same; two short ones never are."""
    if min(len(one), len(other)) < 20:
        return False
    match = difflib.SequenceMatcher(None, one[:1000].casefold(), other[:1000].casefold())
    return match.quick_ratio() >= _ALIKE_FROM and match.ratio() >= _ALIKE_FROM


def check_target(target: str) -> None:
    """The kind of an item, a colon and its id."""
    kind, _, item_id = target.partition(":") if isinstance(target, str) else ("", "", "")
    if kind not in TARGET_KINDS:
        raise InvalidField("target", "must be a kind, a colon and an id")
    check_id("target", item_id)
