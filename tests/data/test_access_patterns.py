"""Every access pattern of docs/data.md: by keys, below its bound, at the same cost at any size."""

import re
from pathlib import Path

import pytest

from benchmarks import data as bench
from cityverse.data.registry import TABLES

DOCS = Path(__file__).parents[2] / "docs" / "data.md"
READS = {"GetItem", "BatchGetItem", "Query"}
GROWTH = 1.05


def documented():
    """The rows of the table in the documentation, by the name of the pattern."""
    text = DOCS.read_text(encoding="utf-8")
    section = text.split("## Access patterns")[1].split("\n## ")[0]
    lines = [line for line in section.splitlines() if line.startswith("|")]
    header, _, *rows = ([cell.strip() for cell in line.strip("|").split("|")] for line in lines)
    named = [dict(zip(header, row, strict=True)) for row in rows]
    assert len({row["Pattern"] for row in named}) == len(named)
    return {row["Pattern"]: row for row in named}


def costs(folder, size):
    """What each pattern costs with so many items of each kind."""
    with bench.stocked(folder, posts=size, others=size) as store:
        return {pattern.name: bench.cost(store, pattern) for pattern in bench.patterns()}


@pytest.fixture(scope="module")
def small(tmp_path_factory):
    """The costs with 400 items of each kind."""
    return costs(tmp_path_factory.mktemp("small"), 400)


def check(small, large):
    rows = documented()
    for name, bill in large.items():
        assert bill.operations <= READS, name
        assert 0 < bill.reads <= float(rows[name]["Units at most"]), name
        assert bill.reads <= GROWTH * small[name].reads, name
        assert small[name].operations <= READS, name


def test_the_documented_patterns_are_those_that_are_run():
    assert list(documented()) == sorted(
        (pattern.name for pattern in bench.patterns()), key=list(documented()).index
    )
    assert len(documented()) > 45


def test_patterns_cost_no_more_than_documented(small):
    check(small, small)


@pytest.mark.slow
def test_patterns_cost_the_same_with_20_000_items_as_with_1_000(tmp_path):
    check(costs(tmp_path / "small", 1_000), costs(tmp_path / "large", 20_000))


def test_the_tables_and_indexes_that_are_read_are_documented(small):
    """A pattern reads what the documentation says, and nothing else."""
    by_name = {table.name: table for table in TABLES}
    for name, row in documented().items():
        said = re.findall(r"[\w-]+", row["Table or index"])
        if "the" in said:  # a filter, on whichever list it runs
            continue
        tables = [word for word in said if word in by_name]
        indexes = {word for word in said if word.endswith("-index")}
        assert {line.table for line in small[name].lines()} <= set(tables), name
        assert {line.index for line in small[name].lines() if line.index} == indexes, name


def test_a_pattern_that_gives_too_little_is_seen(store):
    with pytest.raises(RuntimeError, match="0 items instead of 1"):
        bench.cost(store, bench.Pattern("nothing", lambda _: 0))
