"""docs/engines.md lists every call the program makes to tables and files, and no other."""

import re
from pathlib import Path

import botocore.session
import calls
import pytest
from botocore import xform_name

DATA = Path(__file__).parents[1] / "cityverse" / "data"


def in_source():
    """The operations whose methods, paginators or signed addresses the code names."""
    code = "\n".join(file.read_text(encoding="utf-8") for file in DATA.glob("*.py"))
    called = set(re.findall(r"\b(?:client|_client|s3|dynamodb)\.([a-z_0-9]+)\(", code))
    paged = set(re.findall(r"get_paginator\(\s*\"([a-z_0-9]+)\"", code))
    signed = set(re.findall(r"generate_presigned_url\(\s*\"([a-z_]+)\"", code))
    core = botocore.session.get_session()
    found = set()
    for service, name in calls.SERVICES.items():
        for operation in core.get_service_model(service).operation_names:
            if xform_name(operation) in called | paged:
                found.add(f"{name} {operation}")
            if xform_name(operation) in signed:
                found.add(f"{name} presigned {operation}")
    return found


def test_the_documentation_lists_the_calls_of_the_code():
    assert len(in_source()) > 30
    assert set(calls.listed()) == in_source()


def test_a_call_that_is_not_listed_is_noticed(dynamo, monkeypatch):
    known = calls.listed()
    assert "LegacyKey" not in known["DynamoDB GetItem"]
    made = calls.features("UpdateItem", {"UpdateExpression": "SET a = list_append(a, :b)"})
    assert made - known["DynamoDB UpdateItem"] == {"list_append"}
    monkeypatch.setattr(calls, "_by_program", lambda _: True)
    dynamo.client.describe_limits()
    assert calls.unlisted == {("DynamoDB DescribeLimits", "")}
    calls.unlisted.clear()


@pytest.mark.parametrize(
    "service", ["Tables: ExtendDB", "Alternator", "Files: SeaweedFS", "Garage"]
)
def test_every_service_has_a_verdict_on_every_call_of_its_kind(service):
    text = calls.DOCS.read_text(encoding="utf-8").split("## The calls")[1]
    header, _, *rows = (
        [cell.strip() for cell in line.strip("|").split("|")]
        for line in text.splitlines()
        if line.startswith("|")
    )
    column = header.index(service)
    kind = "DynamoDB" if column in {2, 3} else "S3"
    verdicts = {row[0]: row[column] for row in rows if row[0].startswith(f"`{kind}")}
    assert len(verdicts) > 10
    assert all(verdicts.values())
    assert ("**no**" in verdicts.values()) is (service in {"Alternator", "Garage"})
