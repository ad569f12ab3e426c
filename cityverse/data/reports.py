"""Content that somebody reported, and what was decided.

Tables Report, Case, Decision, Appeal and Audit.
"""

from __future__ import annotations

import contextlib
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any

from cityverse.data import codec
from cityverse.data.client import (
    ConditionFailed,
    Dynamo,
    Item,
    delete_write,
    put_write,
    update_write,
)
from cityverse.data.cursors import Cursors
from cityverse.data.lists import Page, PartitionList
from cityverse.data.registry import SUBJECT_INDEX
from cityverse.data.repository import LeafRepository, claim_id
from cityverse.data.ties import Tie, living_person
from cityverse.data.timeline import order_of
from cityverse.domain.moderation import (
    PENDING,
    Act,
    Appeal,
    AppealStatus,
    Case,
    CaseStatus,
    Decision,
    Report,
    ReportStatus,
    check_pending,
    check_target,
)
from cityverse.domain.people import ANONYMOUS
from cityverse.errors import AlreadyExists, InvalidField, NotFound, VersionConflict

_STATUS_INDEX = "status-index"
_TARGET_INDEX = "target-index"
# Each report takes two writes of a transaction, which holds a hundred.
DECIDED_AT_ONCE_MOST = 40


class ReportRepository(LeafRepository[Report]):
    """Reports; a person has no more than one pending on an item (``Taken``)."""

    table = "Report"
    entity = Report

    def __init__(self, dynamo: Dynamo, cursors: Cursors) -> None:
        super().__init__(dynamo)
        self._queue = PartitionList(
            dynamo, cursors, self.table, _decode, _STATUS_INDEX, newest_first=False
        )
        self._on_target = PartitionList(dynamo, cursors, self.table, _decode, _TARGET_INDEX)

    def keys_of(self, entity: Report) -> Item:
        """Its place in time."""
        return {"order": order_of(entity.created, entity.id)}

    def person_of(self, entity: Report) -> str | None:
        """Who reports."""
        return entity.reporter_id

    def claims_of(self, entity: Report) -> Mapping[str, str]:
        """Who reported what, as long as the report is pending."""
        if entity.reporter_id is None or entity.status not in PENDING:
            return {}
        return {"reporter": f"{entity.reporter_id} {entity.target}"}

    def replace(self, old: Report, new: Report) -> Report:
        """As in every repository; InvalidField for a report at its end, or one to be decided."""
        check_pending(old)
        if new.status is ReportStatus.DECIDED:
            raise InvalidField("status", "a report is decided by a decision")
        return super().replace(old, new)

    def anonymise(self, report: Report) -> Report:
        """Take the name of who reported from a report as it was read; raises VersionConflict."""
        return super().replace(report, replace(report, reporter_id=None, reporter_name=""))

    def queue(self, status: ReportStatus, *, limit: int, cursor: str | None = None) -> Page[Report]:
        """The reports of a status, the oldest first."""
        return self._queue.page(str(status), limit=limit, cursor=cursor)

    def of_target(self, target: str, *, limit: int, cursor: str | None = None) -> Page[Report]:
        """The reports of an item, the newest first."""
        check_target(target)
        return self._on_target.page(target, limit=limit, cursor=cursor)

    def writes_deciding(self, report: Report, decision_id: str) -> list[dict[str, Any]]:
        """The writes that make a report decided, if it is as it was read."""
        check_pending(report)
        decided = replace(
            report,
            status=ReportStatus.DECIDED,
            decision_id=decision_id,
            version=report.version + 1,
        )
        decided.check()
        freed = [
            delete_write("Claim", {"id": claim_id(self.table, field, value)})
            for field, value in self.claims_of(report).items()
        ]
        return [self._update(report, decided), *freed]

    def file(self, report: Report, along: Sequence[dict[str, Any]]) -> Report:
        """``create`` in one transaction with what follows from receiving it."""
        noted = [Tie(write, "it was noted before") for write in along]
        ties = [*self.ties_of(report), *living_person(report.reporter_id), *noted]
        return self._create(report, ties)

    def close(self, report: Report, decision_id: str, along: Sequence[dict[str, Any]]) -> None:
        """Make a report decided, as it was read, and tell of it; raises VersionConflict."""
        try:
            self.dynamo.transact([*self.writes_deciding(report, decision_id), *along])
        except ConditionFailed as failure:
            raise VersionConflict(f"report {report.id} was changed meanwhile") from failure

    def ties_of(self, entity: Report) -> list[Tie]:
        """The case it belongs to, which must be open still, and counts it."""
        if entity.case_id is None:
            return []
        counted = update_write(
            "Case",
            {"id": entity.case_id},
            {},
            condition="#status = :open",
            names={"#status": "status"},
            values={":open": str(CaseStatus.OPEN)},
            added={"reports": 1},
        )
        return [Tie(counted, f"case {entity.case_id} is open no more")]


class CaseRepository(LeafRepository[Case]):
    """Cases; an item has one open case at most (``Taken``)."""

    table = "Case"
    entity = Case

    def __init__(self, dynamo: Dynamo, cursors: Cursors) -> None:
        super().__init__(dynamo)
        self._queue = PartitionList(
            dynamo, cursors, self.table, _decode_case, _STATUS_INDEX, newest_first=False
        )
        self._of_subject = PartitionList(
            dynamo, cursors, self.table, _decode_case, SUBJECT_INDEX.name
        )

    def keys_of(self, entity: Case) -> Item:
        """By when it should be decided."""
        return {"order": order_of(entity.due, entity.id)}

    def claims_of(self, entity: Case) -> Mapping[str, str]:
        """Its item, as long as it is open."""
        return {"target": entity.target} if entity.status is CaseStatus.OPEN else {}

    def open_of(self, target: str) -> Case | None:
        """The open case of an item, or None."""
        claim = self.dynamo.get("Claim", {"id": claim_id(self.table, "target", target)})
        return None if claim is None else self.find(claim["owner"])

    def queue(self, status: CaseStatus, *, limit: int, cursor: str | None = None) -> Page[Case]:
        """The cases of a status, the most urgent first."""
        return self._queue.page(str(status), limit=limit, cursor=cursor)

    def of_subject(self, user_id: str, *, limit: int, cursor: str | None = None) -> Page[Case]:
        """The cases about what a person did, by their terms, the latest first."""
        return self._of_subject.page(user_id, limit=limit, cursor=cursor)

    def writes_deciding(self, case: Case, decision_id: str) -> list[dict[str, Any]]:
        """The writes that make a case decided, if it is as it was read."""
        decided = replace(
            case, status=CaseStatus.TELLING, decision_id=decision_id, version=case.version + 1
        )
        decided.check()
        claim = claim_id(self.table, "target", case.target)
        freed = delete_write(
            "Claim",
            {"id": claim},
            ConditionExpression="attribute_not_exists(id) OR #owner = :owner",
            ExpressionAttributeNames={"#owner": "owner"},
            ExpressionAttributeValues={":owner": case.id},
        )
        return [self._update(case, decided), freed]

    def anonymise(self, case: Case) -> Case:
        """Take the person from a case as it was read; raises VersionConflict."""
        return self.replace(case, replace(case, subject_id=None))


class AppealRepository(LeafRepository[Appeal]):
    """Appeals; one of each party against a decision."""

    table = "Appeal"
    entity = Appeal

    def __init__(self, dynamo: Dynamo, cursors: Cursors) -> None:
        super().__init__(dynamo)
        self._queue = PartitionList(
            dynamo, cursors, self.table, _decode_appeal, _STATUS_INDEX, newest_first=False
        )

    def keys_of(self, entity: Appeal) -> Item:
        """Its place in time."""
        return {"order": order_of(entity.created, entity.id)}

    def queue(self, status: AppealStatus, *, limit: int, cursor: str | None = None) -> Page[Appeal]:
        """The appeals of a status, the oldest first."""
        return self._queue.page(str(status), limit=limit, cursor=cursor)

    def deciding(self, old: Appeal, decided: Appeal) -> dict[str, Any]:
        """The write that decides an appeal as it was read."""
        after = replace(decided, version=old.version + 1)
        after.check()
        return self._update(old, after)

    def open_telling(self, appeal: Appeal, along: Sequence[dict[str, Any]]) -> Appeal:
        """``create`` in one transaction with what is noted of it."""
        return self._create(appeal, [Tie(write, "it was noted before") for write in along])

    def settle(self, old: Appeal, decided: Appeal, along: Sequence[dict[str, Any]]) -> None:
        """Decide an appeal as it was read, with all that follows; raises VersionConflict."""
        try:
            self.dynamo.transact([self.deciding(old, decided), *along])
        except ConditionFailed as failure:
            raise VersionConflict(f"appeal {old.id} was decided meanwhile") from failure

    def anonymise(self, appeal: Appeal) -> Appeal:
        """Take the person from an appeal as it was read; raises VersionConflict."""
        return self.replace(appeal, replace(appeal, user_id=None, party=ANONYMOUS))


class AuditRepository:
    """The audit trail: lines are added in the transaction of what they tell, and stay."""

    def __init__(self, dynamo: Dynamo, cursors: Cursors) -> None:
        self._acts = PartitionList(dynamo, cursors, "Audit", _decode_act)

    def write_of(self, act: Act) -> dict[str, Any]:
        """The write that adds a line; it fails where there is one with this id and time."""
        act.check()
        place = {"month": month_of(act.created), "order": order_of(act.created, act.id)}
        return put_write(
            "Audit",
            codec.to_item(act) | place,
            ConditionExpression="attribute_not_exists(#month)",
            ExpressionAttributeNames={"#month": "month"},
        )

    def of_month(self, month: str, *, limit: int, cursor: str | None = None) -> Page[Act]:
        """What was done in a month (``2026-11``), the newest first."""
        return self._acts.page(month, limit=limit, cursor=cursor)


def month_of(moment: datetime) -> str:
    """The month of a time (UTC) as the log is kept by it."""
    return codec.time_text(moment)[:7]


class DecisionRepository:
    """Decisions; they are added, never changed or deleted, but for the name of a person."""

    table = "Decision"

    def __init__(self, dynamo: Dynamo, cursors: Cursors) -> None:
        self.dynamo = dynamo
        self._on_target = PartitionList(
            dynamo, cursors, self.table, _decode_decision, _TARGET_INDEX
        )
        self._of_subject = PartitionList(
            dynamo, cursors, self.table, _decode_decision, SUBJECT_INDEX.name
        )
        self._of_month = PartitionList(dynamo, cursors, self.table, _decode_decision, "month-index")
        self._reports = ReportRepository(dynamo, cursors)

    def adding(self, decision: Decision) -> dict[str, Any]:
        """The write that adds a decision; it fails where one has this id."""
        decision.check()
        return put_write(
            self.table,
            codec.to_item(decision) | _decision_keys(decision),
            ConditionExpression="attribute_not_exists(id)",
        )

    def record(self, writes: Sequence[dict[str, Any]]) -> None:
        """Write a decision that changes no item, with all that follows.

        Raises VersionConflict when what it rests on was changed meanwhile.
        """
        try:
            self.dynamo.transact(list(writes))
        except ConditionFailed as failure:
            raise VersionConflict("somebody else decided meanwhile") from failure

    def disown(self, decision_id: str, user_id: str) -> None:
        """Take the person whose item it was from a decision; again is no error."""
        unnamed = update_write(
            self.table,
            {"id": decision_id},
            {},
            ["subject_id"],
            condition="subject_id = :person",
            values={":person": user_id},
        )
        with contextlib.suppress(ConditionFailed):
            self.dynamo.transact([unnamed])

    def find(self, decision_id: str) -> Decision | None:
        """The decision with this id, or None."""
        item = self.dynamo.get(self.table, {"id": decision_id})
        return None if item is None else _decode_decision(item)

    def of_subject(self, user_id: str, *, limit: int, cursor: str | None = None) -> Page[Decision]:
        """What was decided on a person and their items, the newest first."""
        return self._of_subject.page(user_id, limit=limit, cursor=cursor)

    def of_month(self, month: str, *, limit: int, cursor: str | None = None) -> Page[Decision]:
        """What was decided in a month (``2026-11``), the newest first."""
        return self._of_month.page(month, limit=limit, cursor=cursor)

    def decide(self, decision: Decision, reports: Sequence[Report] = ()) -> Decision:
        """Add a decision and close up to 40 reports with it, all or nothing.

        Raises AlreadyExists when a decision has this id, VersionConflict when a report
        changed since it was read, InvalidField when one is of another item or done with.
        """
        decision.check()
        distinct = {report.id: report for report in reports}
        if len(distinct) > DECIDED_AT_ONCE_MOST:
            raise InvalidField("reports", f"at most {DECIDED_AT_ONCE_MOST} at once")
        if any(report.target != decision.target for report in reports):
            raise InvalidField("reports", "must be of the item that is decided on")
        writes = [self.adding(decision)]
        for report in distinct.values():
            writes += self._reports.writes_deciding(report, decision.id)
        try:
            self.dynamo.transact(writes)
        except ConditionFailed as failure:
            if 0 in failure.failed:
                raise AlreadyExists(f"there is a decision {decision.id} already") from failure
            raise VersionConflict("a report was changed meanwhile") from failure
        return decision

    def get(self, decision_id: str) -> Decision:
        """The decision with this id; raises NotFound."""
        item = self.dynamo.get(self.table, {"id": decision_id})
        if item is None:
            raise NotFound(f"there is no decision {decision_id}")
        return _decode_decision(item)

    def of_target(self, target: str, *, limit: int, cursor: str | None = None) -> Page[Decision]:
        """What was decided on an item, the newest first."""
        check_target(target)
        return self._on_target.page(target, limit=limit, cursor=cursor)


def _decision_keys(decision: Decision) -> Item:
    return {
        "order": order_of(decision.created, decision.id),
        "month": month_of(decision.created),
    }


def _decode_case(item: Item) -> Case:
    return codec.from_item(Case, item)


def _decode_appeal(item: Item) -> Appeal:
    return codec.from_item(Appeal, item)


def _decode_act(item: Item) -> Act:
    return codec.from_item(Act, item)


def _decode(item: Item) -> Report:
    return codec.from_item(Report, item)


def _decode_decision(item: Item) -> Decision:
    return codec.from_item(Decision, item)
