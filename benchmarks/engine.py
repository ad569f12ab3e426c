"""The embedded engine: single requests at 1,000 and 100,000 items, and its restart.

Budgets are ratios of one run: a request must not grow with the table, and an engine that
was killed with 100,000 items must answer again within 5 seconds.
"""

from __future__ import annotations

import random
import statistics
import tempfile
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path
from time import perf_counter
from typing import Any

import boto3
from botocore.config import Config

from cityverse.engine.launch import Endpoint, start

SMALL, LARGE = 1_000, 100_000
TABLE, INDEX, WHOLE_INDEX = "Bench", "owner-index", "kind-index"
PER_OWNER = 25
REQUESTS = 300
RATIO_BUDGET = 2.0  # on a busy machine two medians of the same request differ by half
RESTART_BUDGET_S = 5.0
LOADERS = 4

Row = dict[str, Any]


def run() -> list[Row]:
    """Measure in a temporary folder; rows as `bench --json` prints them."""
    with tempfile.TemporaryDirectory(prefix="cityverse-bench-") as folder:
        return _measure(Path(folder))


def _measure(folder: Path) -> list[Row]:
    engine = start(folder)
    try:
        with _client(engine.endpoint) as dynamodb:
            _create_table(dynamodb)
            _load(engine.endpoint, 0, SMALL)
            small = _requests(dynamodb, SMALL)
            _load(engine.endpoint, SMALL, LARGE)
            large = _requests(dynamodb, LARGE)
    finally:
        engine.process.kill()
        engine.process.wait()
    rows = []
    for case in small:
        rows.append(_row(case, SMALL, "p50_ms", small[case]))
        rows.append(_row(case, LARGE, "p50_ms", large[case], SMALL, small[case]))
    return [*rows, _restart(folder)]


def _restart(folder: Path) -> Row:
    """Seconds from the spawn to the first answer that reads an item."""
    began = perf_counter()
    engine = start(folder)
    try:
        with _client(engine.endpoint) as dynamodb:
            _get(dynamodb, LARGE - 1)
            seconds = perf_counter() - began
            found = dynamodb.describe_table(TableName=TABLE)["Table"]["ItemCount"]
    finally:
        engine.stop()
    if found != LARGE:
        raise RuntimeError(f"{found} of {LARGE} items came back")
    return {
        **_row("restart after kill -9", LARGE, "seconds", seconds),
        "budget": RESTART_BUDGET_S,
        "held": seconds < RESTART_BUDGET_S,
    }


def _row(case: str, size: int, metric: str, value: float, other: int = 0, base: float = 0.0) -> Row:
    ratio = value / base if base else None
    return {
        "bench": "engine",
        "case": case,
        "size": size,
        "metric": metric,
        "value": round(value, 3),
        "compared_with": f"{other} items" if other else None,
        "ratio": round(ratio, 2) if ratio is not None else None,
        "budget": RATIO_BUDGET if ratio is not None else None,
        "held": ratio <= RATIO_BUDGET if ratio is not None else None,
    }


def _requests(dynamodb: Any, size: int) -> dict[str, float]:
    """Median milliseconds of each kind of request against ``size`` items."""
    chosen = random.Random(size)
    _query(dynamodb, 0)  # the first query after a start builds the indexes
    _page(dynamodb, 0)  # the first of a partition sorts it
    return {
        "put": _median(lambda: _put(dynamodb, chosen.randrange(size))),
        "get": _median(lambda: _get(dynamodb, chosen.randrange(size))),
        "index query of 25": _median(lambda: _query(dynamodb, chosen.randrange(size))),
        "25 of a partition with all": _median(
            lambda: _page(dynamodb, chosen.randrange(size - PER_OWNER))
        ),
    }


def _median(request: Callable[[], object]) -> float:
    times = []
    for _ in range(REQUESTS):
        began = perf_counter()
        request()
        times.append(perf_counter() - began)
    return 1000 * statistics.median(times)


def _put(dynamodb: Any, number: int) -> None:
    dynamodb.put_item(TableName=TABLE, Item=_item(number))


def _get(dynamodb: Any, number: int) -> None:
    key = {"id": {"S": f"i{number:07}"}}
    if "Item" not in dynamodb.get_item(TableName=TABLE, Key=key, ConsistentRead=True):
        raise RuntimeError(f"item {number} is not there")


def _query(dynamodb: Any, number: int) -> None:
    answer = dynamodb.query(
        TableName=TABLE,
        IndexName=INDEX,
        KeyConditionExpression="#o = :o",
        ExpressionAttributeNames={"#o": "owner"},
        ExpressionAttributeValues={":o": {"S": f"o{number // PER_OWNER:06}"}},
        ScanIndexForward=False,
        Limit=PER_OWNER,
    )
    if answer["Count"] != PER_OWNER:
        raise RuntimeError(f"{answer['Count']} items of owner {number // PER_OWNER}")


def _page(dynamodb: Any, number: int) -> None:
    """A page somewhere in the one partition that holds every item."""
    answer = dynamodb.query(
        TableName=TABLE,
        IndexName=WHOLE_INDEX,
        KeyConditionExpression="#k = :k AND #a >= :a",
        ExpressionAttributeNames={"#k": "kind", "#a": "at"},
        ExpressionAttributeValues={":k": {"S": "item"}, ":a": {"S": f"2026-{number:07}"}},
        Limit=PER_OWNER,
    )
    if [int(item["count"]["N"]) for item in answer["Items"]] != [
        *range(number, number + PER_OWNER)
    ]:
        raise RuntimeError(f"{answer['Count']} items from item {number} on, or others")


def _load(endpoint: Endpoint, first: int, end: int) -> None:
    """Put items by BatchWriteItem from a few threads."""

    def load(begin: int) -> None:
        request = {TABLE: [{"PutRequest": {"Item": _item(n)}} for n in range(begin, begin + 25)]}
        dynamodb.batch_write_item(RequestItems=request)

    with _client(endpoint) as dynamodb, ThreadPoolExecutor(LOADERS) as pool:
        list(pool.map(load, range(first, end, 25)))


def _item(number: int) -> dict[str, Any]:
    return {
        "id": {"S": f"i{number:07}"},
        "owner": {"S": f"o{number // PER_OWNER:06}"},
        "kind": {"S": "item"},
        "at": {"S": f"2026-{number:07}"},
        "title": {"S": f"An item of the benchmark, number {number}"},
        "body": {"S": "about a neighbourhood " * 12},
        "count": {"N": str(number)},
        "point": {"M": {"lat": {"N": "48.8566"}, "lon": {"N": "2.3522"}}},
    }


def _create_table(dynamodb: Any) -> None:
    dynamodb.create_table(
        TableName=TABLE,
        BillingMode="PAY_PER_REQUEST",
        AttributeDefinitions=[
            {"AttributeName": name, "AttributeType": "S"} for name in ("id", "owner", "kind", "at")
        ],
        KeySchema=[{"AttributeName": "id", "KeyType": "HASH"}],
        GlobalSecondaryIndexes=[
            {
                "IndexName": index,
                "KeySchema": [
                    {"AttributeName": hash_, "KeyType": "HASH"},
                    {"AttributeName": "at", "KeyType": "RANGE"},
                ],
                "Projection": {"ProjectionType": "ALL"},
            }
            for index, hash_ in ((INDEX, "owner"), (WHOLE_INDEX, "kind"))
        ],
    )


def _client(endpoint: Endpoint) -> Any:
    return closing(
        boto3.client(
            "dynamodb",
            endpoint_url=endpoint.endpoint,
            aws_access_key_id=endpoint.access_key,
            aws_secret_access_key=endpoint.secret_key,
            region_name=endpoint.region,
            config=Config(max_pool_connections=LOADERS, retries={"total_max_attempts": 1}),
        )
    )
