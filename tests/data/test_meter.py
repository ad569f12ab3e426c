"""Units are counted as the DynamoDB Developer Guide counts them in its examples."""

import threading
from concurrent.futures import ThreadPoolExecutor

import pytest
from helpers import NOW, location, post

from cityverse.data.client import check_write, delete_write, put_write, update_write
from cityverse.data.meter import (
    READ_STEP,
    Line,
    index_write_units,
    item_size,
    metered,
    read_units,
    write_units,
)
from cityverse.data.registry import Index, Table
from cityverse.errors import InputError

KB = 1024


def of_size(size, **more):
    """A typed item of so many bytes."""
    item = {"id": {"S": "x"}, **more, "t": {"S": ""}}
    item["t"]["S"] = "x" * (size - item_size(item))
    return item


@pytest.mark.parametrize(
    ("value", "size"),
    [
        ({"S": ""}, 0),
        ({"S": "été"}, 5),
        ({"N": "0"}, 1),
        ({"N": "5"}, 2),
        ({"N": "27"}, 2),
        ({"N": "-27"}, 3),
        ({"N": "461"}, 3),
        ({"N": "461000"}, 3),
        ({"N": "0.0461"}, 3),
        ({"N": "1E+2"}, 2),
        ({"N": "1234567890123456789012345678901234567.8"}, 20),
        ({"BOOL": False}, 1),
        ({"NULL": True}, 1),
        ({"B": b"abc"}, 3),
        ({"B": "YWJj"}, 3),
        ({"SS": ["a", "é"]}, 3),
        ({"NS": ["1", "22"]}, 4),
        ({"BS": [b"a", b"bc"]}, 3),
        ({"L": []}, 3),
        ({"L": [{"S": "ab"}, {"BOOL": True}]}, 3 + 1 + 2 + 1 + 1),
        ({"M": {}}, 3),
        ({"M": {"né": {"S": "ab"}}}, 3 + 1 + 3 + 2),
    ],
)
def test_an_attribute_is_as_large_as_its_name_and_its_value(value, size):
    assert item_size({"nom": value}) == 3 + size
    assert item_size({"é": value}) == 2 + size


def test_an_item_is_the_sum_of_its_attributes():
    assert item_size({}) == 0
    assert item_size({"id": {"S": "p1"}, "n": {"N": "12"}}) == 2 + 2 + 1 + 2
    assert item_size(of_size(3500)) == 3500


@pytest.mark.parametrize(
    ("size", "factor", "units"),
    [
        (int(3.5 * KB), 1, 1),  # "reading a 3,500-byte item … the same as a 4 KB item"
        (8 * KB, 1, 2),
        (8 * KB, 0.5, 1),
        (8 * KB, 2, 4),
        (10 * KB, 1, 3),  # "10 KB, rounded up to 12 KB"
        (int(40.8 * KB), 1, 11),  # ten items of a Query, "rounds … to 44 KB"
        (1500 * 64, 1, 24),  # "1500 items of 64 bytes each … 96 KB"
        (0, 1, 1),
        (0, 0.5, 0.5),
    ],
)
def test_reads_go_by_steps_of_4_kb(size, factor, units):
    assert read_units(size, factor) == units


@pytest.mark.parametrize(
    ("before", "after", "units"),
    [
        (0, 500, 1),  # "writing a 500-byte item … the same as a 1 KB item"
        (0, 2 * KB, 2),
        (0, int(1.5 * KB), 2),
        (3 * KB, 100, 3),  # the larger of the two
        (100, 3 * KB, 3),
        (3 * KB, 0, 3),
        (0, 0, 1),  # deleting what is not there
    ],
)
def test_writes_go_by_steps_of_1_kb_of_the_larger_item(before, after, units):
    assert write_units(of_size(before) if before else {}, of_size(after) if after else {}) == units


TABLE = Table("T", "", indexes=(Index("i", "p", "s"),))


def entry(p="p", s="s", t="", **more):
    return {"id": {"S": "x"}, "p": {"S": p}, "s": {"S": s}, "t": {"S": t}, **more}


@pytest.mark.parametrize(
    ("before", "after", "units"),
    [
        ({}, entry(), 1),  # a new item that defines the indexed attribute
        (entry(p="other"), entry(), 2),  # the old entry deleted, the new one put
        (entry(), {}, 1),
        (entry(), {"id": {"S": "x"}}, 1),  # the indexed attribute removed
        ({"id": {"S": "x"}}, {"id": {"S": "x"}, "t": {"S": "?"}}, 0),  # never in the index
        (entry(), entry(t="?"), 1),  # only other attributes changed
        (entry(), entry(), 0),
        (entry(t="x" * 3000), entry(t="x" * 900, s="later"), 4),
    ],
)
def test_an_index_costs_by_the_entries_that_change(before, after, units):
    assert index_write_units(TABLE, TABLE.indexes[0], before, after) == units


@pytest.fixture
def put(store):
    """Write typed items into NewsSource, a table with an index."""

    def put(*items):
        for item in items:
            store.dynamo.client.put_item(TableName="NewsSource", Item=item)

    return put


def sized(name, size):
    item = {"id": {"S": name}, "t": {"S": ""}}
    item["t"]["S"] = "x" * (size - item_size(item))
    return item


def test_each_item_of_a_batch_is_rounded_by_itself(store, put):
    put(sized("a", int(1.5 * KB)), sized("b", int(6.5 * KB)))
    with metered(store.dynamo) as bill:
        store.dynamo.get_many("NewsSource", [{"id": "a"}, {"id": "b"}])
    # "items of 1.5 KB and 6.5 KB … 12 KB (4 KB + 8 KB), not 8 KB"
    assert bill.lines() == [Line("BatchGetItem", "NewsSource", None, 1, 3.0, 2)]
    with metered(store.dynamo) as bill:
        assert len(store.dynamo.get_many("NewsSource", [{"id": n} for n in "abcd"])) == 2
    assert bill.reads == 5.0


@pytest.mark.parametrize(("consistent", "units"), [(True, 3.0), (False, 1.5)])
def test_one_item_is_rounded_up(store, put, consistent, units):
    put(sized("a", 10 * KB))
    with metered(store.dynamo) as bill:
        store.dynamo.get("NewsSource", {"id": "a"}, consistent=consistent)
    assert bill.reads == units
    with metered(store.dynamo) as bill:
        store.dynamo.get("NewsSource", {"id": "nobody"}, consistent=consistent)
    assert bill.reads == (1.0 if consistent else 0.5)


def queried(store, **more):
    return store.dynamo.query(
        "NewsSource",
        index="status-index",
        limit=100,
        KeyConditionExpression="#s = :s",
        ExpressionAttributeNames={"#s": "status"},
        ExpressionAttributeValues={":s": "active"},
        **more,
    )


def test_a_query_rounds_the_sum_of_what_it_read(store, put):
    for n in range(10):
        item = {"status": {"S": "active"}, "next_check": {"S": f"{n}"}} | sized(f"s{n}", 4000)
        put(item)
    with metered(store.dynamo) as bill:
        assert len(queried(store)) == 10
    total = 10 * (4000 + 6 + 6 + 10 + 1)
    assert bill.lines() == [
        Line("Query", "NewsSource", "status-index", 1, 0.5 * -(-total // READ_STEP), 10)
    ]


def test_a_query_that_finds_nothing_costs_a_step(store):
    with metered(store.dynamo) as bill:
        assert queried(store) == []
    assert (bill.reads, bill.operations) == (0.5, {"Query"})


def test_reads_of_a_transaction_are_doubled(store, put):
    put(sized("a", 5 * KB))
    keys = [{"id": {"S": name}} for name in ("a", "nobody")]
    with metered(store.dynamo) as bill:
        store.dynamo.client.transact_get_items(
            TransactItems=[{"Get": {"TableName": "NewsSource", "Key": key}} for key in keys]
        )
    assert bill.reads == 2 * 2 + 2


@pytest.mark.parametrize(
    "hiding",
    [
        {"FilterExpression": "attribute_exists(id)"},
        {"ProjectionExpression": "id"},
        {"Select": "COUNT"},
    ],
)
def test_a_query_that_hides_what_it_read_is_refused(store, hiding):
    with metered(store.dynamo) as bill, pytest.raises(InputError, match="cannot be metered"):
        queried(store, **hiding)
    assert bill.lines() == []


def test_writes_are_counted_with_the_index_they_touch(store):
    client = store.dynamo.client
    listed = {"status": {"S": "active"}, "next_check": {"S": "1"}}
    with metered(store.dynamo) as bill:
        client.put_item(TableName="NewsSource", Item=listed | sized("a", 1500))
    assert bill.writes == 2 + 2
    with metered(store.dynamo) as bill:
        store.dynamo.update(
            "NewsSource",
            {"id": "a"},
            UpdateExpression="SET next_check = :n",
            ExpressionAttributeValues={":n": "2"},
        )
    assert bill.writes == 2 + 2 + 2  # the entry moves in the index
    with metered(store.dynamo) as bill:
        store.dynamo.delete("NewsSource", {"id": "a"})
        store.dynamo.delete("NewsSource", {"id": "a"})
    assert [(line.index, line.calls, line.units) for line in bill.lines()] == [
        (None, 2, 3),
        ("status-index", 1, 2),
    ]
    assert bill.reads == 0


def test_a_failed_condition_costs_the_item_that_is_there(store, put):
    put(sized("a", 2500))
    request = {"ConditionExpression": "attribute_not_exists(id)", "TableName": "NewsSource"}
    refused = store.dynamo.client.exceptions.ConditionalCheckFailedException
    with metered(store.dynamo) as bill, pytest.raises(refused):
        store.dynamo.client.put_item(Item=sized("a", 100), **request)
    assert bill.writes == 3


def test_writes_of_a_transaction_are_doubled_but_not_their_indexes(store, put):
    put({"status": {"S": "active"}, "next_check": {"S": "1"}} | sized("old", 1500))
    new = {"id": "new", "status": "paused", "next_check": "1"}
    writes = [
        put_write("NewsSource", new),
        delete_write("NewsSource", {"id": "old"}),
        update_write("Meta", {"id": "m"}, {"t": "?"}, condition="attribute_not_exists(id)"),
        check_write("Meta", {"id": "n"}, ConditionExpression="attribute_not_exists(id)"),
    ]
    with metered(store.dynamo) as bill:
        store.dynamo.transact(writes)
    assert {(line.table, line.index): line.units for line in bill.lines()} == {
        ("NewsSource", None): 2 * (1 + 2),
        ("NewsSource", "status-index"): 1 + 2,
        ("Meta", None): 2 * 2,
    }


def test_a_batch_of_writes_is_counted(store):
    puts = [{"PutRequest": {"Item": sized(f"s{n}", 1500)}} for n in range(3)]
    with metered(store.dynamo) as bill:
        store.dynamo.client.batch_write_item(RequestItems={"NewsSource": puts})
    assert bill.lines() == [Line("BatchWriteItem", "NewsSource", None, 1, 6, 3)]


def test_creating_a_post_costs_its_rows_and_its_lists(store):
    store.posts.create(post("first", created=NOW))  # the bucket is entered once
    with metered(store.dynamo) as bill:
        store.posts.create(post("p2", title="Tomates", text="Ce.", location=location()))
    in_posts = {line.index: line.units for line in bill.lines() if line.table == "Posts"}
    assert in_posts == {
        None: 2,
        "day-index": 1,
        "arrondissement-index": 1,
        "association-index": 1,
        "cell-index": 1,
    }


def test_calls_of_many_threads_are_all_counted_and_nothing_afterwards(store):
    start = threading.Barrier(8)

    def read(_):
        start.wait(10)
        for n in range(10):
            store.dynamo.get("NewsSource", {"id": f"s{n}"})

    with (
        metered(store.dynamo) as bill,
        metered(store.dynamo) as inner,
        ThreadPoolExecutor(8) as pool,
    ):
        list(pool.map(read, range(8)))
    read_after = bill.reads
    store.dynamo.get("NewsSource", {"id": "s1"})
    assert bill.reads == inner.reads == read_after == 80
