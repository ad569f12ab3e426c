"""Breaks single attempts of boto3 calls, where bytes leave the program and come back.

A fault is raised or answered in botocore's hook ``before-send``, which stands between
botocore's own retries and the socket; so these retries are part of what is tried. A fault
"after" lets the request take effect first and loses its answer.
"""

from __future__ import annotations

import inspect
import io
import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import boto3
from botocore.awsrequest import AWSResponse
from botocore.config import Config
from botocore.exceptions import ConnectionClosedError, ReadTimeoutError

from cityverse.data.client import Dynamo, decode, encode, session_parameters
from cityverse.data.cursors import Cursors
from cityverse.data.registry import table
from cityverse.settings import Settings

CURSORS = Cursors(b"a secret of the tests, 32 bytes.")
WRITES = {"PutItem", "UpdateItem", "DeleteItem", "BatchWriteItem", "TransactWriteItems"}
# Figures that follow from the clock rather than from what is written.
_OF_THE_CLOCK = {"Media": {"deleted"}}


@dataclass(frozen=True)
class Fault:
    """What goes wrong with an attempt; ``after`` it took effect, or before it was sent."""

    name: str
    after: bool
    make: Callable[[Any, str], Any]

    def __str__(self) -> str:
        return f"{self.name} {'after' if self.after else 'before'}"


def _timeout(request: Any, _: str) -> Any:
    raise ReadTimeoutError(endpoint_url=request.url)


def _reset(request: Any, _: str) -> Any:
    raise ConnectionClosedError(endpoint_url=request.url)


def _answered(status: int, code: str) -> Callable[[Any, str], Any]:
    def answer(request: Any, _: str) -> Any:
        return _response(request, status, {"__type": f"com.amazonaws.dynamodb#{code}"})

    return answer


def _conflict(request: Any, operation: str) -> Any:
    """Another transaction held one of the items."""
    if operation != "TransactWriteItems":
        return _answered(400, "TransactionConflictException")(request, operation)
    count = len(json.loads(request.body)["TransactItems"])
    reasons = [{"Code": "TransactionConflict"}, *[{"Code": "None"}] * (count - 1)]
    kind = "com.amazonaws.dynamodb#TransactionCanceledException"
    return _response(request, 400, {"__type": kind, "CancellationReasons": reasons})


def _response(request: Any, status: int, body: dict[str, Any]) -> AWSResponse:
    text = json.dumps({"message": "a fault of the tests", **body}).encode()
    headers = {"content-type": "application/x-amz-json-1.0", "content-length": str(len(text))}
    return AWSResponse(request.url, status, headers, _Raw(text))


class _Raw(io.BytesIO):
    """The body of an answer, as urllib3 would stream it."""

    def stream(self, **_: Any) -> Iterator[bytes]:
        yield self.read()


TIMEOUT_AFTER = Fault("timeout", True, _timeout)
FAULTS = (
    TIMEOUT_AFTER,
    Fault("reset", True, _reset),
    Fault("500", True, _answered(500, "InternalServerError")),
    Fault("reset", False, _reset),
    Fault("500", False, _answered(500, "InternalServerError")),
    Fault("throttled", False, _answered(400, "ProvisionedThroughputExceededException")),
    Fault("conflict", False, _conflict),
)
CONFLICT = FAULTS[-1]


@dataclass
class Connection:
    """A connection whose attempts can be counted and broken.

    ``broken`` holds the numbers of attempts, from 0, that meet the fault.
    """

    dynamo: Dynamo
    attempts: list[str] = field(default_factory=list)
    fault: Fault | None = None
    broken: frozenset[int] = frozenset()
    places: set[tuple[str, tuple[tuple[str, str], ...]]] = field(default_factory=set)

    def heal(self) -> None:
        """Let everything pass from now on, and count anew."""
        self.fault, self.broken = None, frozenset()
        self.attempts.clear()

    def break_at(self, fault: Fault, *numbers: int) -> None:
        """Let these attempts, counted from now on, meet the fault."""
        self.attempts.clear()
        self.fault, self.broken = fault, frozenset(numbers)

    def _send(self, request: Any, event_name: str, **_: Any) -> Any:
        operation = event_name.rpartition(".")[2]
        number = len(self.attempts)
        self.attempts.append(operation)
        if self.fault is None or number not in self.broken:
            return None
        if self.fault.after:
            self.dynamo.client._endpoint.http_session.send(request)
        return self.fault.make(request, operation)

    def _note(self, params: Any, model: Any, **_: Any) -> None:
        if model.name in WRITES:
            self.places.update(_places(model.name, params))


@contextmanager
def connection(settings: Settings, *, attempts: int) -> Iterator[Connection]:
    """A connection of which botocore makes so many attempts a call."""
    parameters = session_parameters(settings, "dynamodb")
    config = Config(retries={"mode": "standard", "total_max_attempts": attempts})
    parameters["config"] = parameters["config"].merge(config)
    client = boto3.client("dynamodb", **parameters)
    made = Connection(Dynamo(client))
    client.meta.events.register("before-send.dynamodb", made._send)
    client.meta.events.register("provide-client-params.dynamodb", made._note)
    try:
        yield made
    finally:
        client.close()


def _places(operation: str, params: Any) -> list[tuple[str, tuple[tuple[str, str], ...]]]:
    """Table and key of every item a call writes."""
    if operation == "TransactWriteItems":
        writes = [write for action in params["TransactItems"] for write in action.values()]
    elif operation == "BatchWriteItem":
        writes = [
            {"TableName": name, **one}
            for name, requests in params["RequestItems"].items()
            for request in requests
            for one in request.values()
        ]
    else:
        writes = [params]
    return [_place(w["TableName"], w.get("Key") or w["Item"]) for w in writes]


def _place(name: str, item: Any) -> tuple[str, tuple[tuple[str, str], ...]]:
    of = table(name)
    return name, tuple((key, item[key]["S"]) for key in (of.partition, of.sort) if key)


def content(dynamo: Dynamo, places: Any) -> dict[Any, Any]:
    """What stands at these places, without what follows from the clock."""
    found = {}
    for chunk in _chunks(places, 100):
        keys: dict[str, Any] = {}
        for name, key in chunk:
            wanted = keys.setdefault(name, {"Keys": [], "ConsistentRead": True})
            wanted["Keys"].append(encode(dict(key)))
        answer = dynamo.client.batch_get_item(RequestItems=keys)
        assert not answer.get("UnprocessedKeys")
        for name, items in answer["Responses"].items():
            for item in items:
                timed = _OF_THE_CLOCK.get(name, {"expires"})
                plain = {k: v for k, v in decode(item).items() if k not in timed}
                found[_place(name, item)] = plain
    return found


def empty(dynamo: Dynamo, places: Any) -> None:
    """Delete what stands at these places."""
    for chunk in _chunks(places, 25):
        deletes: dict[str, Any] = {}
        for name, key in chunk:
            request = {"DeleteRequest": {"Key": encode(dict(key))}}
            deletes.setdefault(name, []).append(request)
        assert not dynamo.client.batch_write_item(RequestItems=deletes).get("UnprocessedItems")


def _chunks(places: Any, most: int) -> Iterator[list[Any]]:
    ordered = sorted(places)
    return (ordered[at : at + most] for at in range(0, len(ordered), most))


def made(kind: type[Any], dynamo: Dynamo) -> Any:
    """A repository of this class over a connection."""
    given = {"dynamo": dynamo, "cursors": CURSORS}
    wanted = inspect.signature(kind).parameters
    return kind(**{name: given[name] for name in wanted})
