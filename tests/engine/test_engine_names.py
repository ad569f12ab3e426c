"""The engine relies on names of ministack that are not promised to stay."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from importlib.metadata import version
from pathlib import Path

import pytest

from cityverse.engine import private_names
from cityverse.errors import EngineError

SOURCES = Path(private_names.__file__).parent


def test_the_pinned_version_is_installed() -> None:
    assert version("ministack") == private_names.VERSION


def test_every_name_is_there(tmp_path: Path) -> None:
    # In a process of its own: importing ministack reads the environment and starts threads.
    program = "from cityverse.engine import private_names; private_names.verify()"
    environment = {**os.environ, "S3_DATA_DIR": str(tmp_path), "STATE_DIR": str(tmp_path)}
    found = subprocess.run(
        [sys.executable, "-c", program],
        env=environment,
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )
    assert (found.returncode, found.stderr) == (0, "")


def test_a_missing_name_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(private_names, "NAMES", {"json": ("dumps", "_gone")})
    with pytest.raises(EngineError, match=r"lacks json\._gone$"):
        private_names.verify()


def test_every_private_name_in_use_is_listed() -> None:
    listed = {name for names in private_names.NAMES.values() for name in names}
    used = set()
    for source in SOURCES.glob("*.py"):
        text = source.read_text()
        used |= set(
            re.findall(
                r"(?:\b(?:s3|dynamodb|application|persistence|iam_evaluator)|_dynamodb|_s3"
                r"|_application|_persistence)\.(_?[A-Za-z_]+)",
                text,
            )
        )
        for line in re.findall(r"from ministack\.\S+ import (.+)", text):
            used |= {name.strip() for name in line.split(",")}
    own = {"commit", "close", "iam_evaluator", "persistence", "app"}
    assert used - own <= listed
    assert {"_set_item", "_persist_object", "_is_root_key", "_MAIN_LOOP"} <= used


def test_another_version_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(private_names, "version", lambda _: "1.5.34")
    with pytest.raises(EngineError, match=r"needs ministack 1.5.33"):
        private_names.verify()
