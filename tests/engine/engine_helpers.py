"""Tables and items as the engine's tests use them."""

from __future__ import annotations

from typing import Any

from cityverse.engine.launch import EngineProcess

Item = dict[str, Any]


def create_table(dynamodb: Any, name: str) -> None:
    dynamodb.create_table(
        TableName=name,
        BillingMode="PAY_PER_REQUEST",
        AttributeDefinitions=[
            {"AttributeName": attribute, "AttributeType": kind}
            for attribute, kind in (("id", "S"), ("at", "N"), ("owner", "S"))
        ],
        KeySchema=[
            {"AttributeName": "id", "KeyType": "HASH"},
            {"AttributeName": "at", "KeyType": "RANGE"},
        ],
        GlobalSecondaryIndexes=[
            {
                "IndexName": "owner-index",
                "KeySchema": [{"AttributeName": "owner", "KeyType": "HASH"}],
                "Projection": {"ProjectionType": "ALL"},
            }
        ],
    )


def item(name: str, at: int = 0, owner: str = "nobody", **values: Any) -> Item:
    return {"id": {"S": name}, "at": {"N": str(at)}, "owner": {"S": owner}, **values}


def key(name: str, at: int = 0) -> Item:
    return {"id": {"S": name}, "at": {"N": str(at)}}


def get(dynamodb: Any, table: str, name: str, at: int = 0) -> Item | None:
    answer = dynamodb.get_item(TableName=table, Key=key(name, at), ConsistentRead=True)
    found: Item | None = answer.get("Item")
    return found


def scan(dynamodb: Any, table: str) -> dict[tuple[str, int], Item]:
    pages = dynamodb.get_paginator("scan").paginate(TableName=table)
    return {
        (found["id"]["S"], int(found["at"]["N"])): found
        for page in pages
        for found in page["Items"]
    }


def kill(engine: EngineProcess) -> None:
    engine.process.kill()
    engine.process.wait()
