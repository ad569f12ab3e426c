"""Which calls the program makes to DynamoDB and S3, and with what; held against the documentation.

``watch`` notes every call of the program, whoever began it; one that ``docs/engines.md`` does not
list fails the test that made it. With ``CITYVERSE_RECORD_CALLS`` naming a file, what is noted is
added to it instead, one line of JSON a call, and ``python tests/calls.py FILE`` prints the table.
"""

from __future__ import annotations

import json
import os
import re
import sys
from collections import defaultdict
from functools import lru_cache
from pathlib import Path
from types import FrameType
from typing import Any

import pytest
from botocore.client import BaseClient

ROOT = Path(__file__).parents[1]
DOCS = ROOT / "docs" / "engines.md"
PROGRAM = str(ROOT / "cityverse") + os.sep
TESTS = str(ROOT / "tests") + os.sep
SERVICES = {"dynamodb": "DynamoDB", "s3": "S3"}
# Comparisons, AND, OR and NOT are everywhere.
WORDS = re.compile(
    r"\b(attribute_exists|attribute_not_exists|attribute_type|begins_with|contains|size"
    r"|if_not_exists|list_append|BETWEEN|IN|SET|REMOVE|ADD|DELETE)\b"
)

unlisted: set[tuple[str, str]] = set()
noted: dict[str, set[str]] = defaultdict(set)


@lru_cache(maxsize=5_000)
def _words(expression: str) -> frozenset[str]:
    return frozenset(WORDS.findall(expression))


def _of_fields(fields: dict[str, Any]) -> set[str]:
    found = set(fields)
    for name, value in fields.items():
        if name.endswith("Expression") and isinstance(value, str):
            found |= _words(value)
    return found


def features(operation: str, parameters: dict[str, Any]) -> set[str]:
    """The parameters of a call, and the words of its expressions."""
    if operation == "TransactWriteItems":
        found = {name for name in parameters if name != "TransactItems"}
        for item in parameters["TransactItems"]:
            for kind, fields in item.items():
                found |= {kind} | _of_fields(fields)
        return found
    if operation == "BatchGetItem":
        asked = parameters["RequestItems"]
        return {one for fields in asked.values() for one in _of_fields(fields)} | (
            {"several tables"} if len(asked) > 1 else set()
        )
    if operation == "PutBucketLifecycleConfiguration":
        rules = parameters["LifecycleConfiguration"]["Rules"]
        return {name for rule in rules for name in rule} - {"ID", "Status"}
    return _of_fields(parameters)


def _by_program(frame: FrameType | None) -> bool:
    """Whether the nearest of our own code is the program, not a test."""
    while frame is not None:
        file = frame.f_code.co_filename
        if file.startswith(PROGRAM):
            return True
        if file.startswith(TESTS):
            return False
        frame = frame.f_back
    return False


def listed() -> dict[str, set[str]]:
    """The table of the documentation: what each call may be made with."""
    text = DOCS.read_text(encoding="utf-8").split("## The calls")[1].split("\n## ")[0]
    rows = [line.strip("|").split("|") for line in text.splitlines() if line.startswith("| `")]
    return {row[0].strip(" `"): set(re.findall(r"`([^`]+)`", row[1])) for row in rows}


def watch(patch: pytest.MonkeyPatch) -> None:
    """Notice every call from now on."""
    call, known = BaseClient._make_api_call, listed()

    def noticing(client: BaseClient, operation: str, parameters: dict[str, Any]) -> Any:
        service = SERVICES.get(client.meta.service_model.service_name)
        if service and _by_program(sys._getframe(1)):
            name, made = f"{service} {operation}", features(operation, parameters)
            noted[name] |= made
            if name not in known:
                unlisted.add((name, ""))
            unlisted.update((name, one) for one in made - known.get(name, made))
        return call(client, operation, parameters)

    patch.setattr(BaseClient, "_make_api_call", noticing)


def record(path: Path) -> None:
    """Add what was noted to a file."""
    with path.open("a", encoding="utf-8") as file:
        for name, made in noted.items():
            file.write(json.dumps([name, sorted(made)]) + "\n")


def as_table(path: Path) -> str:
    """What was recorded, as rows of the table."""
    merged: dict[str, set[str]] = defaultdict(set)
    for line in path.read_text(encoding="utf-8").splitlines():
        name, made = json.loads(line)
        merged[name] |= set(made)
    rows = [
        f"| `{name}` | {', '.join(f'`{one}`' for one in sorted(made))} |"
        for name, made in sorted(merged.items())
    ]
    return "\n".join(["| Call | With |", "|---|---|", *rows])


if __name__ == "__main__":
    sys.stdout.write(as_table(Path(sys.argv[1])) + "\n")
