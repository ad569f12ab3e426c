"""Creates and completes tables and buckets from the registry; never removes anything.

``plan`` only looks and answers with the steps that are missing; ``apply`` takes
them, one after the other. Both may be repeated at any time. Tables made by hand
from the seed are completed with the indexes they lack, and on AWS with what
``safeguards`` looks for.
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from botocore.exceptions import ClientError

from cityverse.data.client import dynamodb_client, mapped, s3_client, scaling_client
from cityverse.data.objects import lifecycle_rules
from cityverse.data.registry import BUCKETS, TABLES, Bucket, Index, Table
from cityverse.data.safeguards import STREAM, Safeguards
from cityverse.errors import StoreError, StoreMisconfigured, StoreUnavailable
from cityverse.settings import Settings

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient
    from mypy_boto3_dynamodb.type_defs import TableDescriptionTypeDef
    from mypy_boto3_s3 import S3Client


@dataclass(frozen=True, slots=True)
class Step:
    """One difference between the registry and what is there, and how to remove it."""

    description: str
    take: Callable[[], None]


@mapped
def plan(settings: Settings) -> list[Step]:
    """The steps that would make the store as the registry says; raises StoreMisconfigured.

    A table or index that is there with another key cannot be completed: this is an
    error, which names each of them.
    """
    dynamodb, s3 = dynamodb_client(settings), s3_client(settings)
    existing = _existing_tables(dynamodb)
    if settings.dynamodb_endpoint:
        _try_transaction(dynamodb)
    safeguards = _safeguards(dynamodb, settings)
    wrong: list[str] = []
    steps: list[Step] = []
    for table in TABLES:
        live = _described(dynamodb, table) if table.name in existing else None
        if live is None:
            steps.append(Step(f"create table {table.name}", _creation(dynamodb, table, safeguards)))
        else:
            steps += _table_steps(dynamodb, table, live, wrong)
        if safeguards is not None:
            steps += [Step(*change) for change in safeguards.missing(table, live)]
        if table.ttl and not (table.name in existing and _expires(dynamodb, table, wrong)):
            steps.append(
                Step(
                    f"let items of {table.name} expire by {table.ttl}",
                    _expiry(dynamodb, table),
                )
            )
    if wrong:
        raise StoreMisconfigured("; ".join(wrong))
    for bucket in BUCKETS:
        steps += _bucket_steps(s3, bucket, settings)
    return steps


@mapped
def apply(settings: Settings, told: Callable[[str], None] = lambda _: None) -> int:
    """Take all missing steps, telling each; answers with their number.

    An error says at which step it was met, and how many were taken: each of them is whole,
    and the next call goes on from there.
    """
    steps = plan(settings)
    for number, step in enumerate(steps):
        told(step.description)
        try:
            mapped(step.take)()
        except StoreError as error:
            raise type(error)(
                f"cannot {step.description}: {error} "
                f"({number} of {len(steps)} steps are done, the same command takes the others)"
            ) from error
    return len(steps)


def _existing_tables(dynamodb: DynamoDBClient) -> set[str]:
    pages = dynamodb.get_paginator("list_tables").paginate()
    return {name for page in pages for name in page["TableNames"]}


def _try_transaction(dynamodb: DynamoDBClient) -> None:
    """Raise before anything is made where a service has no transactions; writes nothing."""
    check: Any = {
        "TableName": TABLES[0].name,
        "Key": {TABLES[0].partition: {"S": "no such item"}},
        "ConditionExpression": "attribute_exists(#key)",
        "ExpressionAttributeNames": {"#key": TABLES[0].partition},
    }
    with contextlib.suppress(
        dynamodb.exceptions.TransactionCanceledException,
        dynamodb.exceptions.ResourceNotFoundException,
    ):
        dynamodb.transact_write_items(TransactItems=[{"ConditionCheck": check}])


def _safeguards(dynamodb: DynamoDBClient, settings: Settings) -> Safeguards | None:
    if settings.store == "embedded" or settings.dynamodb_endpoint:
        return None
    return Safeguards(dynamodb, scaling_client(settings), lambda table: _rested(dynamodb, table))


def _described(dynamodb: DynamoDBClient, table: Table) -> TableDescriptionTypeDef:
    return dynamodb.describe_table(TableName=table.name)["Table"]


def _table_steps(
    dynamodb: DynamoDBClient, table: Table, live: TableDescriptionTypeDef, wrong: list[str]
) -> Iterator[Step]:
    status = live["TableStatus"]
    if status in {"CREATING", "UPDATING"}:
        yield Step(
            f"wait for table {table.name}, which is {status}",
            lambda: _wait(dynamodb, table),
        )
    elif status != "ACTIVE":
        wrong.append(f"table {table.name} is {status}")
    types = {a["AttributeName"]: a["AttributeType"] for a in live["AttributeDefinitions"]}
    if _key_of(live["KeySchema"]) != _key(table):
        wrong.append(
            f"table {table.name} has the key {_key_of(live['KeySchema'])}, not {_key(table)}"
        )
        return
    indexes = {i["IndexName"]: i for i in live.get("GlobalSecondaryIndexes", [])}
    for index in table.indexes:
        if index.name not in indexes:
            yield Step(
                f"add index {index.name} to {table.name}",
                _index_addition(dynamodb, table, index),
            )
        elif _key_of(indexes[index.name]["KeySchema"]) != _key(index):
            wrong.append(f"index {index.name} of {table.name} has another key than {_key(index)}")
    wrong += [
        f"attribute {name} of {table.name} is {types[name]}, not a string"
        for name in table.key_attributes() & types.keys()
        if types[name] != "S"
    ]


def _key(of: Table | Index) -> list[str]:
    return [name for name in (of.partition, of.sort) if name]


def _key_of(schema: Iterable[Any]) -> list[str]:
    by_role = {part["KeyType"]: part["AttributeName"] for part in schema}
    return [by_role[role] for role in ("HASH", "RANGE") if role in by_role]


def key_schema(of: Table | Index) -> list[Any]:
    """The key as DynamoDB wants it said."""
    roles: tuple[Literal["HASH"], Literal["RANGE"]] = ("HASH", "RANGE")
    return [
        {"AttributeName": name, "KeyType": role}
        for name, role in zip(_key(of), roles, strict=False)
    ]


def definitions(names: Iterable[str]) -> list[Any]:
    """The attributes of keys as DynamoDB wants them said; all are strings."""
    return [{"AttributeName": name, "AttributeType": "S"} for name in sorted(names)]


def index_definition(index: Index) -> Any:
    """A global secondary index, with all attributes, as DynamoDB wants it said."""
    return {
        "IndexName": index.name,
        "KeySchema": key_schema(index),
        "Projection": {"ProjectionType": "ALL"},
    }


def _creation(
    dynamodb: DynamoDBClient, table: Table, safeguards: Safeguards | None
) -> Callable[[], None]:
    def take() -> None:
        indexes = [index_definition(index) for index in table.indexes]
        optional: dict[str, Any] = {"GlobalSecondaryIndexes": indexes} if indexes else {}
        if safeguards is not None:
            optional |= {"StreamSpecification": STREAM, "DeletionProtectionEnabled": True}
        # Another process that provisions the same store may have been faster.
        with contextlib.suppress(dynamodb.exceptions.ResourceInUseException):
            dynamodb.create_table(
                TableName=table.name,
                KeySchema=key_schema(table),
                AttributeDefinitions=definitions(table.key_attributes()),
                BillingMode="PAY_PER_REQUEST",
                **optional,
            )
        dynamodb.get_waiter("table_exists").wait(
            TableName=table.name, WaiterConfig={"Delay": 1, "MaxAttempts": 120}
        )

    return take


def _index_addition(dynamodb: DynamoDBClient, table: Table, index: Index) -> Callable[[], None]:
    def take() -> None:
        live = _rested(dynamodb, table)
        if index.name in {i["IndexName"] for i in live.get("GlobalSecondaryIndexes", [])}:
            return  # another process was faster
        defined = {a["AttributeName"] for a in live["AttributeDefinitions"]}
        create = index_definition(index)
        throughput = live.get("ProvisionedThroughput", {})
        if throughput.get("ReadCapacityUnits"):
            # A table with provisioned capacity wants the same said of each index.
            create["ProvisionedThroughput"] = {
                unit: throughput[unit] for unit in ("ReadCapacityUnits", "WriteCapacityUnits")
            }
        dynamodb.update_table(
            TableName=table.name,
            AttributeDefinitions=definitions(defined | set(_key(index))),
            GlobalSecondaryIndexUpdates=[{"Create": create}],
        )
        _rested(dynamodb, table)

    return take


def _wait(dynamodb: DynamoDBClient, table: Table) -> None:
    _rested(dynamodb, table)


def _rested(dynamodb: DynamoDBClient, table: Table) -> TableDescriptionTypeDef:
    """The table once it rests: DynamoDB builds one index at a time, and has no waiter for it."""
    deadline = time.monotonic() + 3600
    while time.monotonic() < deadline:
        live = _described(dynamodb, table)
        states = {i.get("IndexStatus") for i in live.get("GlobalSecondaryIndexes", [])}
        if live["TableStatus"] == "ACTIVE" and states <= {"ACTIVE"}:
            return live
        time.sleep(1)
    raise StoreUnavailable(f"table {table.name} is still being changed after an hour")


def _expires(dynamodb: DynamoDBClient, table: Table, wrong: list[str]) -> bool:
    live = dynamodb.describe_time_to_live(TableName=table.name)["TimeToLiveDescription"]
    if live.get("TimeToLiveStatus") not in {"ENABLED", "ENABLING"}:
        return False
    if live.get("AttributeName") != table.ttl:
        wrong.append(f"items of {table.name} expire by {live.get('AttributeName')}")
    return True


def _expiry(dynamodb: DynamoDBClient, table: Table) -> Callable[[], None]:
    def take() -> None:
        if table.ttl and not _expires(dynamodb, table, []):  # DynamoDB refuses it a second time
            _rested(dynamodb, table)
            dynamodb.update_time_to_live(
                TableName=table.name,
                TimeToLiveSpecification={"Enabled": True, "AttributeName": table.ttl},
            )

    return take


def _bucket_steps(s3: S3Client, bucket: Bucket, settings: Settings) -> Iterator[Step]:
    name = getattr(settings, bucket.setting)
    state, region = _bucket_state(s3, name)
    if state == "foreign":
        raise StoreMisconfigured(
            f"the bucket name {name} is taken by another account, or these keys may not see it "
            "(s3:ListBucket): names are global, choose your own with "
            "CITYVERSE_BUCKET_PROFILEPICS and CITYVERSE_BUCKET_VIDEOS"
        )
    if region not in {None, settings.aws_region} and not settings.s3_endpoint:
        raise StoreMisconfigured(
            f"the bucket {name} lies in {region}, not in {settings.aws_region}: "
            "set AWS_DEFAULT_REGION, or choose another name for the bucket"
        )
    if state == "own" and settings.s3_endpoint:
        s3.list_object_versions(Bucket=name, MaxKeys=1)  # raises where none are kept
    if state == "missing":
        yield Step(f"create bucket {name}", _bucket_creation(s3, name, settings.aws_region))
    if state == "missing" or s3.get_bucket_versioning(Bucket=name).get("Status") != "Enabled":
        yield Step(f"keep versions in bucket {name}", _versioning(s3, name))
    wanted = lifecycle_rules(bucket.prefixes)
    current = [] if state == "missing" else _lifecycle(s3, name)
    if not {rule["ID"] for rule in wanted} <= {rule["ID"] for rule in current}:
        yield Step(f"let leftovers in bucket {name} expire", _expiring(s3, name, wanted, current))


def _lifecycle(s3: S3Client, name: str) -> list[Any]:
    try:
        return list(s3.get_bucket_lifecycle_configuration(Bucket=name)["Rules"])
    except ClientError as error:
        if error.response.get("Error", {}).get("Code") == "NoSuchLifecycleConfiguration":
            return []
        raise


def _expiring(s3: S3Client, name: str, wanted: list[Any], current: list[Any]) -> Callable[[], None]:
    def take() -> None:
        ours = {rule["ID"] for rule in wanted}
        rules = [rule for rule in current if rule["ID"] not in ours] + wanted
        s3.put_bucket_lifecycle_configuration(Bucket=name, LifecycleConfiguration={"Rules": rules})

    return take


def _bucket_state(
    s3: S3Client, name: str
) -> tuple[Literal["own", "missing", "foreign"], str | None]:
    """Whose bucket it is, and the region it lies in, where that is told."""
    try:
        answer = s3.head_bucket(Bucket=name)
    except ClientError as error:
        told = error.response["ResponseMetadata"]
        if told["HTTPStatusCode"] == 404:
            return "missing", None
        if told["HTTPStatusCode"] == 403:
            return "foreign", None
        raise
    return "own", answer["ResponseMetadata"]["HTTPHeaders"].get("x-amz-bucket-region")


def _versioning(s3: S3Client, name: str) -> Callable[[], None]:
    def take() -> None:
        s3.put_bucket_versioning(Bucket=name, VersioningConfiguration={"Status": "Enabled"})

    return take


def _bucket_creation(s3: S3Client, name: str, region: str) -> Callable[[], None]:
    def take() -> None:
        # us-east-1 is the one region that refuses to be named.
        where: Any = (
            {}
            if region == "us-east-1"
            else {"CreateBucketConfiguration": {"LocationConstraint": region}}
        )
        with contextlib.suppress(s3.exceptions.BucketAlreadyOwnedByYou):
            s3.create_bucket(Bucket=name, **where)

    return take
