"""The engine as a process: starting, refusing to start, stopping."""

from __future__ import annotations

import json
import os
import resource
import shutil
import signal
import socket
import sqlite3
import subprocess
import sys
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError
from engine_fixture import client
from engine_helpers import create_table, get, item, kill, scan

from cityverse.engine import files, objects
from cityverse.engine.launch import Endpoint, EngineProcess, start
from cityverse.engine.store import Store
from cityverse.errors import EngineError

Starter = Callable[..., EngineProcess]


def test_says_one_line_and_leaves_nothing_but_the_store(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "cityverse.engine", "--data-dir", str(tmp_path)]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    assert process.stdout is not None
    said = json.loads(process.stdout.readline())
    assert set(said) == {"endpoint", "access_key", "secret_key", "region"}
    written = tmp_path / "engine.json"
    assert json.loads(written.read_bytes()) == {**said, "pid": process.pid}
    assert written.stat().st_mode & 0o777 == 0o600
    assert (tmp_path / "engine" / "credentials.json").stat().st_mode & 0o777 == 0o600
    with client(Endpoint(**said), "dynamodb") as dynamodb:
        create_table(dynamodb, "Things")
    process.send_signal(signal.SIGINT)
    rest, errors = process.communicate(timeout=10)
    assert (process.returncode, rest, errors) == (0, b"", b"")
    assert not written.exists()


def test_stops_gracefully_while_clients_are_connected(start_engine: Starter) -> None:
    engine = start_engine()
    with client(engine.endpoint, "dynamodb") as dynamodb:
        create_table(dynamodb, "Things")  # the connection stays open
        assert engine.stop(timeout=9) == 0


def test_a_second_engine_on_the_folder_is_refused(start_engine: Starter, tmp_path: Path) -> None:
    start_engine()
    with pytest.raises(EngineError, match=rf"^another engine runs on {tmp_path}$"):
        start_engine()


def test_a_taken_port_is_refused(start_engine: Starter) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        with pytest.raises(EngineError, match=rf"^port {port} of 127.0.0.1 is taken$"):
            start_engine(port=port)


def test_a_folder_that_cannot_be_made_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    command = [sys.executable, "-m", "cityverse.engine", "--data-dir", f"{tmp_path}/file/data"]
    ended = subprocess.run(command, capture_output=True, text=True, timeout=20, check=False)
    assert (ended.returncode, ended.stdout) == (1, "")
    assert ended.stderr.count("\n") == 1
    assert f"cannot use {tmp_path}/file/data" in ended.stderr


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A data folder with 400 items and an object."""
    folder = tmp_path_factory.mktemp("template")
    engine = start(folder)
    with client(engine.endpoint, "dynamodb") as dynamodb:
        create_table(dynamodb, "Things")
        for first in range(0, 400, 25):
            puts = [
                {"PutRequest": {"Item": item(f"n{n}", x={"S": "x" * 300})}}
                for n in range(first, first + 25)
            ]
            dynamodb.batch_write_item(RequestItems={"Things": puts})
    with client(engine.endpoint, "s3") as s3:
        s3.create_bucket(
            Bucket="cv-media", CreateBucketConfiguration={"LocationConstraint": "eu-west-3"}
        )
        s3.put_object(Bucket="cv-media", Key="a.png", Body=b"one", ContentType="image/png")
    assert engine.stop() == 0
    return folder


@pytest.fixture
def filled(template: Path, tmp_path: Path) -> Path:
    """A copy of the filled folder, for a test to damage."""
    shutil.copytree(template, tmp_path, dirs_exist_ok=True)
    return tmp_path


def damage_header(folder: Path) -> Path:
    path = folder / "engine" / "store.sqlite3"
    path.write_bytes(b"not a database, " + path.read_bytes()[16:])
    return path


def damage_pages(folder: Path) -> Path:
    path = folder / "engine" / "store.sqlite3"
    content = path.read_bytes()
    middle = len(content) // 2
    path.write_bytes(content[:middle] + b"\xff" * 8192 + content[middle + 8192 :])
    return path


def cut_off(folder: Path) -> Path:
    path = folder / "engine" / "store.sqlite3"
    os.truncate(path, path.stat().st_size // 2)
    return path


def empty(folder: Path) -> Path:
    path = folder / "engine" / "store.sqlite3"
    path.write_bytes(b"")
    return path


def damage_item(folder: Path) -> Path:
    path = folder / "engine" / "store.sqlite3"
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute("UPDATE items SET body = substr(body, 5) WHERE pk LIKE '%n7%'")
    return path


def damage_buckets(folder: Path) -> Path:
    path = folder / "engine" / "store.sqlite3"
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute("UPDATE documents SET body = '[1' WHERE name = 's3'")
    return path


def damage_object(folder: Path) -> Path:
    (path,) = (folder / "engine" / "objects").rglob("*.meta.json")
    path.write_bytes(path.read_bytes()[:20])
    return path


def damage_history(folder: Path) -> Path:
    (path,) = (folder / "engine" / "objects").rglob("*.meta.json")
    path.write_text(json.dumps({**json.loads(path.read_bytes()), "versions": 5}))
    return path


def damage_other_service(folder: Path) -> Path:
    path = folder / "engine" / "state" / "iam.json"
    path.write_text('{"__ministack_format__": 2, "pay')
    return path


def damage_credentials(folder: Path) -> Path:
    path = folder / "engine" / "credentials.json"
    path.write_text("{}")
    return path


@pytest.mark.parametrize(
    "damage",
    [
        damage_item,
        damage_buckets,
        damage_object,
        damage_history,
        damage_other_service,
        damage_credentials,
    ],
    ids=lambda damage: damage.__name__,
)
def test_unreadable_state_is_refused_and_left_alone(
    start_engine: Starter, filled: Path, damage: Callable[[Path], Path]
) -> None:
    path = damage(filled)
    before = path.read_bytes()
    with pytest.raises(EngineError, match=r"is unreadable \(.*nothing was changed") as refusal:
        start_engine()
    assert str(filled / "engine") in str(refusal.value)
    assert path.read_bytes() == before
    assert not (filled / "engine.json").exists()


@pytest.mark.parametrize(
    "damage",
    [damage_header, damage_pages, cut_off, empty],
    ids=lambda damage: damage.__name__,
)
def test_an_unreadable_file_is_refused_and_left_alone(
    filled: Path, damage: Callable[[Path], Path]
) -> None:
    path = damage(filled)
    before = path.read_bytes()
    with pytest.raises(EngineError, match=rf"^{path} is unreadable \("):
        Store(path)
    assert path.read_bytes() == before


def test_a_store_that_has_gone_is_not_begun_anew(start_engine: Starter, filled: Path) -> None:
    (filled / "engine" / "store.sqlite3").unlink()
    with pytest.raises(EngineError, match="it is missing, though"):
        start_engine()
    assert not (filled / "engine" / "store.sqlite3").exists()


def put_until_refused(dynamodb: Any) -> set[tuple[str, int]]:
    """Put items until one is answered by 500; returns the keys of those acknowledged."""
    stored: set[tuple[str, int]] = set()
    for number in range(100):
        one = item(f"n{number}", x={"S": "x" * 20_000})
        try:
            answer = dynamodb.put_item(TableName="Things", Item=one)
        except ClientError as error:
            answer = error.response
        if answer["ResponseMetadata"]["HTTPStatusCode"] == 500:
            return stored
        stored.add((f"n{number}", 0))
    pytest.fail("the disk was never full")


@pytest.mark.skipif(not hasattr(resource, "prlimit"), reason="only Linux limits another process")
def test_a_full_disk_fails_the_request_and_changes_nothing(start_engine: Starter) -> None:
    engine = start_engine()
    with client(engine.endpoint, "dynamodb") as dynamodb:
        create_table(dynamodb, "Things")
        dynamodb.put_item(TableName="Things", Item=item("before"))
        # No file may grow past this size, as on a disk that is full.
        limit = 200_000
        resource.prlimit(engine.process.pid, resource.RLIMIT_FSIZE, (limit, limit))
        stored = put_until_refused(dynamodb)
        with pytest.raises(ClientError):
            dynamodb.update_item(
                TableName="Things",
                Key={"id": {"S": "before"}, "at": {"N": "0"}},
                UpdateExpression="SET x = :x",
                ExpressionAttributeValues={":x": {"S": "y" * 100_000}},
            )
        seen = scan(dynamodb, "Things")
        assert set(seen) == {("before", 0)} | stored
        assert get(dynamodb, "Things", "before") == item("before")
    kill(engine)
    with client(start_engine().endpoint, "dynamodb") as dynamodb:
        assert scan(dynamodb, "Things") == seen


def test_an_object_that_cannot_be_stored_ends_the_engine(
    start_engine: Starter, filled: Path
) -> None:
    engine = start_engine()
    with client(engine.endpoint, "s3") as s3:
        (bucket,) = (filled / "engine" / "objects").glob("*/cv-media")
        (bucket / "taken.tmp").mkdir()  # where the object's bytes would be staged
        with pytest.raises(ClientError) as refused:
            s3.put_object(Bucket="cv-media", Key="taken", Body=b"x")
        assert refused.value.response["ResponseMetadata"]["HTTPStatusCode"] == 500
    assert engine.process.wait(10) == 1
    assert not (filled / "engine.json").exists()
    (bucket / "taken.tmp").rmdir()
    with client(start_engine().endpoint, "s3") as s3:
        listed = s3.list_objects_v2(Bucket="cv-media")["Contents"]
        assert [found["Key"] for found in listed] == ["a.png"]


def test_an_object_whose_bytes_have_gone_is_an_error_not_empty(
    start_engine: Starter, filled: Path
) -> None:
    engine = start_engine()
    (body,) = (filled / "engine" / "objects").glob("*/cv-media/a.png")
    body.unlink()
    with client(engine.endpoint, "s3") as s3, pytest.raises(ClientError) as refused:
        s3.get_object(Bucket="cv-media", Key="a.png")
    assert refused.value.response["ResponseMetadata"]["HTTPStatusCode"] == 500


def write_object(folder: Path, body: bytes, content: str) -> tuple[Path, Path]:
    data, meta = folder / "a.png", folder / "a.png.meta.json"
    files.write_atomically(data, body)
    files.write_atomically(meta, json.dumps({"content_type": content}).encode())
    return data, meta


NEW_META = {
    "content_type": "new",
    "sha256": "11507a0e2f5e69d5dfa40a62a1bd7b6ee57e6bcd85c67c9b8431b36fff21c437",  # of "new"
}


def test_a_write_killed_between_its_renames_is_finished(tmp_path: Path) -> None:
    data, meta = write_object(tmp_path, b"new", "old")
    files.stage(meta, json.dumps(NEW_META).encode())
    objects.recover(tmp_path)
    assert json.loads(meta.read_bytes())["content_type"] == "new"
    assert sorted(tmp_path.iterdir()) == [data, meta]


@pytest.mark.parametrize("staged", [json.dumps(NEW_META).encode(), b'{"content', b"{}"])
def test_a_write_killed_before_its_renames_is_undone(tmp_path: Path, staged: bytes) -> None:
    data, meta = write_object(tmp_path, b"old", "old")
    files.stage(data, b"new")
    files.stage(meta, staged)
    objects.recover(tmp_path)
    assert data.read_bytes() == b"old"
    assert json.loads(meta.read_bytes()) == {"content_type": "old"}
    assert sorted(tmp_path.iterdir()) == [data, meta]
