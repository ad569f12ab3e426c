"""Reports of content, and the decisions of moderators with their reasons."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from cityverse.domain.people import check_choice, check_optional_id
from cityverse.domain.rules import check_id, check_text, check_time
from cityverse.errors import InvalidField

TARGET_KINDS = frozenset(
    {"post", "comment", "mission", "event", "campaign", "product", "association", "user", "news"}
)


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
    """That somebody finds an item wrong. ``target`` is its kind, a colon and its id."""

    id: str
    target: str
    reason: Reason
    created: datetime
    reporter_id: str | None = None
    text: str = ""
    status: ReportStatus = ReportStatus.OPEN
    assigned_to: str | None = None
    decision_id: str | None = None
    demo: bool = False
    version: int = 0

    def check(self) -> None:
        """Raise InvalidField when a field breaks its rule."""
        check_id("id", self.id)
        check_target(self.target)
        check_choice("reason", self.reason, Reason)
        check_choice("status", self.status, ReportStatus)
        check_time("created", self.created)
        check_text("text", self.text, longest=2000, required=self.reason is Reason.OTHER)
        for name in ("reporter_id", "assigned_to", "decision_id"):
            check_optional_id(name, getattr(self, name))
        if (self.status is ReportStatus.DECIDED) != (self.decision_id is not None):
            raise InvalidField("decision_id", "a report has a decision when it is decided")


def check_pending(report: Report) -> None:
    """Raise InvalidField when a report has come to its end, after which it does not change."""
    if report.status not in PENDING:
        raise InvalidField("status", f"the report is {report.status}, which is final")


class Measure(StrEnum):
    """What is done to an item or an account."""

    NONE = "none"
    LABEL = "label"
    DEMOTION = "demotion"
    REMOVAL = "removal"
    RESTORATION = "restoration"
    SUSPENSION = "suspension"
    CLOSURE = "closure"


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

    def check(self) -> None:
        """Raise InvalidField when a field breaks its rule."""
        check_id("id", self.id)
        check_target(self.target)
        check_id("moderator_id", self.moderator_id)
        check_choice("measure", self.measure, Measure)
        if self.ground is not None:
            check_choice("ground", self.ground, Ground)
        check_optional_id("revises", self.revises)
        check_time("created", self.created)
        check_time("until", self.until)
        check_text("facts", self.facts, longest=4000)
        # Only what takes something away from somebody needs to be justified.
        restricts = self.measure not in {Measure.NONE, Measure.RESTORATION}
        if restricts and self.ground is None:
            raise InvalidField("ground", "a measure rests upon the law or the terms")
        check_text("rule", self.rule, longest=300, required=restricts)
        check_text("explanation", self.explanation, longest=4000, required=restricts)
        check_text("redress", self.redress, longest=2000, required=restricts)
        if self.until is not None and self.until <= self.created:
            raise InvalidField("until", "must lie after the decision")


def check_target(target: str) -> None:
    """The kind of an item, a colon and its id."""
    kind, _, item_id = target.partition(":") if isinstance(target, str) else ("", "", "")
    if kind not in TARGET_KINDS:
        raise InvalidField("target", "must be a kind, a colon and an id")
    check_id("target", item_id)
