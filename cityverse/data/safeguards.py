"""What a table on AWS itself should have beside keys: a stream, protection, backups, scaling.

Other services of the same protocol have none of this, so that ``provision`` looks at it on
AWS alone.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from cityverse.data.registry import Table
from cityverse.data.scaling import (
    CAPACITY_LEAST,
    CAPACITY_MOST,
    DIMENSIONS,
    UTILISATION,
    policy_name,
    resource_id,
)

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

Change = tuple[str, Callable[[], None]]
"""What is done, in words, and what does it."""

STREAM = {"StreamEnabled": True, "StreamViewType": "NEW_AND_OLD_IMAGES"}


@dataclass(slots=True)
class Safeguards:
    """Finds what tables lack; asks Application Auto Scaling once for all of them."""

    dynamodb: DynamoDBClient
    scaling: Any
    at_rest: Callable[[Table], Any]
    _scaled: set[tuple[str, str]] | None = field(default=None, init=False)

    def missing(self, table: Table, live: Any) -> Iterator[Change]:
        """What a table lacks; ``live`` is its description, None when it is to be created."""
        live = live or {"StreamSpecification": STREAM, "DeletionProtectionEnabled": True}
        if not live.get("StreamSpecification", {}).get("StreamEnabled"):
            yield (
                f"keep a stream of the changes of {table.name}",
                self._updating(table, StreamSpecification=STREAM),
            )
        if not live.get("DeletionProtectionEnabled"):
            yield (
                f"protect table {table.name} from deletion",
                self._updating(table, DeletionProtectionEnabled=True),
            )
        if "TableName" not in live or not self._backed_up(table):
            yield f"keep backups of {table.name} for each second", self._backing_up(table)
        if _units(live):
            yield from self._unscaled(table, live)

    def _updating(self, table: Table, **change: Any) -> Callable[[], None]:
        def take() -> None:
            live = self.at_rest(table)
            name, wanted = next(iter(change.items()))
            now = live.get(name)  # another process may have been faster
            if not (now is True or (isinstance(now, dict) and now.get("StreamEnabled"))):
                self.dynamodb.update_table(TableName=table.name, **{name: wanted})
                self.at_rest(table)

        return take

    def _backed_up(self, table: Table) -> bool:
        answer = self.dynamodb.describe_continuous_backups(TableName=table.name)
        described = answer["ContinuousBackupsDescription"]
        recovery = described.get("PointInTimeRecoveryDescription", {})
        return recovery.get("PointInTimeRecoveryStatus") == "ENABLED"

    def _backing_up(self, table: Table) -> Callable[[], None]:
        def take() -> None:
            self.at_rest(table)
            self.dynamodb.update_continuous_backups(
                TableName=table.name,
                PointInTimeRecoverySpecification={"PointInTimeRecoveryEnabled": True},
            )

        return take

    def _unscaled(self, table: Table, live: Any) -> Iterator[Change]:
        indexes = {one["IndexName"]: one for one in live.get("GlobalSecondaryIndexes", [])}
        # An index that is added gets the capacity of its table.
        parts = [(None, live), *((i.name, indexes.get(i.name, live)) for i in table.indexes)]
        for index, described in parts:
            for kind, dimension in DIMENSIONS.items():
                part = resource_id(table.name, index), dimension.of(index is not None)
                if part not in self._all_scaled():
                    what = f"index {index} of {table.name}" if index else f"table {table.name}"
                    units = _units(described).get(dimension.units, CAPACITY_LEAST)
                    yield (
                        f"scale the {kind} capacity of {what}",
                        self._scale(*part, kind, units),
                    )

    def _all_scaled(self) -> set[tuple[str, str]]:
        if self._scaled is None:
            pages = self.scaling.get_paginator("describe_scaling_policies").paginate(
                ServiceNamespace="dynamodb"
            )
            self._scaled = {
                (one["ResourceId"], one["ScalableDimension"])
                for page in pages
                for one in page["ScalingPolicies"]
            }
        return self._scaled

    def _scale(self, resource: str, dimension: str, kind: str, units: int) -> Callable[[], None]:
        part = {
            "ServiceNamespace": "dynamodb",
            "ResourceId": resource,
            "ScalableDimension": dimension,
        }

        def take() -> None:
            # Both calls set what they are told, so that a repetition changes nothing.
            self.scaling.register_scalable_target(
                **part,
                MinCapacity=min(units, CAPACITY_LEAST),
                MaxCapacity=max(units, CAPACITY_MOST),
            )
            self.scaling.put_scaling_policy(
                **part,
                PolicyName=policy_name(kind),
                PolicyType="TargetTrackingScaling",
                TargetTrackingScalingPolicyConfiguration={
                    "TargetValue": UTILISATION,
                    "PredefinedMetricSpecification": {
                        "PredefinedMetricType": DIMENSIONS[kind].metric
                    },
                    "ScaleInCooldown": 60,
                    "ScaleOutCooldown": 60,
                },
            )

        return take


def _units(live: Any) -> dict[str, int]:
    """The provisioned capacity; empty where requests are paid one by one."""
    throughput = live.get("ProvisionedThroughput", {})
    names = ("ReadCapacityUnits", "WriteCapacityUnits")
    return {name: throughput[name] for name in names if throughput.get(name)}
