"""Finding, starting and borrowing an engine."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from engine_fixture import client

from cityverse.engine.launch import EngineProcess, borrowed, running
from cityverse.errors import EngineError

Starter = Callable[..., EngineProcess]


def test_running_finds_the_engine_that_answers(start_engine: Starter, tmp_path: Path) -> None:
    assert running(tmp_path) is None
    engine = start_engine()
    assert running(tmp_path) == engine.endpoint
    engine.process.kill()
    engine.process.wait()
    assert (tmp_path / "engine.json").exists()
    assert running(tmp_path) is None


@pytest.mark.parametrize("content", ["", "[]", "{}", '{"pid": "x"}', '{"pid": 1, "who": 2}'])
def test_running_ignores_a_file_it_cannot_use(tmp_path: Path, content: str) -> None:
    (tmp_path / "engine.json").write_text(content)
    assert running(tmp_path) is None


def test_running_ignores_another_process_with_the_pid(tmp_path: Path) -> None:
    there = {"endpoint": "http://127.0.0.1:9", "access_key": "a", "secret_key": "b", "region": "c"}
    (tmp_path / "engine.json").write_text(json.dumps({**there, "pid": os.getpid()}))
    assert running(tmp_path) is None


def test_keys_of_aws_are_not_inherited(
    start_engine: Starter, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKIAREAL")
    monkeypatch.setenv("AWS_SESSION_TOKEN", "real")
    monkeypatch.setenv("AWS_PROFILE", "nobody")
    engine = start_engine()
    assert engine.endpoint.access_key != "AKIAREAL"
    environment = Path(f"/proc/{engine.process.pid}/environ")
    if environment.exists():
        assert b"AKIAREAL" not in environment.read_bytes()


def test_borrowing_uses_the_engine_that_runs(start_engine: Starter, tmp_path: Path) -> None:
    engine = start_engine()
    with borrowed(tmp_path) as endpoint:
        assert endpoint == engine.endpoint
    assert running(tmp_path) == engine.endpoint


def test_borrowing_starts_one_for_its_own_duration(tmp_path: Path) -> None:
    with borrowed(tmp_path) as endpoint, client(endpoint, "dynamodb") as dynamodb:
        assert dynamodb.list_tables()["TableNames"] == []
        assert running(tmp_path) == endpoint
    assert running(tmp_path) is None
    assert not (tmp_path / "engine.json").exists()


def test_a_borrowed_engine_stays_for_whoever_still_uses_it(tmp_path: Path) -> None:
    first, second = borrowed(tmp_path), borrowed(tmp_path)
    endpoint = first.__enter__()
    assert second.__enter__() == endpoint
    first.__exit__(None, None, None)
    assert running(tmp_path) == endpoint
    second.__exit__(None, None, None)
    assert running(tmp_path) is None


def test_commands_that_borrow_at_once_share_one_engine(tmp_path: Path) -> None:
    program = (
        "import sys; from pathlib import Path\n"
        "from cityverse.engine.launch import borrowed\n"
        "with borrowed(Path(sys.argv[1])) as endpoint:\n"
        "    print(endpoint.endpoint, flush=True); sys.stdin.read()\n"
    )
    commands = [
        subprocess.Popen(
            [sys.executable, "-c", program, str(tmp_path)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
        )
        for _ in range(3)
    ]
    said = [command.stdout.readline() for command in commands if command.stdout]
    for command in commands:
        command.communicate(timeout=20)
    assert [command.returncode for command in commands] == [0, 0, 0]
    assert len(set(said)) == 1
    assert said[0]
    assert running(tmp_path) is None


def test_borrowing_says_why_it_cannot(tmp_path: Path) -> None:
    (tmp_path / "engine").write_text("in the way")
    with pytest.raises(EngineError, match="cannot use"), borrowed(tmp_path):
        pass
