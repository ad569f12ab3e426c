"""Auto scaling of tables and indexes that have provisioned capacity."""

from __future__ import annotations

from dataclasses import dataclass

CAPACITY_LEAST = 5
"""Units a table or index keeps when nothing is asked of it."""
CAPACITY_MOST = 1000
"""Units it is scaled up to, unless told otherwise."""
UTILISATION = 70.0
"""Per cent of the capacity that should be in use."""
SERVICE_ROLE = (
    "arn:${AWS::Partition}:iam::${AWS::AccountId}:role/aws-service-role/"
    "dynamodb.application-autoscaling.amazonaws.com/"
    "AWSServiceRoleForApplicationAutoScaling_DynamoDBTable"
)


@dataclass(frozen=True, slots=True)
class Dimension:
    """What is scaled, and the measure it follows."""

    units: str
    metric: str

    def of(self, index: bool) -> str:
        """The name Application Auto Scaling has for it, of a table or of an index."""
        return f"dynamodb:{'index' if index else 'table'}:{self.units}"


DIMENSIONS = {
    "read": Dimension("ReadCapacityUnits", "DynamoDBReadCapacityUtilization"),
    "write": Dimension("WriteCapacityUnits", "DynamoDBWriteCapacityUtilization"),
}


def resource_id(table: str, index: str | None) -> str:
    """The name Application Auto Scaling has for a table or one of its indexes."""
    return f"table/{table}" if index is None else f"table/{table}/index/{index}"


def policy_name(kind: str) -> str:
    """The policy that follows the use of ``read`` or ``write`` capacity."""
    return f"cityverse-{kind}"
