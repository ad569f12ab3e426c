"""Tile sets and the routes that serve them: whole, replaced, damaged, asked for nonsense."""

from __future__ import annotations

import gc
import gzip
import logging
import os
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import anyio
import httpx
import pytest
from map_helpers import many_tiles, tile_set, truncate
from starlette.applications import Starlette

from cityverse.map import base, http, tiles

AT = (14, 8299, 5636)
FOREVER = "public, max-age=31536000, immutable"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "tiles"


class Client:
    """Asks the routes without a server between."""

    def __init__(self, folder: Path) -> None:
        self.app = Starlette(routes=http.routes(folder))

    def request(self, method: str, url: str, headers: dict[str, str]) -> httpx.Response:
        async def ask() -> httpx.Response:
            transport = httpx.ASGITransport(self.app)
            async with httpx.AsyncClient(transport=transport, base_url="http://map") as client:
                return await client.request(method, url, headers=headers)

        return anyio.run(ask)

    def get(self, url: str, headers: dict[str, str] | None = None) -> httpx.Response:
        return self.request("GET", url, headers or {})


@pytest.fixture
def client(folder: Path) -> Client:
    return Client(folder)


def url(folder: Path, name: str, z: int, x: int, y: int) -> str:
    found = tiles.opened(folder, name)
    assert found is not None
    return found.info.url.format(z=z, x=x, y=y)


def descriptors() -> int:
    gc.collect()
    return len(os.listdir("/proc/self/fd"))


def test_what_a_page_learns_of_a_tile_set(folder):
    content = {(12, 2074, 1409): b"far", AT: b"near"}
    tile_set(folder / "overpass.mbtiles", content, attribution="© OSM")
    (info,) = tiles.available(folder)
    assert (info.name, info.attribution) == ("overpass", "© OSM")
    assert (info.min_zoom, info.max_zoom) == (12, 14)
    assert not info.generated
    assert info.url == f"/tiles/overpass/{info.version}/{{z}}/{{x}}/{{y}}.pbf"


def test_no_folder_no_tile_sets(folder):
    assert tiles.available(folder) == []
    assert tiles.current(folder) is None
    assert tiles.opened(folder, "sample") is None


def test_real_buildings_come_before_generated_ones(folder):
    tile_set(folder / "sample.mbtiles")
    assert tiles.current(folder).name == "sample"
    assert tiles.current(folder).generated
    tile_set(folder / "overpass.mbtiles")
    assert tiles.current(folder).name == "overpass"


@pytest.mark.parametrize(
    ("choice", "shown"),
    [
        (b"sample\n", "sample"),
        (b"", "overpass"),
        (b"nothing", "overpass"),
        (b"../sample", "overpass"),
        (b"\xff\xfe\x00", "overpass"),
        (b"x" * 10_000, "overpass"),
    ],
)
def test_the_operator_chooses(folder, choice, shown):
    tile_set(folder / "sample.mbtiles")
    tile_set(folder / "overpass.mbtiles")
    (folder / "current").write_bytes(choice)
    assert tiles.current(folder).name == shown


def test_the_same_tiles_have_the_same_version_anywhere(tmp_path):
    content = {(14, x, 1): bytes([x]) for x in range(5)}
    backwards = dict(reversed(content.items()))
    one = tile_set(tmp_path / "one" / "a.mbtiles", content)
    other = tile_set(tmp_path / "two" / "a.mbtiles", backwards)
    assert one.read_bytes() != other.read_bytes()
    versions = {tiles.current(path.parent).version for path in (one, other)}
    assert len(versions) == 1
    tile_set(other, content | {(14, 5, 1): b"more"})
    assert tiles.current(other.parent).version not in versions


def test_a_tile_is_served_gzipped_and_kept_for_ever(client, folder):
    tile_set(folder / "sample.mbtiles")
    answer = client.get(url(folder, "sample", *AT))
    assert answer.status_code == 200
    assert answer.content == b"a tile"  # the client unpacked it
    assert answer.headers["content-encoding"] == "gzip"
    assert answer.headers["content-type"] == "application/vnd.mapbox-vector-tile"
    assert answer.headers["cache-control"] == FOREVER
    assert answer.headers["access-control-allow-origin"] == "*"
    assert answer.headers["vary"] == "Accept-Encoding"


def test_a_client_without_gzip_gets_it_unpacked(client, folder):
    tile_set(folder / "sample.mbtiles")
    answer = client.get(url(folder, "sample", *AT), headers={"Accept-Encoding": "identity"})
    assert answer.content == b"a tile"
    assert "content-encoding" not in answer.headers


@pytest.mark.parametrize("form", ["{}", "W/{}", '"other", {}'])
def test_a_client_that_has_it_is_told_so(client, folder, form):
    tile_set(folder / "sample.mbtiles")
    first = client.get(url(folder, "sample", *AT))
    known = {"If-None-Match": form.format(first.headers["etag"])}
    again = client.get(url(folder, "sample", *AT), headers=known)
    assert (again.status_code, again.content) == (304, b"")
    assert again.headers["cache-control"] == FOREVER
    assert client.get(url(folder, "sample", *AT), headers={"If-None-Match": '"x"'}).content


def test_an_empty_place_is_an_empty_answer(client, folder):
    tile_set(folder / "sample.mbtiles")
    for place in ((14, 0, 0), (0, 0, 0), (22, 2**22 - 1, 2**22 - 1)):
        answer = client.get(url(folder, "sample", *place))
        assert (answer.status_code, answer.content) == (204, b"")


@pytest.mark.parametrize(
    "place",
    [
        "14/16384/0",
        "14/0/16384",
        "23/0/0",
        "0/1/0",
        "-1/0/0",
        "14/1.5/0",
        "14/0x10/0",
        "14/%C2%B2/0",
        "a/b/c",
        "14/8299/5636%00",
        "99999999/0/0",
        f"14/{'9' * 9}/0",
        f"14/{'9' * 6000}/0",
        "14//0",
    ],
)
def test_a_place_out_of_range_is_not_found(client, folder, place):
    tile_set(folder / "sample.mbtiles")
    version = tiles.current(folder).version
    answer = client.get(f"/tiles/sample/{version}/{place}.pbf")
    assert answer.status_code == 404
    assert len(answer.content) < 100


@pytest.mark.parametrize(
    "name",
    [
        "other",
        "..",
        "%2e%2e",
        "..%2f..%2fetc%2fpasswd",
        "..%5c..%5cwindows",
        "%00",
        "sample%00",
        "sample.mbtiles",
        "sample%2f",
        ".sample",
        "é",
        "a" * 65,
        "a" * 30_000,
        "*",
        "sample?mode=rwc",
    ],
)
def test_a_name_that_is_no_tile_set_is_not_found(client, folder, name):
    tile_set(folder / "sample.mbtiles")
    version = tiles.current(folder).version
    answer = client.get(f"/tiles/{name}/{version}/14/8299/5636.pbf")
    assert answer.status_code == 404
    assert [file.name for file in folder.iterdir()] == ["sample.mbtiles"]


def test_an_old_version_is_not_found(client, folder):
    tile_set(folder / "sample.mbtiles")
    answer = client.get("/tiles/sample/0123456789abcdef/14/8299/5636.pbf")
    assert answer.status_code == 404
    assert answer.headers["cache-control"] == "no-store"


def test_only_reading_is_allowed(client, folder):
    tile_set(folder / "sample.mbtiles")
    assert client.request("POST", url(folder, "sample", *AT), {}).status_code == 405
    assert client.request("HEAD", url(folder, "sample", *AT), {}).status_code == 200


def test_names_that_can_be_listed_can_be_served(client, folder):
    for name in ("overpass_2026-05", "A", ".hidden", "white space", "é"):
        tile_set(folder / f"{name}.mbtiles")
    assert [info.name for info in tiles.available(folder)] == ["A", "overpass_2026-05"]
    assert client.get(url(folder, "overpass_2026-05", *AT)).status_code == 200


def test_a_folder_with_odd_characters(tmp_path):
    folder = tmp_path / "a?b#c%20 d"
    tile_set(folder / "sample.mbtiles")
    assert tiles.current(folder).name == "sample"


def test_a_replaced_file_is_served_at_once_under_a_new_version(client, folder):
    path = tile_set(folder / "sample.mbtiles")
    old = url(folder, "sample", *AT)
    assert client.get(old).content == b"a tile"
    tile_set(path, {AT: b"new  !"})  # as long as the old one
    new = url(folder, "sample", *AT)
    assert new != old
    assert client.get(new).content == b"new  !"
    assert client.get(old).status_code == 404
    path.unlink()
    assert client.get(new).status_code == 404


def test_a_file_replaced_within_the_same_tick_is_noticed(folder):
    path = tile_set(folder / "sample.mbtiles")
    before = path.stat()
    old = tiles.current(folder).version
    tile_set(path, {AT: b"a t1le"})
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))
    assert path.stat().st_size == before.st_size
    assert tiles.current(folder).version != old


def test_files_replaced_many_times_are_closed(folder):
    path = tile_set(folder / "sample.mbtiles")
    tiles.current(folder)
    before = descriptors()
    for number in range(50):
        tile_set(path, {AT: b"tile %d" % number})
        assert tiles.opened(folder, "sample").tile(*AT) is not None
    assert descriptors() <= before + 1
    path.unlink()
    assert tiles.opened(folder, "sample") is None
    assert descriptors() < before + 1


def test_a_set_in_use_can_be_read_on_when_it_is_replaced(folder):
    path = tile_set(folder / "sample.mbtiles")
    held = tiles.opened(folder, "sample")
    tile_set(path, {AT: b"new"})
    assert tiles.opened(folder, "sample") is not held
    assert gzip.decompress(held.tile(*AT)) == b"a tile"


def test_many_threads_read_through_one_descriptor(folder):
    content = many_tiles(200)
    tile_set(folder / "sample.mbtiles", content)
    found = tiles.opened(folder, "sample")
    before = descriptors()
    with ThreadPoolExecutor(16) as pool:
        answers = list(pool.map(lambda at: found.tile(*at), list(content) * 10))
        assert descriptors() <= before
    assert [gzip.decompress(a) for a in answers] == list(content.values()) * 10


DAMAGED = {
    "empty": lambda path: path.write_bytes(b""),
    "garbage": lambda path: path.write_bytes(b"no database " * 5000),
    "cut in the middle": truncate,
    "cut at the end": lambda path: truncate(path, 0.97),
    "cut to its head": lambda path: truncate(path, 0.02),
    "pixels": lambda path: tile_set(path, form="png"),
    "no tile": lambda path: tile_set(path, {}),
}


@pytest.mark.parametrize("damage", DAMAGED.values(), ids=DAMAGED)
def test_a_damaged_file_is_left_out_and_said_once(client, folder, caplog, damage):
    tile_set(folder / "sample.mbtiles")
    path = tile_set(folder / "overpass.mbtiles", many_tiles())
    damage(path)
    with caplog.at_level(logging.WARNING, logger="cityverse.map"):
        for _ in range(3):
            assert tiles.current(folder).name == "sample"
            assert client.get("/tiles/overpass/0/14/8299/5636.pbf").status_code == 404
            assert client.get(url(folder, "sample", *AT)).status_code == 200
    assert [record.message.count("overpass.mbtiles") for record in caplog.records] == [1]
    tile_set(path)
    assert tiles.current(folder).name == "overpass"


def test_a_file_damaged_while_it_is_served_is_503_and_said_once(client, folder, caplog):
    path = tile_set(folder / "sample.mbtiles", many_tiles(3000))
    state = path.stat()
    good = url(folder, "sample", 14, 8000, 5636)
    bad = url(folder, "sample", 14, 8000 + 2990, 5636)
    assert client.get(good).status_code == 200
    # In place and unnoticed, as a failing disk would do it.
    with path.open("r+b") as file:
        file.seek(state.st_size // 20)
        file.write(b"\xff" * (state.st_size - state.st_size // 20))
    os.utime(path, ns=(state.st_atime_ns, state.st_mtime_ns))
    with caplog.at_level(logging.WARNING, logger="cityverse.map"):
        for _ in range(3):
            answer = client.get(bad)
            assert answer.status_code == 503
            assert answer.text == "the tile set is damaged"
            assert answer.headers["cache-control"] == "no-store"
    assert len(caplog.records) == 1
    assert client.get(f"/map/base/{base.version()}/land.geojson").status_code == 200


@pytest.mark.parametrize("name", base.NAMES)
def test_base_layers_are_served(client, name):
    answer = client.get(base.url(name))
    assert answer.status_code == 200
    assert answer.headers["cache-control"] == FOREVER
    assert answer.headers["content-type"] == "application/geo+json"
    features = answer.json()["features"]
    assert answer.json()["type"] == "FeatureCollection"
    assert features
    known = {"If-None-Match": answer.headers["etag"]}
    assert client.get(base.url(name), headers=known).status_code == 304


@pytest.mark.parametrize("path", ["0/land", "{}/nothing", "{}/..%2fland", "{}/land%00"])
def test_unknown_base_layers_are_not_found(client, path):
    assert client.get(f"/map/base/{path.format(base.version())}.geojson").status_code == 404


def test_all_base_layers_together_are_small():
    assert sum(len(base.gzipped(name)) for name in base.NAMES) < 150_000
