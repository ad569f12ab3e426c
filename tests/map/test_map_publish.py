"""Tile sets uploaded to a bucket, and pages that take them from there."""

from __future__ import annotations

import gzip
import json
import logging
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from map_helpers import many_tiles, tile_set, truncate

from cityverse.data import tilesets
from cityverse.data.client import s3_client
from cityverse.data.tilesets import TileBucket
from cityverse.errors import InputError, StoreMisconfigured
from cityverse.map import layers, tiles
from cityverse.map.publish import PublishedSet, publish
from cityverse.settings import Settings, read
from cityverse.ui.security import content_policy

TILES = {(13, 4149, 2818): b"far", (14, 8299, 5636): b"one", (14, 8301, 5637): b"other"}


@pytest.fixture
def client(settings: Settings) -> Iterator[Any]:
    made = s3_client(settings)
    yield made
    made.close()


@pytest.fixture
def bucket(client: Any) -> Iterator[str]:
    name = "the-tiles"
    client.create_bucket(Bucket=name, CreateBucketConfiguration={"LocationConstraint": "eu-west-3"})
    yield name
    for item in client.list_objects_v2(Bucket=name).get("Contents", []):
        client.delete_object(Bucket=name, Key=item["Key"])
    client.delete_bucket(Bucket=name)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tile_set(tmp_path / "tiles" / "bdtopo.mbtiles", TILES, attribution="© IGN").parent


def keys(client: Any, bucket: str) -> set[str]:
    return {item["Key"] for item in client.list_objects_v2(Bucket=bucket).get("Contents", [])}


def test_a_set_is_uploaded_as_browsers_take_it(client, bucket, folder):
    told: list[tuple[int, int]] = []
    version = tiles.on_disk(folder).version
    made = publish(
        folder, None, TileBucket(client, bucket, "maps/tiles/"), lambda n, of: told.append((n, of))
    )
    assert (made.name, made.tiles, made.place) == ("bdtopo", 3, "the-tiles/maps/tiles")
    below = f"maps/tiles/bdtopo/{version}"
    # One tile further out, and the box of two by three around the two tiles further in.
    expected = {f"{below}/14/{x}/{y}.pbf" for x in (8299, 8300, 8301) for y in (5636, 5637)}
    expected |= {f"{below}/13/4149/2818.pbf", "maps/tiles/current.json"}
    assert keys(client, bucket) == expected
    assert told[-1] == (7, 7)
    tile = client.get_object(Bucket=bucket, Key=f"{below}/14/8299/5636.pbf")
    assert gzip.decompress(tile["Body"].read()) == b"one"
    assert tile["ContentType"] == "application/vnd.mapbox-vector-tile"
    assert tile["ContentEncoding"] == "gzip"
    assert tile["CacheControl"] == "public, max-age=31536000, immutable"
    empty = client.get_object(Bucket=bucket, Key=f"{below}/14/8300/5636.pbf")
    assert gzip.decompress(empty["Body"].read()) == b""
    current = client.get_object(Bucket=bucket, Key="maps/tiles/current.json")
    assert json.loads(current["Body"].read()) == {
        "name": "bdtopo",
        "version": version,
        "attribution": "© IGN",
        "min_zoom": 13,
        "max_zoom": 14,
    }
    assert current["CacheControl"] == "public, max-age=60"


def test_pages_of_other_origins_may_read_and_other_rules_stay(client, bucket, folder):
    mine = {"ID": "mine", "AllowedMethods": ["PUT"], "AllowedOrigins": ["https://example.org"]}
    client.put_bucket_cors(Bucket=bucket, CORSConfiguration={"CORSRules": [mine]})
    for _ in range(2):
        publish(folder, None, TileBucket(client, bucket, ""))
    rules = client.get_bucket_cors(Bucket=bucket)["CORSRules"]
    assert [rule["ID"] for rule in rules] == ["mine", "cityverse-tiles"]
    assert rules[1]["AllowedOrigins"] == ["*"]
    assert "GET" in rules[1]["AllowedMethods"]


class Flaky(TileBucket):
    """Breaks after some tiles."""

    left = 3
    put: list[str]

    def put_tile(self, path: str, gzipped: bytes) -> None:
        if not self.left:
            raise ConnectionError
        self.left -= 1
        super().put_tile(path, gzipped)


def test_an_interrupted_upload_shows_nothing_and_goes_on(client, bucket, folder):
    with pytest.raises(ConnectionError):
        publish(folder, None, Flaky(client, bucket, "t"))
    there = keys(client, bucket)
    assert there
    assert "t/current.json" not in there
    again = Flaky(client, bucket, "t")
    again.left = 7 - len(there)
    publish(folder, None, again)
    assert len(keys(client, bucket)) == 8


def test_a_named_set_is_uploaded_and_an_unreadable_one_refused(client, bucket, folder):
    tile_set(folder / "sample.mbtiles")
    truncate(tile_set(folder / "broken.mbtiles", many_tiles()))
    target = TileBucket(client, bucket, "t")
    assert publish(folder, "sample", target).name == "sample"
    for name in ("nothing", "broken", "../bdtopo"):
        with pytest.raises(InputError, match="no readable tile set"):
            publish(folder, name, target)
    with pytest.raises(InputError):
        publish(folder / "empty", None, target)


def test_a_bucket_that_is_not_there_is_named_in_words(settings, folder):
    with pytest.raises(StoreMisconfigured, match="NoSuchBucket"):
        publish(folder, None, tilesets.connect(settings, "nowhere-to-be-found", "t"))


# --- pages --------------------------------------------------------------------------------


@contextmanager
def serving(answers: list[bytes | int]) -> Iterator[str]:
    """An origin that gives these answers, the last one for ever."""

    class Origin(BaseHTTPRequestHandler):
        def log_message(self, format: str, *args: Any) -> None:
            pass

        def do_GET(self) -> None:
            answer = answers.pop(0) if len(answers) > 1 else answers[0]
            found = isinstance(answer, bytes) and self.path == "/t/current.json"
            self.send_response(200 if found else 404)
            self.end_headers()
            if found:
                self.wfile.write(answer)

    server = ThreadingHTTPServer(("127.0.0.1", 0), Origin)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}/t"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def facts(**more: Any) -> bytes:
    good = {
        "name": "bdtopo",
        "version": "0123456789abcdef",
        "attribution": "© IGN",
        "min_zoom": 11,
        "max_zoom": 16,
    }
    return json.dumps(good | more).encode()


def test_the_map_takes_its_tiles_from_there(folder):
    with serving([facts()]) as origin:
        published = PublishedSet(origin)
        tiles.show_published(published.info)
        try:
            # Until the origin has answered, what is on this disk is shown.
            assert tiles.current(folder).origin == "/tiles"
            assert published.look()
            shown = tiles.current(folder)
        finally:
            tiles.show_published(None)
    assert shown.url == f"{origin}/bdtopo/0123456789abcdef/{{z}}/{{x}}/{{y}}.pbf"
    deck = layers.deck([], shown, theme="dark", view=layers.View())
    assert shown.url in deck.to_json()
    assert tiles.current(folder).origin == "/tiles"


ODD = [
    404,
    b"",
    b"half {",
    b"null",
    b"[1]",
    b"[" * 60_000,
    b"x" * 100_000,
    facts(name="../x"),
    facts(name=5),
    facts(version="<script>"),
    facts(min_zoom=12, max_zoom=11),
    facts(max_zoom=99),
    facts(min_zoom=True),
    facts(min_zoom="1"),
    b'{"name": "bdtopo"}',
]


@pytest.mark.parametrize("answer", ODD, ids=range(len(ODD)))
def test_an_answer_of_another_form_changes_nothing_and_is_said_once(answer, caplog):
    with (
        serving([answer, answer, facts(), answer]) as origin,
        caplog.at_level(logging.WARNING, logger="cityverse.map.publish"),
    ):
        published = PublishedSet(origin)
        assert not published.look()
        assert not published.look()
        assert published.info() is None
        assert len(caplog.records) == 1
        assert published.look()
        assert not published.look()
    assert published.info().name == "bdtopo"


def test_an_origin_that_is_away_changes_nothing():
    published = PublishedSet("http://nowhere.invalid/tiles")
    assert not published.look()
    assert published.info() is None


@pytest.mark.parametrize("text", ["tiles.example.org", "ftp://x", "/tiles"])
def test_the_setting_is_an_address(text):
    with pytest.raises(InputError, match="CITYVERSE_TILES_URL"):
        read({"CITYVERSE_TILES_URL": text})


def test_the_settings_address_may_end_with_a_slash():
    assert read({"CITYVERSE_TILES_URL": "https://x.org/t/"}).tiles_url == "https://x.org/t"


def test_the_policy_of_pages_lets_them_fetch_from_there():
    allowed = content_policy(read({"CITYVERSE_TILES_URL": "https://cdn.example.org/maps/tiles"}))
    rules = dict(rule.split(" ", 1) for rule in allowed.split("; "))
    assert "https://cdn.example.org" in rules["connect-src"].split()
    assert "example" not in content_policy(read({}))
