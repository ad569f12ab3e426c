"""Content that somebody reported, and what was decided: tables Report and Decision."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from cityverse.data import codec
from cityverse.data.client import ConditionFailed, Dynamo, Item, delete_write, put_write
from cityverse.data.cursors import Cursors
from cityverse.data.lists import Page, PartitionList
from cityverse.data.repository import LeafRepository, claim_id
from cityverse.data.timeline import order_of
from cityverse.domain.moderation import (
    PENDING,
    Decision,
    Report,
    ReportStatus,
    check_pending,
    check_target,
)
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
        return super().replace(report, replace(report, reporter_id=None))

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


class DecisionRepository:
    """Decisions; they are added, never changed or deleted."""

    table = "Decision"

    def __init__(self, dynamo: Dynamo, cursors: Cursors) -> None:
        self.dynamo = dynamo
        self._on_target = PartitionList(
            dynamo, cursors, self.table, _decode_decision, _TARGET_INDEX
        )
        self._reports = ReportRepository(dynamo, cursors)

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
        item = codec.to_item(decision) | {"order": order_of(decision.created, decision.id)}
        writes = [put_write(self.table, item, ConditionExpression="attribute_not_exists(id)")]
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


def _decode(item: Item) -> Report:
    return codec.from_item(Report, item)


def _decode_decision(item: Item) -> Decision:
    return codec.from_item(Decision, item)
