"""The doctor names what is wrong and what to do about it."""

import socket
import sqlite3
import threading
from contextlib import closing
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest
from helpers import settings_for, source

from cityverse import doctor
from cityverse.domain.news import SourceStatus
from cityverse.engine.server import ENDPOINT_FILE


@pytest.fixture
def free_port():
    """A port nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    return port


def about(findings, words):
    """The one finding whose text has these words."""
    found = [finding for finding in findings if words in finding.text]
    assert len(found) == 1, findings
    return found[0]


@pytest.fixture
def examined(store, settings, free_port):
    """Examine an installation with all tables, with some settings changed."""

    def examine(**changes):
        return doctor.examine(replace(settings, port=free_port, **changes))

    return examine


@pytest.fixture
def dashboard():
    """Something that answers as a dashboard does; its port."""

    class Handler(BaseHTTPRequestHandler):
        status = 200

        def do_GET(self):
            self.send_response(self.status)
            self.end_headers()

        def log_message(self, *_):
            pass

    with HTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield server
        server.shutdown()
        thread.join()


def test_a_sound_installation_has_nothing_to_complain_about(examined):
    findings = examined()
    assert [f for f in findings if not f.good] == []
    assert about(findings, "engine answers")
    assert about(findings, "all tables")


def test_before_the_first_start_nothing_is_wrong_either(tmp_path, free_port):
    settings = replace(settings_for(tmp_path / "new"), port=free_port)
    findings = doctor.examine(settings)
    assert [f for f in findings if not f.good] == []
    assert "make run" in about(findings, "does not run now").text
    assert not any("tables" in f.text for f in findings)


def test_a_table_that_is_missing_is_named(bare_settings, free_port):
    finding = about(doctor.examine(replace(bare_settings, port=free_port)), "missing (first")
    assert not finding.good
    assert "create table User" in finding.text
    assert "provision" in finding.text


@pytest.fixture
def bare_settings(tmp_path):
    """Settings of an engine that holds nothing."""
    from cityverse.engine.launch import start

    engine = start(tmp_path)
    yield settings_for(tmp_path)
    assert engine.stop() == 0


def test_an_engine_that_holds_the_folder_but_does_not_answer(settings, free_port):
    (settings.data_dir / ENDPOINT_FILE).unlink()
    finding = about(doctor.examine(replace(settings, port=free_port)), "does not answer")
    assert not finding.good


def test_another_program_on_the_port(examined):
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()

        def hang_up():
            connection, _ = other.accept()
            connection.close()

        thread = threading.Thread(target=hang_up)
        thread.start()
        finding, answers = doctor._port("127.0.0.1", other.getsockname()[1])
        thread.join()
    assert not answers
    assert not finding.good
    assert "CITYVERSE_PORT" in finding.text


def test_a_running_dashboard_needs_tiles_and_a_worker(store, settings, dashboard):
    running = replace(settings, port=dashboard.server_port)
    findings = doctor.examine(running)
    assert about(findings, "a dashboard answers").good
    assert not about(findings, "no tile set").good
    assert not about(findings, "the worker was never seen").good
    store.set_meta("worker", seen_at=datetime.now(UTC).isoformat(), polling=1)
    assert about(doctor.examine(running), "the worker was seen").good
    old = datetime.now(UTC) - timedelta(hours=1)
    store.set_meta("worker", seen_at=old.isoformat(), polling=1)
    assert not about(doctor.examine(running), "the worker was last seen").good


def test_tile_sets_are_opened(examined, settings):
    tiles = settings.data_dir / "tiles"
    tiles.mkdir()
    for name, rows in (("good", 1), ("empty", 0)):
        with closing(sqlite3.connect(tiles / f"{name}.mbtiles")) as database:
            database.execute("CREATE TABLE tiles (tile_data BLOB)")
            database.executemany("INSERT INTO tiles VALUES (?)", [(b"x",)] * rows)
            database.commit()
    (tiles / "broken.mbtiles").write_bytes(b"no database at all" * 100)
    findings = examined()
    assert about(findings, "good.mbtiles").good
    assert not about(findings, "empty.mbtiles").good
    assert not about(findings, "broken.mbtiles").good


def test_failing_sources_are_named(examined, store):
    store.sources.create(source("s1", error="dns", error_count=3))
    store.sources.create(source("s2"))
    store.sources.create(source("s3", status=SourceStatus.PAUSED, error="http_410"))
    finding = about(examined(), "news sources")
    assert finding.good
    assert "2 news sources are polled, 1 are paused" in finding.text
    assert "s1 (dns)" in finding.text
    two = store.sources.get("s2")
    store.sources.replace(two, replace(two, error="dns"))
    assert not about(examined(), "news sources").good


def test_a_folder_that_cannot_be_written(tmp_path):
    (tmp_path / "file").write_text("in the way")
    findings = list(doctor._data_folder(tmp_path / "file"))
    assert [f.good for f in findings] == [False]


def test_a_full_disk(tmp_path, monkeypatch):
    monkeypatch.setattr(doctor, "_DISK_LEAST", 2**60)
    assert [f.good for f in doctor._data_folder(tmp_path)] == [True, False]


def test_packages_of_other_versions_are_named(tmp_path, monkeypatch):
    pins = tmp_path / "requirements.txt"
    pins.write_text("ministack==0.0.1 \\\n    --hash=sha256:00\nnowhere-to-be-found==1\n")
    monkeypatch.setattr(doctor, "_REQUIREMENTS", pins)
    monkeypatch.setattr(doctor, "_PINNED", ("ministack", "nowhere-to-be-found"))
    wrong, missing = doctor._packages()
    assert not wrong.good
    assert "0.0.1" in wrong.text
    assert not missing.good


def test_tippecanoe_that_does_not_run(tmp_path, monkeypatch):
    monkeypatch.setattr(doctor.sys, "executable", str(tmp_path / "python"))
    assert not doctor._tippecanoe().good
    broken = tmp_path / "tippecanoe"
    broken.write_text("#!/bin/sh\nexit 3\n")
    broken.chmod(0o755)
    assert not doctor._tippecanoe().good


@pytest.mark.parametrize(
    ("variables", "said"),
    [
        ({"CITYVERSE_PUBLIC_URL": "https://city.example.org"}, "CITYVERSE_MAIL"),
        ({"CITYVERSE_PUBLIC_URL": "http://city.example.org"}, "in the open"),
        ({"CITYVERSE_STORE": "aws"}, "CITYVERSE_SESSION_SECRET"),
    ],
)
def test_what_endangers_accounts_of_others_is_named(tmp_path, variables, said):
    found = list(doctor._accounts(settings_for(tmp_path, **variables)))
    assert any(said in finding.text and not finding.good for finding in found)


def test_accounts_on_a_laptop_are_fine(tmp_path):
    assert not list(doctor._accounts(settings_for(tmp_path)))
