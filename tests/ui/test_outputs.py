"""Atom, GeoJSON, iCalendar: the items of the first page, well formed whatever they say."""

import json
from datetime import UTC, datetime, timedelta
from urllib.parse import parse_qsl
from xml.etree import ElementTree as Xml

import feedparser
import pytest
from asgi import Client
from helpers import article, event, location, mission
from icalendar import Calendar
from starlette.applications import Starlette

from cityverse.community.city import Filter, Period
from cityverse.domain.kinds import DAILY, Kind
from cityverse.errors import InputError
from cityverse.ui import address, outputs

NOW = datetime.now(UTC)


@pytest.fixture
def client(settings, store):
    store.news.create(
        article("n1", title='<b>Fuite & "crue"</b>', published=NOW, location=location(9))
    )
    store.news.create(article("n2", title="Tout Paris", published=NOW, location=None, demo=True))
    store.missions.create(
        mission("m1", created=NOW, starts=NOW + timedelta(hours=1), location=location(18))
    )
    return Client(Starlette(routes=outputs.routes(settings)))


def test_a_feed_reader_gets_every_item_of_the_filter(client):
    answer = client.get("/city.atom")
    assert answer.headers["content-type"].startswith("application/atom+xml")
    feed = feedparser.parse(answer.content)
    assert not feed.bozo, feed.get("bozo_exception")
    by_title = {entry.title: entry for entry in feed.entries}
    assert set(by_title) == {'<b>Fuite & "crue"</b>', "Tout Paris (démo)", "Planter la haie"}
    assert by_title["Planter la haie"].link == "http://testserver/?item=mission%3Am1"
    assert by_title["Planter la haie"].updated_parsed[:6] == NOW.utctimetuple()[:6]
    assert all(entry.author and entry.id.startswith("urn:uuid:") for entry in feed.entries)
    point = Xml.fromstring(answer.content).find(".//{http://www.georss.org/georss}point")
    assert point.text == "48.8804 2.3403"


def test_an_empty_feed_is_still_valid(client):
    feed = feedparser.parse(client.get("/city.atom?kinds=event").content)
    assert not feed.bozo
    assert feed.entries == []
    assert feed.feed.updated


def test_geojson_has_a_point_or_says_that_there_is_none(client):
    answer = client.get("/city.geojson?period=all")
    assert answer.headers["content-type"].startswith("application/geo+json")
    items = {feature["id"]: feature for feature in json.loads(answer.content)["features"]}
    assert items["news:n1"]["geometry"] == {"type": "Point", "coordinates": [2.3403, 48.8804]}
    assert items["news:n1"]["properties"]["evidence"] == ["rue des Martyrs"]
    assert items["news:n2"]["geometry"] is None
    assert items["news:n2"]["properties"]["demo"] is True


def test_filters_mean_what_they_mean_on_the_page(client):
    def found(query):
        return {f["id"] for f in client.get(f"/city.geojson?{query}").json()["features"]}

    assert found("kinds=mission") == {"mission:m1"}
    assert found("arrondissement=9") == {"news:n1"}
    assert found("q=haie") == {"mission:m1"}


def test_an_unchanged_answer_is_not_sent_twice(client):
    first = client.get("/city.geojson")
    again = client.get("/city.geojson", headers={"If-None-Match": first.headers["etag"]})
    assert (again.status_code, again.content) == (304, b"")


@pytest.mark.parametrize(
    "query",
    [
        *("kinds=x", "kinds=news,", "period=year", "arrondissement=21", "arrondissement=٣"),
        *("lang=de", f"q={'a' * 101}"),
    ],
)
@pytest.mark.parametrize("path", [outputs.ATOM, outputs.GEOJSON, outputs.ICS])
def test_a_word_that_means_nothing_is_refused_by_name(client, path, query):
    answer = client.get(f"{path}?{query}")
    assert answer.status_code == 400
    assert answer.headers["content-type"].startswith("text/plain")


@pytest.mark.parametrize(
    "wanted",
    [
        Filter(),
        Filter(
            kinds=(Kind.EVENT, Kind.NEWS), period=Period.ALL, arrondissement=3, text="café & thé"
        ),
    ],
)
def test_the_words_of_a_filter_give_it_back(wanted):
    assert address.filter_of(dict(parse_qsl(address.query_of(wanted)))) == wanted


def test_no_words_are_the_filter_of_the_first_page():
    assert address.filter_of({}).kinds == DAILY
    with pytest.raises(InputError, match="arrondissement"):
        address.filter_of({"arrondissement": "x"})


def test_a_calendar_takes_what_has_a_date(client, store):
    starts = NOW.replace(microsecond=0) + timedelta(hours=2)
    store.events.create(
        event("e1", title="Bal; café, thé", starts=starts, ends=starts + timedelta(hours=3))
    )
    answer = client.get("/city.ics")
    assert answer.headers["content-type"].startswith("text/calendar")
    found = {str(e["summary"]): e for e in Calendar.from_ical(answer.content).events}
    assert set(found) == {"Bal; café, thé", "Planter la haie"}
    ball = found["Bal; café, thé"]
    assert (ball.start, ball.end) == (starts, starts + timedelta(hours=3))
    assert found["Planter la haie"]["geo"].to_ical() == "48.8804;2.3403"
    assert client.get("/city.ics").content == answer.content


def test_one_item_for_the_calendar(client):
    found = Calendar.from_ical(client.get("/city.ics?item=mission:m1").content).events
    assert [str(e["summary"]) for e in found] == ["Planter la haie"]
    assert client.get("/city.ics?item=mission:gone").status_code == 404
    assert client.get("/city.ics?item=nonsense").status_code == 404
