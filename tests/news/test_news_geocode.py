"""House numbers: asked once, politely, and believed only for that very house in Paris."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, ClassVar
from urllib.parse import parse_qs, urlsplit

import pytest

from cityverse.data.store import Store
from cityverse.domain.places import Precision
from cityverse.news.geocode import Geocoder
from cityverse.news.locate import Locator
from cityverse.news.parse import Entry
from cityverse.news.poll import Poller
from cityverse.settings import Settings


def answer(number: str = "12", street: str = "Rue de Rivoli", **changes: Any) -> str:
    """A GeoJSON answer as the geocoder of the Géoplateforme gives it."""
    values = {
        "label": f"{number} {street} 75004 Paris",
        "score": 0.97,
        "type": "housenumber",
        "housenumber": number,
        "street": street,
        "citycode": "75104",
        "city": "Paris",
    } | changes
    point = {"type": "Point", "coordinates": [2.3581, 48.8559]}
    feature = {"type": "Feature", "geometry": point, "properties": values}
    return json.dumps({"type": "FeatureCollection", "features": [feature]})


class Handler(BaseHTTPRequestHandler):
    replies: ClassVar[list[tuple[int, str]]]
    asked: ClassVar[list[dict[str, list[str]]]]

    def log_message(self, format: str, *args: Any) -> None:
        pass

    def do_GET(self) -> None:
        self.asked.append(parse_qs(urlsplit(self.path).query))
        status, text = self.replies.pop(0) if len(self.replies) > 1 else self.replies[0]
        self.send_response(status)
        self.send_header("Content-Length", str(len(text.encode())))
        self.end_headers()
        self.wfile.write(text.encode())


@contextmanager
def service(*replies: tuple[int, str]) -> Iterator[tuple[str, list[dict[str, list[str]]]]]:
    handler = type("Replies", (Handler,), {"replies": list(replies), "asked": []})
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    server.daemon_threads = False
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}/search", handler.asked
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def geocoder(url: str, folder: Path) -> Geocoder:
    cache = folder / "places" / "geocoder.sqlite"
    return Geocoder(url, cache, allow_private=True, wait=lambda _seconds: None)


def test_an_address_is_asked_once(tmp_path: Path) -> None:
    with service((200, answer())) as (url, asked):
        for _ in range(2):  # the second one reads what the first wrote down
            coder = geocoder(url, tmp_path)
            assert coder.find("12", "Rue de Rivoli", 4) == (48.8559, 2.3581)
            assert coder.find("12", "rue de rivoli", 4) == (48.8559, 2.3581)
    assert len(asked) == 1
    assert asked[0] == {
        "q": ["12 Rue de Rivoli Paris"],
        "limit": ["1"],
        "autocomplete": ["0"],
        "postcode": ["75004"],
    }


@pytest.mark.parametrize(
    "text",
    [
        answer(number="14"),
        answer(street="Rue de Rouvray"),
        answer(type="street"),
        answer(score=0.2),
        answer(score=None),
        answer(citycode="92012"),
        answer().replace("48.8559", "43.6"),
        answer().replace("48.8559", '"x"'),
        '{"features": []}',
        '{"features": [7]}',
        "[]",
    ],
)
def test_another_house_is_none(tmp_path: Path, text: str) -> None:
    with service((200, text)) as (url, asked):
        coder = geocoder(url, tmp_path)
        assert coder.find("12", "Rue de Rivoli") is None
        assert coder.find("12", "Rue de Rivoli") is None
    assert len(asked) == 1  # that there is none is remembered too


@pytest.mark.parametrize("reply", [(429, ""), (500, ""), (200, "<html>"), (200, "[" * 90_000)])
def test_after_trouble_the_service_is_left_alone(tmp_path: Path, reply: tuple[int, str]) -> None:
    with service(reply, (200, answer())) as (url, asked):
        coder = geocoder(url, tmp_path)
        assert coder.find("12", "Rue de Rivoli") is None
        assert coder.find("12", "Rue de Rivoli") is None
        assert len(asked) == 1
        # Trouble is no answer: another process asks again.
        assert geocoder(url, tmp_path).find("12", "Rue de Rivoli") == (48.8559, 2.3581)


def test_a_broken_memory_does_no_harm(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    (tmp_path / "places").mkdir()
    (tmp_path / "places" / "geocoder.sqlite").write_bytes(b"no database at all" * 100)
    with service((200, answer())) as (url, _):
        assert geocoder(url, tmp_path).find("12", "Rue de Rivoli") == (48.8559, 2.3581)
    assert "cannot be read" in caplog.text


@pytest.mark.parametrize(
    ("text", "number", "words"),
    [
        ("Feu au 12 rue de Rivoli", "12", "12 rue de Rivoli"),
        ("Feu au 12 bis, rue de Rivoli", "12 bis", "12 bis, rue de Rivoli"),
        ("Feu au 45 de la rue de Rivoli", "45", "45 de la rue de Rivoli"),
        ("Feu rue de Rivoli", None, "rue de Rivoli"),
        ("En 2015 rue de Rivoli", None, "rue de Rivoli"),
        ("Pour 3,50 rue de Rivoli", None, "rue de Rivoli"),
    ],
)
def test_the_number_before_a_street(text: str, number: str | None, words: str) -> None:
    found = LOCATOR.places(text, "")
    assert found[0].place.name == "Rue de Rivoli"
    assert found[0].number == number
    assert found[0].evidence[0].words == words
    assert found[0].location().precision is Precision.STREET


LOCATOR = Locator()


def entry(title: str) -> Entry:
    values = dict.fromkeys(Entry.__dataclass_fields__)
    return Entry(**(values | {"id": "1", "title": title}))


def test_the_poller_asks_only_where_it_may(store: Store, settings: Settings) -> None:
    with service((200, answer())) as (url, asked):
        silent = Poller(store, settings)
        location = silent.locate(entry("Feu au 12 rue de Rivoli"))
        assert location is not None
        assert location.precision is Precision.STREET
        assert asked == []
        allowed = replace(settings, news_geocoder=url, news_allow_private=True)
        poller = Poller(store, allowed)
        location = poller.locate(entry("Feu au 12 rue de Rivoli"))
        assert location is not None
        location.check()
        assert (location.place, location.precision) == ("12 Rue de Rivoli", Precision.ADDRESS)
        assert (location.lat, location.lon, location.arrondissement) == (48.8559, 2.3581, 4)
        assert location.evidence[0].words == "12 rue de Rivoli"
        poller.locate(entry("Feu rue de Rivoli"))
        poller.locate(entry("Feu à la gare de Lyon"))
    assert len(asked) == 1
