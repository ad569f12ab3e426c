"""Feeds and the state of their polling: table NewsSource."""

from __future__ import annotations

import dataclasses
from datetime import UTC, datetime, timedelta

from cityverse.data import codec
from cityverse.data.client import ConditionFailed, Item, update_write
from cityverse.data.repository import LeafRepository
from cityverse.domain.news import Source, SourceStatus

# A source that was never asked is due before all others.
_NEVER = datetime(1970, 1, 1, tzinfo=UTC)
LEASE = timedelta(minutes=3)
_LISTED_MOST = 1000


class SourceRepository(LeafRepository[Source]):
    """Sources; a poll takes a lease, so that two workers never ask one source at a time."""

    table = "NewsSource"
    entity = Source

    def keys_of(self, entity: Source) -> Item:
        """The order in which sources fall due."""
        return {"next_check": codec.time_text(entity.next_check_at or _NEVER)}

    def listed(self, status: SourceStatus) -> list[Source]:
        """All sources of a status, those that fall due first at the front."""
        return self._by_status(status, None)

    def due(self, now: datetime) -> list[Source]:
        """The active sources that may be asked at ``now``, longest due first."""
        return self._by_status(SourceStatus.ACTIVE, now)

    def lease(self, source: Source, now: datetime) -> Source | None:
        """Take the source for one poll, for at most ``LEASE``; None when somebody else has it."""
        until = now + LEASE
        taken = update_write(
            self.table,
            {"id": source.id},
            {"lease_until": codec.time_text(until)},
            condition=(
                "#version = :version AND (attribute_not_exists(lease_until) OR lease_until <= :now)"
            ),
            names={"#version": "version"},
            values={":now": codec.time_text(now), ":version": source.version},
            added={"version": 1},
        )
        try:
            # As a transaction, so that a repetition after a lost answer is no second asker.
            self.dynamo.transact([taken])
        except ConditionFailed:
            return None
        return dataclasses.replace(source, lease_until=until, version=source.version + 1)

    def _by_status(self, status: SourceStatus, due_by: datetime | None) -> list[Source]:
        condition = "#status = :status"
        values = {":status": str(status)}
        if due_by is not None:
            condition += " AND next_check <= :now"
            values[":now"] = codec.time_text(due_by)
        rows = self.dynamo.query(
            self.table,
            index="status-index",
            limit=_LISTED_MOST,
            KeyConditionExpression=condition,
            ExpressionAttributeNames={"#status": "status"},
            ExpressionAttributeValues=values,
        )
        return [codec.from_item(Source, row) for row in rows]
