"""The one way to DynamoDB and S3: clients with time limits and retries, errors mapped once.

``Dynamo`` takes and gives plain items: ``str``, ``int``, ``Decimal``, ``bool``,
``list``, ``dict``, ``set``. It knows nothing of entities.
"""

from __future__ import annotations

import functools
import os
import random
import time
import uuid
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Literal, ParamSpec, TypeVar, cast

import boto3
import botocore.session
from boto3.dynamodb.types import TypeDeserializer, TypeSerializer
from botocore.config import Config
from botocore.exceptions import (
    BotoCoreError,
    ClientError,
    EndpointConnectionError,
    NoCredentialsError,
    ParamValidationError,
    PartialCredentialsError,
)
from botocore.loaders import create_loader

from cityverse.engine.launch import running
from cityverse.errors import (
    CityVerseError,
    Conflict,
    InputError,
    StoreError,
    StoreMisconfigured,
    StoreThrottled,
    StoreUnavailable,
)
from cityverse.settings import Settings
from cityverse.telemetry import trace

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient
    from mypy_boto3_s3 import S3Client

Item = dict[str, Any]
P = ParamSpec("P")
R = TypeVar("R")

# DynamoDB's own limits for one call.
BATCH_GET_MOST = 100

# How often a batch that came back incomplete, or a transaction that met another one, is repeated.
_REPEATS = 6

_CONFIG = Config(
    connect_timeout=2,
    read_timeout=10,
    retries={"mode": "standard", "max_attempts": 5},
    max_pool_connections=64,
    s3={"addressing_style": "path"},
    user_agent_extra="cityverse",
)
# Reads the description of each service once a process, not once a client.
_LOADER = create_loader()
# An address signed in the older way, which some regions still default to, leaves out its headers.
_S3_CONFIG = Config(signature_version="s3v4")
# Loopback is not asked for through a proxy, whatever the environment says.
_LOCAL_CONFIG = _CONFIG.merge(Config(proxies={}))

_THROTTLED = {
    "ProvisionedThroughputExceededException",
    "RequestLimitExceeded",
    "ThrottlingException",
    "Throttling",
    "SlowDown",
}
_MISCONFIGURED = {
    "ResourceNotFoundException",
    "NoSuchBucket",
    "AccessDenied",
    "AccessDeniedException",
    "UnrecognizedClientException",
    "InvalidClientTokenId",
    "InvalidAccessKeyId",
    "SignatureDoesNotMatch",
    "InvalidSignatureException",
    "ExpiredTokenException",
    "ExpiredToken",
    "RequestExpired",
    "RequestTimeTooSkewed",
    "AuthFailure",
    "AuthorizationHeaderMalformed",
    "PermanentRedirect",
    "IllegalLocationConstraintException",
    "BucketAlreadyExists",
    "LimitExceededException",
    "TooManyBuckets",
}
# What other services than AWS answer to an operation they do not have.
_UNOFFERED = {"UnknownOperationException", "UnknownOperation", "NotImplemented"}
# What to do, by what is said: the first words found in code and message.
_ADVICE = (
    ("Signature expired", "the clock of this machine is wrong: set it"),
    ("Signature not yet current", "the clock of this machine is wrong: set it"),
    ("RequestTimeTooSkewed", "the clock of this machine is wrong: set it"),
    ("Expired", "the keys were lent for a time that is over: get new ones"),
    ("AccessDenied", "these keys may not do this: see the roles in docs/aws.md"),
    ("UnrecognizedClient", "the access key is unknown here: see AWS_ACCESS_KEY_ID and the region"),
    ("InvalidAccessKeyId", "the access key is unknown here: see AWS_ACCESS_KEY_ID"),
    ("InvalidClientTokenId", "the access key is unknown here: see AWS_ACCESS_KEY_ID"),
    ("Signature", "the secret does not fit the access key: see AWS_SECRET_ACCESS_KEY"),
    ("LimitExceeded", "a quota of the account is reached: wait, or have it raised"),
    ("TooManyBuckets", "a quota of the account is reached: have it raised"),
    ("BucketAlreadyExists", "names are global: choose others with CITYVERSE_BUCKET_…"),
    ("PermanentRedirect", "it lies in another region: see AWS_DEFAULT_REGION"),
    ("AuthorizationHeaderMalformed", "it lies in another region: see AWS_DEFAULT_REGION"),
    ("IllegalLocationConstraint", "it lies in another region: see AWS_DEFAULT_REGION"),
    ("ResourceNotFound", "see AWS_DEFAULT_REGION; `python -m cityverse provision` makes tables"),
    ("NoSuchBucket", "`python -m cityverse provision` makes buckets"),
)


class ConditionFailed(Conflict):
    """The condition of a write did not hold; repositories turn it into what it means."""

    def __init__(self, failed: Sequence[int]) -> None:
        super().__init__("a condition did not hold")
        self.failed = tuple(failed)


class _MetAnother(StoreThrottled):
    """Another write of the same items went on; nothing was written, a repetition is safe."""


def _error_of(error: ClientError) -> CityVerseError:
    details = error.response.get("Error", {})
    code, message = details.get("Code", ""), details.get("Message", "")
    status = error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0)
    if code == "ConditionalCheckFailedException":
        return ConditionFailed([0])
    if code == "TransactionCanceledException":
        reasons = [r.get("Code") for r in error.response.get("CancellationReasons", [])]
        failed = [n for n, reason in enumerate(reasons) if reason == "ConditionalCheckFailed"]
        if failed:
            return ConditionFailed(failed)
        if "ValidationError" in reasons:
            return InputError(f"the store refuses the item: {message}")
        return _MetAnother(f"the transaction met another one: {message}")
    if code in _THROTTLED or code == "TransactionConflictException":
        return StoreThrottled(f"{code}: {message}")
    if code in _UNOFFERED or status == 501:
        return StoreMisconfigured(
            f"this service does not offer {error.operation_name}, without which CityVerse cannot "
            "run: docs/engines.md tells which services do"
        )
    if code in _MISCONFIGURED:
        return StoreMisconfigured(f"{code}: {message}{_advice(code, message)}")
    if status >= 500 or code in {"InternalServerError", "ServiceUnavailable"}:
        return StoreUnavailable(f"{code}: {message}")
    return StoreError(f"{code}: {message}")


def _advice(code: str, message: str) -> str:
    said = f"{code} {message}"
    return next((f" ({what})" for words, what in _ADVICE if words in said), "")


def mapped(call: Callable[P, R]) -> Callable[P, R]:
    """Turn what botocore raises into the errors of ``cityverse.errors``."""

    @functools.wraps(call)
    def wrapper(*args: P.args, **kwargs: P.kwargs) -> R:
        try:
            return call(*args, **kwargs)
        except ClientError as error:
            raise _error_of(error) from error
        except ParamValidationError as error:
            raise InputError(f"the store cannot take this item: {error}") from error
        except (NoCredentialsError, PartialCredentialsError) as error:
            raise StoreMisconfigured(f"AWS credentials: {error}") from error
        except EndpointConnectionError as error:
            raise StoreUnavailable(
                f"the store does not answer: {error} (see AWS_DEFAULT_REGION, AWS_ENDPOINT_URL "
                "and the network)"
            ) from error
        except BotoCoreError as error:
            raise StoreUnavailable(f"the store does not answer: {error}") from error

    return wrapper


def _pause(attempt: int) -> None:
    """Wait a little longer each time, and never two processes equally long."""
    time.sleep(0.02 * 2**attempt * (0.5 + random.random()))  # noqa: S311 - no secret


_serialize = TypeSerializer().serialize
_deserialize = TypeDeserializer().deserialize


def encode(item: Mapping[str, Any]) -> dict[str, Any]:
    """A plain item in DynamoDB's typed form."""
    return {name: _serialize(value) for name, value in item.items()}


def decode(item: Mapping[str, Any]) -> Item:
    """The plain item of DynamoDB's typed form."""
    return {name: _deserialize(value) for name, value in item.items()}


def session_parameters(settings: Settings, service: str) -> dict[str, Any]:
    """What a boto3 client of a service of this store is made with; raises StoreUnavailable."""
    if settings.store == "embedded":
        engine = running(settings.data_dir)
        if engine is None:
            raise StoreUnavailable(
                f"no embedded engine runs on {settings.data_dir}: start CityVerse with `make run`"
            )
        return {
            "endpoint_url": engine.endpoint,
            "region_name": engine.region,
            "aws_access_key_id": engine.access_key,
            "aws_secret_access_key": engine.secret_key,
            "config": _LOCAL_CONFIG,
        }
    endpoints = {"dynamodb": settings.dynamodb_endpoint, "s3": settings.s3_endpoint}
    return {
        "endpoint_url": endpoints.get(service, settings.aws_endpoint_url) or None,
        "region_name": settings.aws_region,
        "aws_access_key_id": settings.aws_access_key_id or None,
        "aws_secret_access_key": settings.aws_secret_access_key or None,
        # Keys lent for a time come with a token, which boto3 reads only along with the keys.
        "aws_session_token": os.environ.get("AWS_SESSION_TOKEN")
        if settings.aws_access_key_id
        else None,
        "config": _CONFIG,
    }


def dynamodb_client(settings: Settings) -> DynamoDBClient:
    """A DynamoDB client; safe to share between threads. Raises StoreError."""
    return cast("DynamoDBClient", _client("dynamodb", settings))


def s3_client(settings: Settings) -> S3Client:
    """An S3 client; safe to share between threads. Raises StoreError."""
    return cast("S3Client", _client("s3", settings))


def scaling_client(settings: Settings) -> Any:
    """A client of Application Auto Scaling, on AWS alone. Raises StoreError."""
    return _client("application-autoscaling", settings)


@mapped
def _client(
    service: Literal["dynamodb", "s3", "application-autoscaling"], settings: Settings
) -> object:
    parameters = session_parameters(settings, service)
    if service == "s3":
        parameters["config"] = parameters["config"].merge(_S3_CONFIG)
    core = botocore.session.get_session()
    core.register_component("data_loader", _LOADER)
    try:
        client = boto3.session.Session(botocore_session=core).client(service, **parameters)
    except ValueError as error:  # an address or region that is none
        raise StoreMisconfigured(str(error)) from error
    trace(client.meta.events)
    return client


class Dynamo:
    """The few calls the repositories make, on plain items."""

    def __init__(self, client: DynamoDBClient) -> None:
        self.client = client

    @mapped
    def get(self, table: str, key: Item, *, consistent: bool = True) -> Item | None:
        """The item with this key, or None."""
        answer = self.client.get_item(TableName=table, Key=encode(key), ConsistentRead=consistent)
        return decode(answer["Item"]) if "Item" in answer else None

    @mapped
    def get_many(self, table: str, keys: Sequence[Item]) -> list[Item]:
        """The items with these keys, in no particular order; missing ones are left out."""
        found: list[Item] = []
        for start in range(0, len(keys), BATCH_GET_MOST):
            batch = [encode(key) for key in keys[start : start + BATCH_GET_MOST]]
            found += self._get_batch(table, {"Keys": batch, "ConsistentRead": True})
        return found

    def _get_batch(self, table: str, request: Any) -> list[Item]:
        found: list[Item] = []
        for attempt in range(_REPEATS):
            answer = self.client.batch_get_item(RequestItems={table: request})
            found += [decode(item) for item in answer["Responses"].get(table, [])]
            if not answer.get("UnprocessedKeys"):
                return found
            request = answer["UnprocessedKeys"][table]
            _pause(attempt)
        raise StoreThrottled(f"{table} gives no more items just now")

    @mapped
    def get_each(self, keys: Mapping[str, Item]) -> dict[str, Item]:
        """One item of each of several tables, by the name of the table, in one consistent read.

        ``keys`` holds the key in each table; what is missing is left out.
        """
        request: Any = {
            table: {"Keys": [encode(key)], "ConsistentRead": True} for table, key in keys.items()
        }
        found: dict[str, Item] = {}
        for attempt in range(_REPEATS):
            answer = self.client.batch_get_item(RequestItems=request)
            answered = answer["Responses"].items()
            found |= {table: decode(items[0]) for table, items in answered if items}
            if not answer.get("UnprocessedKeys"):
                return found
            request = answer["UnprocessedKeys"]
            _pause(attempt)
        raise StoreThrottled(f"{', '.join(keys)} give no items just now")

    @mapped
    def query(
        self, table: str, *, index: str | None = None, limit: int, **request: Any
    ) -> list[Item]:
        """Up to ``limit`` items of one partition, following pages until there are that many.

        ``request`` holds KeyConditionExpression and what else Query takes, with plain
        values under ExpressionAttributeValues.
        """
        request["ExpressionAttributeValues"] = encode(request["ExpressionAttributeValues"])
        if index is not None:
            request["IndexName"] = index
        found: list[Item] = []
        while len(found) < limit:
            answer = self.client.query(TableName=table, Limit=limit - len(found), **request)
            found += [decode(item) for item in answer["Items"]]
            if "LastEvaluatedKey" not in answer:
                break
            request["ExclusiveStartKey"] = answer["LastEvaluatedKey"]
        return found

    @mapped
    def put(self, table: str, item: Item) -> None:
        """Write an item, whatever was there before."""
        self.client.put_item(TableName=table, Item=encode(item))

    @mapped
    def update(self, table: str, key: Item, **request: Any) -> Item:
        """Update one item; answers with the whole item after it. Raises ConditionFailed."""
        request["ExpressionAttributeValues"] = encode(request["ExpressionAttributeValues"])
        answer = self.client.update_item(
            TableName=table, Key=encode(key), ReturnValues="ALL_NEW", **request
        )
        return decode(answer["Attributes"])

    @mapped
    def delete(self, table: str, key: Item) -> None:
        """Delete the item with this key, if there is one."""
        self.client.delete_item(TableName=table, Key=encode(key))

    def transact(self, writes: Iterable[dict[str, Any]], *, token: str | None = None) -> None:
        """All of these writes or none; raises ConditionFailed with the positions that failed.

        ``writes`` (at most 100) are made by ``put_write`` and its siblings; ``token`` (at
        most 36 characters) makes a repetition within ten minutes a success without effect.
        """
        # One token for all attempts: a first one that timed out may take effect behind the
        # back of a second one that met it.
        request = {
            "TransactItems": list(writes),
            "ClientRequestToken": token or str(uuid.uuid4()),
        }
        for attempt in range(_REPEATS):
            try:
                return self._transact_once(request)
            except _MetAnother:
                if attempt == _REPEATS - 1:
                    raise
                _pause(attempt)

    @mapped
    def _transact_once(self, request: Any) -> None:
        self.client.transact_write_items(**request)

    @mapped
    def count(self, table: str) -> int:
        """About how many items a table holds: DynamoDB counts them every six hours."""
        return self.client.describe_table(TableName=table)["Table"]["ItemCount"]


def put_write(table: str, item: Item, **condition: Any) -> dict[str, Any]:
    """A Put of a transaction; ``condition`` holds ConditionExpression and its names and values."""
    return {"Put": {"TableName": table, "Item": encode(item)} | _encoded(condition)}


def update_write(
    table: str,
    key: Item,
    fields: Mapping[str, Any],
    removed: Sequence[str] = (),
    *,
    condition: str,
    names: Mapping[str, str] | None = None,
    values: Mapping[str, Any] | None = None,
    added: Mapping[str, int] | None = None,
) -> dict[str, Any]:
    """An Update of a transaction: sets ``fields``, drops ``removed``, adds ``added`` up."""
    marks = {name: f"#f{n}" for n, name in enumerate([*fields, *(added or {}), *removed])}
    given = {f":f{n}": value for n, value in enumerate([*fields.values(), *(added or {}).values()])}
    parts = {
        "SET": [f"{marks[name]} = :f{n}" for n, name in enumerate(fields)],
        "ADD": [f"{marks[name]} :f{n}" for n, name in enumerate(added or {}, len(fields))],
        "REMOVE": [marks[name] for name in removed],
    }
    update: dict[str, Any] = {
        "TableName": table,
        "Key": encode(key),
        "UpdateExpression": " ".join(f"{verb} {', '.join(p)}" for verb, p in parts.items() if p),
        "ConditionExpression": condition,
        "ExpressionAttributeNames": {mark: name for name, mark in marks.items()}
        | dict(names or {}),
    }
    if given or values:
        update["ExpressionAttributeValues"] = encode({**given, **(values or {})})
    return {"Update": update}


def check_write(table: str, key: Item, **condition: Any) -> dict[str, Any]:
    """A ConditionCheck of a transaction: the item must be as the condition says."""
    return {"ConditionCheck": {"TableName": table, "Key": encode(key)} | _encoded(condition)}


def delete_write(table: str, key: Item, **condition: Any) -> dict[str, Any]:
    """A Delete of a transaction."""
    return {"Delete": {"TableName": table, "Key": encode(key)} | _encoded(condition)}


def _encoded(condition: dict[str, Any]) -> dict[str, Any]:
    if "ExpressionAttributeValues" in condition:
        condition["ExpressionAttributeValues"] = encode(condition["ExpressionAttributeValues"])
    return condition
