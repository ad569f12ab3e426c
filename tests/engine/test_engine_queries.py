"""A Query of a sorted partition answers as ministack's own does, and in the documented order."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator
from decimal import Decimal
from itertools import count
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from cityverse.engine import queries

Request = dict[str, Any]

# Few values, that they meet; hard ones, that an order of another kind shows.
VALUES = {
    "S": ["a", "ab", "abc", "b", "B", "é", "e\u0301", "\uffff", "\U00010000", " ", "~"],
    # Written plainly: ministack's UpdateItem takes 100 and 1E+2 for two keys.
    "N": ["-10", "-1.5", "-0.0000000001", "0", "1", "1.5", "9", "10", "100", "9" * 38],
    "B": [base64.b64encode(b).decode() for b in (b"\x00", b"\x01\xff", b"\x7f", b"\x80", b"\xff")],
}
PARTITIONS = ["p", "q"]
OWNERS = ["ana", "ben"]
ORDER = {"S": str.encode, "N": Decimal, "B": base64.b64decode}
KEYS = {
    None: ("id", "at"),
    "ranked": ("owner", "score"),
    "owned": ("owner", None),
    "some": ("kind", "score"),
    "local": ("id", "score"),
    "many": ("owner", "score"),
}
WHOSE = {"id": PARTITIONS, "owner": OWNERS, "kind": ["k"]}
FORMS = ["{h} AND {s}", "({h}) AND ({s})", "{s} AND {h}", "({h} AND {s})", "{h}"]
WRONG_FORMS = ["{h} AND NOT {s}", "{h} OR {s}", "{h} {s}", "(({h})) AND {s}", "{h} AND ({s}"]
SORTS = [
    *[f"{{n}} {operator} :v" for operator in ("=", "<", "<=", ">", ">=")],
    *["{n} BETWEEN :v AND :w", "{n} between :v and :w"],
    *["begins_with({n}, :v)", "begins_with ( {n},:v )"],
]
WRONG_SORTS = [":v <= {n}", "{n} <> :v", "{n} BETWEEN :w AND :v", "{n} IN (:v)", "size({n}) = :v"]
MORE = {
    "Limit": st.integers(1, 5),
    "ScanIndexForward": st.booleans(),
    "ReturnConsumedCapacity": st.just("INDEXES"),
}
_numbers = count()


@pytest.fixture(scope="module")
def dynamodb() -> Iterator[Any]:
    """ministack's own functions, its Query narrowed; partitions above two items are kept."""
    from ministack.services import dynamodb

    with pytest.MonkeyPatch.context() as patch:
        for name in ("_query", "_set_item", "_remove_item"):
            patch.setattr(dynamodb, name, getattr(dynamodb, name))  # put back at the end
        patch.setattr(queries, "_FEW", 2)
        dynamodb.own_query = dynamodb._query
        queries.SortedQueries(dynamodb)
        yield dynamodb
        del dynamodb.own_query


def create_table(dynamodb: Any, kind: str) -> str:
    """A table with a sort key of this type, and an index of every form."""

    def index(name: str, hash_: str, *ranges: str, **projection: Any) -> Request:
        keys = [{"AttributeName": hash_, "KeyType": "HASH"}]
        keys += [{"AttributeName": one, "KeyType": "RANGE"} for one in ranges]
        return {
            "IndexName": name,
            "KeySchema": keys,
            "Projection": projection or {"ProjectionType": "ALL"},
        }

    name = f"Table{next(_numbers)}"
    kinds = {"id": "S", "at": kind, "owner": "S", "score": kind, "kind": "S"}
    include = {"ProjectionType": "INCLUDE", "NonKeyAttributes": ["text"]}
    answer = dynamodb._create_table(
        {
            "TableName": name,
            "BillingMode": "PAY_PER_REQUEST",
            "AttributeDefinitions": [
                {"AttributeName": n, "AttributeType": k} for n, k in kinds.items()
            ],
            "KeySchema": index("", "id", "at")["KeySchema"],
            "GlobalSecondaryIndexes": [
                index("ranked", "owner", "score"),
                index("owned", "owner", ProjectionType="KEYS_ONLY"),
                index("some", "kind", "score", **include),
                index("many", "owner", "score", "kind"),
            ],
            "LocalSecondaryIndexes": [index("local", "id", "score")],
        }
    )
    assert answer[0] == 200, answer
    return name


def ask(dynamodb: Any, request: Request) -> Request:
    """The answer to a Query, the same with and without the narrowing."""
    own = dynamodb.own_query(json.loads(json.dumps(request)))
    narrowed = dynamodb._query(json.loads(json.dumps(request)))
    assert (narrowed[0], narrowed[2]) == (own[0], own[2])
    answer: Request = json.loads(narrowed[2])
    return answer | {"status": narrowed[0]}


def pages(dynamodb: Any, request: Request) -> list[Request]:
    """Every item, page by page."""
    found, start = [], request.get("ExclusiveStartKey")
    for _ in range(200):
        answer = ask(dynamodb, request | ({"ExclusiveStartKey": start} if start else {}))
        found += answer.get("Items", [])
        start = answer.get("LastEvaluatedKey")
        if not start:
            return found
    raise AssertionError("the pages do not end")


@st.composite
def items(draw: Any, kind: str) -> Request:
    item = {
        "id": {"S": draw(st.sampled_from(PARTITIONS))},
        "at": {kind: draw(st.sampled_from(VALUES[kind]))},
        "text": {"S": draw(st.sampled_from(["one", "two"]))},
        "owner": {"S": draw(st.sampled_from(OWNERS))},
        "score": {kind: draw(st.sampled_from(VALUES[kind]))},
        "kind": {"S": "k"},
    }
    for name in draw(st.sets(st.sampled_from(["owner", "score", "kind", "text"]), max_size=1)):
        del item[name]
    return item


def one_of(right: list[str], wrong: list[str]) -> st.SearchStrategy[str]:
    """Nine times of ten what ministack takes."""
    return st.integers(0, 9).flatmap(lambda n: st.sampled_from(right if n else wrong))


@st.composite
def conditions(draw: Any, kind: str, index: str | None) -> Request:
    """A key condition in one of the ways to write one."""
    hash_, sort = KEYS[index]
    values: Request = {":h": {"S": draw(one_of(WHOSE[hash_], ["nobody"]))}}
    names = {"#h": hash_}
    form = draw(one_of(FORMS, WRONG_FORMS)) if sort else "{h}"
    condition = draw(one_of(SORTS if kind != "N" else SORTS[:-2], WRONG_SORTS))
    if "{s}" in form:
        low, high = sorted(draw(st.tuples(*[st.sampled_from(VALUES[kind])] * 2)), key=ORDER[kind])
        values[":v"] = {draw(one_of([kind], ["S", "N", "B"])): low}
        if ":w" in condition:
            values[":w"] = {draw(one_of([kind], ["S", "N", "B"])): high}
        if alias := draw(st.booleans()) or sort == "at":  # a reserved word
            names["#s"] = sort
        condition = condition.format(n="#s" if alias else sort)
    return {
        "KeyConditionExpression": form.format(h="#h = :h", s=condition),
        "ExpressionAttributeNames": names,
        "ExpressionAttributeValues": values,
    }


@st.composite
def requests(draw: Any, kind: str) -> Request:
    index = draw(st.sampled_from(list(KEYS)))
    request: Request = draw(conditions(kind, index)) | draw(
        st.fixed_dictionaries({}, optional=MORE)
    )
    if index:
        request["IndexName"] = index
    if draw(st.integers(0, 3)) == 0:
        request["ExpressionAttributeNames"]["#t"] = "text"
        request["ExpressionAttributeValues"][":t"] = {"S": "one"}
        request["FilterExpression"] = "#t = :t"
    what = draw(
        st.sampled_from(["", "", "", "COUNT", "ALL_ATTRIBUTES", "ALL_PROJECTED_ATTRIBUTES"])
    )
    if what:
        request["Select"] = what
    elif draw(st.booleans()):
        request["ProjectionExpression"] = "id, score"
    if draw(st.integers(0, 3)) == 0:
        start = draw(items(kind))
        wanted = {"id", "at", *KEYS[index]} if draw(st.integers(0, 9)) else set(start)
        start[KEYS[index][0]] = request["ExpressionAttributeValues"][":h"]
        request["ExclusiveStartKey"] = {n: v for n, v in start.items() if n in wanted}
    return request


def change(dynamodb: Any, table: str, how: str, item: Request) -> None:
    key = {name: item[name] for name in ("id", "at")}
    rest = {name: value for name, value in item.items() if name not in key}
    if how == "put":
        dynamodb._put_item({"TableName": table, "Item": item})
    elif how == "delete":
        dynamodb._delete_item({"TableName": table, "Key": key})
    elif how == "update":
        request = {"TableName": table, "Key": key}
        if rest:
            request |= {
                "UpdateExpression": "SET " + ", ".join(f"#{n} = :{n}" for n in rest),
                "ExpressionAttributeNames": {f"#{n}": n for n in rest},
                "ExpressionAttributeValues": {f":{n}": value for n, value in rest.items()},
            }
        dynamodb._update_item(request)
    elif how == "remove":
        request = {"TableName": table, "Key": key, "UpdateExpression": "REMOVE #o, #r"}
        names = {"#o": "owner", "#r": "score"}
        dynamodb._update_item(request | {"ExpressionAttributeNames": names})
    elif how == "transact":
        write = {"Put": {"TableName": table, "Item": item}}
        refused = {"Delete": {"TableName": table, "Key": key | {"id": {"S": "elsewhere"}}}}
        dynamodb._transact_write_items({"TransactItems": [write, refused]})
    else:  # a statement that fails after another, so that all items are put back
        update = f'UPDATE "{table}" SET "text" = \'x\' WHERE id = ? AND "at" = ?'
        missing = [{"S": "nobody"}, item["at"]]
        dynamodb._execute_transaction(
            {
                "TransactStatements": [
                    {"Statement": update, "Parameters": parameters}
                    for parameters in ([item["id"], item["at"]], missing)
                ]
            }
        )


HOW = st.sampled_from(["put", "put", "put", "update", "remove", "delete", "transact", "statements"])


@pytest.mark.parametrize("examples", [40, pytest.param(1_000, marks=pytest.mark.slow)])
@pytest.mark.parametrize("kind", ["S", "N", "B"])
def test_answers_equal_those_of_ministack(dynamodb: Any, kind: str, examples: int) -> None:
    @settings(max_examples=examples, deadline=None, suppress_health_check=list(HealthCheck))
    @given(
        first=st.lists(items(kind), min_size=5, max_size=30),
        steps=st.lists(st.tuples(HOW, items(kind), requests(kind)), max_size=10),
    )
    def compare(first: list[Request], steps: list[tuple[str, Request, Request]]) -> None:
        table = create_table(dynamodb, kind)
        try:
            for item in first:
                change(dynamodb, table, "put", item)
            for how, item, asked in steps:
                request = asked | {"TableName": table}
                if ask(dynamodb, request)["status"] == 200:
                    pages(dynamodb, request)
                change(dynamodb, table, how, item)
                ask(dynamodb, request)
        finally:
            dynamodb._delete_table({"TableName": table})

    compare()


def filled(dynamodb: Any, kind: str) -> str:
    table = create_table(dynamodb, kind)
    for place, at in enumerate(VALUES[kind]):
        for owner in OWNERS:
            rank = VALUES[kind][(place * 3) % len(VALUES[kind])]
            item = {"id": {"S": owner}, "at": {kind: at}, "owner": {"S": owner}}
            change(dynamodb, table, "put", item | {"score": {kind: rank}, "n": {"N": str(place)}})
    return table


@pytest.mark.parametrize("kind", ["S", "N", "B"])
@pytest.mark.parametrize("index", [None, "ranked"])
@pytest.mark.parametrize("limit", [1, 2, 3, 100])
def test_pages_run_in_the_documented_order(
    dynamodb: Any, kind: str, index: str | None, limit: int
) -> None:
    """Text by its UTF-8 bytes, numbers by value, binaries by unsigned bytes; and back."""
    hash_, sort = KEYS[index]
    request = {
        "TableName": filled(dynamodb, kind),
        "KeyConditionExpression": f"{hash_} = :h" if index is None else "#o = :h",
        "ExpressionAttributeValues": {":h": {"S": "ana"}},
        "Limit": limit,
    }
    if index:
        request |= {"IndexName": index, "ExpressionAttributeNames": {"#o": hash_}}
    forward = pages(dynamodb, request)
    order = [ORDER[kind](item[sort][kind]) for item in forward]
    assert order == sorted(order)
    assert len({item["at"][kind] for item in forward}) == len(forward) >= 5
    assert pages(dynamodb, request | {"ScanIndexForward": False}) == forward[::-1]


@pytest.mark.parametrize("limit", [None, 3, 5])
def test_a_page_ends_at_a_megabyte(dynamodb: Any, limit: int | None) -> None:
    table = create_table(dynamodb, "N")
    for n in range(9):
        item = {"id": {"S": "p"}, "at": {"N": str(n)}, "owner": {"S": "ana"}}
        change(dynamodb, table, "put", item | {"text": {"S": "x" * 300_000}})
    request = {
        "TableName": table,
        "KeyConditionExpression": "id = :h",
        "ExpressionAttributeValues": {":h": {"S": "p"}},
    } | ({"Limit": limit} if limit else {})
    first = ask(dynamodb, request)
    assert (first["Count"], first["LastEvaluatedKey"]["at"]) == (3, {"N": "2"})
    assert [item["at"]["N"] for item in pages(dynamodb, request)] == [str(n) for n in range(9)]
    request |= {"IndexName": "owned", "KeyConditionExpression": "#o = :h"}
    request |= {"ExpressionAttributeNames": {"#o": "owner"}}
    request |= {"ExpressionAttributeValues": {":h": {"S": "ana"}}}
    assert len(pages(dynamodb, request)) == 9


class Counted(dict[Any, Any]):
    """The items of a table by partition, counting how often one is asked for."""

    asked = 0

    def __getitem__(self, partition: Any) -> Any:
        self.asked += 1
        return super().__getitem__(partition)


def test_a_page_looks_at_its_own_items_only(dynamodb: Any) -> None:
    name = create_table(dynamodb, "N")
    for n in range(500):
        item = {"id": {"S": f"p{n}"}, "at": {"N": "1"}, "owner": {"S": "ana"}}
        change(dynamodb, name, "put", item | {"score": {"N": str(n)}})
    table = dynamodb._tables[name]
    table["items"] = items = Counted(table["items"])
    request = {
        "TableName": name,
        "IndexName": "ranked",
        "KeyConditionExpression": "#o = :o AND score > :s",
        "ExpressionAttributeNames": {"#o": "owner"},
        "ExpressionAttributeValues": {":o": {"S": "ana"}, ":s": {"N": "100"}},
        "Limit": 5,
    }
    ask(dynamodb, request)
    items.asked = 0
    answer = json.loads(dynamodb._query(request)[2])
    assert [item["score"]["N"] for item in answer["Items"]] == ["101", "102", "103", "104", "105"]
    assert items.asked <= 2 * 5
    change(dynamodb, name, "put", {"id": {"S": "new"}, "at": {"N": "1"}, "owner": {"S": "ana"},
                                   "score": {"N": "101.5"}})  # fmt: skip
    items.asked = 0
    start = answer["LastEvaluatedKey"]
    answer = json.loads(
        dynamodb._query(request | {"ScanIndexForward": False, "ExclusiveStartKey": start})[2]
    )
    assert [item["score"]["N"] for item in answer["Items"]] == ["104", "103", "102", "101.5", "101"]
    assert items.asked <= 2 * 5


def test_an_index_made_anew_under_its_name_is_sorted_anew(dynamodb: Any) -> None:
    name = filled(dynamodb, "S")
    request = {
        "TableName": name,
        "IndexName": "ranked",
        "KeyConditionExpression": "#o = :h",
        "ExpressionAttributeNames": {"#o": "owner"},
        "ExpressionAttributeValues": {":h": {"S": "ana"}},
    }
    by_score = pages(dynamodb, request)
    keys = {"owner": "HASH", "at": "RANGE"}
    index = {
        "IndexName": "ranked",
        "KeySchema": [{"AttributeName": n, "KeyType": kind} for n, kind in keys.items()],
        "Projection": {"ProjectionType": "ALL"},
    }
    for update in ({"Delete": {"IndexName": "ranked"}}, {"Create": index}):
        answer = dynamodb._update_table(
            {
                "TableName": name,
                "AttributeDefinitions": [{"AttributeName": n, "AttributeType": "S"} for n in keys],
                "GlobalSecondaryIndexUpdates": [update],
            }
        )
        assert answer[0] == 200, answer
    by_time = pages(dynamodb, request)
    assert by_time != by_score
    assert [item["at"]["S"] for item in by_time] == sorted(VALUES["S"], key=str.encode)


def test_conditions_of_the_old_form_are_answered(dynamodb: Any) -> None:
    equal = {"ComparisonOperator": "EQ", "AttributeValueList": [{"S": "ana"}]}
    above = {"ComparisonOperator": "GT", "AttributeValueList": [{"N": "1"}]}
    request = {"TableName": filled(dynamodb, "N"), "KeyConditions": {"id": equal, "at": above}}
    found = [item["at"]["N"] for item in pages(dynamodb, request | {"Limit": 2})]
    assert found == ["1.5", "9", "10", "100", "9" * 38]
