"""Tables and indexes of the registry, their capacity, and the key they are encrypted with."""

from __future__ import annotations

from typing import Any, Literal

from cityverse.aws.cloudformation import (
    DISTRIBUTIONS,
    Json,
    att,
    kept,
    logical,
    policy,
    ref,
    resource,
    sub,
    tags,
    when,
)
from cityverse.data.provision import definitions, index_definition, key_schema
from cityverse.data.registry import TABLES, Index, Table
from cityverse.data.scaling import (
    CAPACITY_LEAST,
    CAPACITY_MOST,
    DIMENSIONS,
    SERVICE_ROLE,
    UTILISATION,
    policy_name,
    resource_id,
)

Billing = Literal["on-demand", "provisioned"]
Kind = Literal["read", "write"]


def table_id(table: Table) -> str:
    """The logical id of a table."""
    return logical("table", table.name)


def tables(billing: Billing) -> Json:
    """All tables of the registry."""
    return {table_id(table): _table(table, billing) for table in TABLES}


def scaling(kind: Kind) -> Json:
    """What scales the read or the write capacity of all tables and indexes."""
    made: Json = {}
    for table in TABLES:
        for index in (None, *table.indexes):
            name = logical("scale", table.name, index.name if index else "table", kind)
            made[name] = _target(table, index, kind)
            made[f"{name}Policy"] = _target_policy(kind, name)
    return made


def _table(table: Table, billing: Billing) -> Json:
    indexes = [_index(index, billing) for index in table.indexes]
    properties: Json = {
        "TableName": table.name,
        "KeySchema": key_schema(table),
        "AttributeDefinitions": definitions(table.key_attributes()),
        **_capacity(billing),
        "PointInTimeRecoverySpecification": {"PointInTimeRecoveryEnabled": True},
        "StreamSpecification": {"StreamViewType": "NEW_AND_OLD_IMAGES"},
        "SSESpecification": {
            "SSEEnabled": True,
            "SSEType": "KMS",
            "KMSMasterKeyId": att("Key", "Arn"),
        },
        "DeletionProtectionEnabled": True,
        "ContributorInsightsSpecification": {
            "Enabled": when("WithContributorInsights", True, False)
        },
        "Tags": tags("data"),
    }
    if indexes:
        properties["GlobalSecondaryIndexes"] = indexes
    if table.ttl:
        properties["TimeToLiveSpecification"] = {"AttributeName": table.ttl, "Enabled": True}
    return kept("AWS::DynamoDB::Table", properties)


def _index(index: Index, billing: Billing) -> Json:
    made: Json = dict(index_definition(index))
    if billing == "provisioned":
        made["ProvisionedThroughput"] = _throughput()
    made["ContributorInsightsSpecification"] = {
        "Enabled": when("WithContributorInsights", True, False)
    }
    return made


def _capacity(billing: Billing) -> Json:
    if billing == "on-demand":
        return {"BillingMode": "PAY_PER_REQUEST"}
    return {"BillingMode": "PROVISIONED", "ProvisionedThroughput": _throughput()}


def _throughput() -> Json:
    return {"ReadCapacityUnits": CAPACITY_LEAST, "WriteCapacityUnits": CAPACITY_LEAST}


def _target(table: Table, index: Index | None, kind: Kind) -> Json:
    return resource(
        "AWS::ApplicationAutoScaling::ScalableTarget",
        {
            "ServiceNamespace": "dynamodb",
            "ResourceId": resource_id(table.name, index.name if index else None),
            "ScalableDimension": DIMENSIONS[kind].of(index is not None),
            "MinCapacity": CAPACITY_LEAST,
            "MaxCapacity": ref("CapacityMost"),
            "RoleARN": sub(SERVICE_ROLE),
        },
    )


def _target_policy(kind: Kind, target: str) -> Json:
    return resource(
        "AWS::ApplicationAutoScaling::ScalingPolicy",
        {
            "PolicyName": policy_name(kind),
            "PolicyType": "TargetTrackingScaling",
            "ScalingTargetId": ref(target),
            "TargetTrackingScalingPolicyConfiguration": {
                "PredefinedMetricSpecification": {"PredefinedMetricType": DIMENSIONS[kind].metric},
                "TargetValue": UTILISATION,
                "ScaleInCooldown": 60,
                "ScaleOutCooldown": 60,
            },
        },
    )


def capacity_parameter(kind: Kind) -> Json:
    """How far one table or index may be scaled."""
    return {
        "Type": "Number",
        "Description": f"{kind.capitalize()} units that one table or index is scaled up to",
        "Default": CAPACITY_MOST,
        "MinValue": CAPACITY_LEAST,
        "MaxValue": 40_000,
    }


def key() -> Json:
    """The key of tables and buckets; CloudFront may read with it for this account's own."""
    account: Any = {"Fn::Sub": "arn:${AWS::Partition}:iam::${AWS::AccountId}:root"}
    return {
        "Key": kept(
            "AWS::KMS::Key",
            {
                "Description": "CityVerse: tables and buckets",
                "EnableKeyRotation": True,
                "PendingWindowInDays": 30,
                "KeyPolicy": policy(
                    {
                        "Sid": "Account",
                        "Effect": "Allow",
                        "Principal": {"AWS": account},
                        "Action": "kms:*",
                        "Resource": "*",
                    },
                    {
                        "Sid": "ContentDelivery",
                        "Effect": "Allow",
                        "Principal": {"Service": "cloudfront.amazonaws.com"},
                        "Action": "kms:Decrypt",
                        "Resource": "*",
                        "Condition": {"StringLike": {"AWS:SourceArn": sub(DISTRIBUTIONS)}},
                    },
                ),
                "Tags": tags("data"),
            },
        ),
        "KeyAlias": resource(
            "AWS::KMS::Alias",
            {"AliasName": sub("alias/${AWS::StackName}"), "TargetKeyId": ref("Key")},
        ),
    }
