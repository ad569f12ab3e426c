"""The registry is sound, and the documentation says what it says."""

import re
from pathlib import Path

import pytest

from cityverse.data.registry import BUCKETS, TABLES, table

DOCS = Path(__file__).parents[2] / "docs" / "data.md"


def documented():
    """Rows of the first table of the documentation: name to its further cells."""
    lines = DOCS.read_text(encoding="utf-8").split("## Tables")[1].split("Buckets:")[0].splitlines()
    rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in lines if "|" in line]
    return {row[0].strip("*"): row[1:] for row in rows[2:]}


def test_the_documentation_has_every_table_with_its_keys():
    docs = documented()
    assert list(docs) == [one.name for one in TABLES]
    for one in TABLES:
        key, indexes, expires, holds = docs[one.name]
        assert key == ", ".join(k for k in (one.partition, one.sort) if k)
        named = re.sub(r"\([^)]*\)|\*", "", indexes)
        assert named.replace(" ", "") == ",".join(index.name for index in one.indexes)
        assert expires.strip("`") == (one.ttl or "")
        assert holds


def test_the_documentation_names_every_bucket_prefix():
    text = DOCS.read_text(encoding="utf-8")
    for bucket in BUCKETS:
        assert all(f"`{prefix}`" in text for prefix in bucket.prefixes)


@pytest.mark.parametrize("one", TABLES, ids=lambda one: one.name)
def test_names_are_unique(one):
    assert table(one.name) is one
    assert len({index.name for index in one.indexes}) == len(one.indexes)
    assert one.purpose
