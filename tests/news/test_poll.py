"""Polling against a real server on loopback and a real store: each source for itself."""

from __future__ import annotations

import dataclasses
import functools
import logging
import random
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from feed_server import Served, feed_server
from helpers import location, source

from cityverse.data.sources import LEASE
from cityverse.data.store import Store
from cityverse.domain.news import Source, SourceStatus
from cityverse.errors import NotFound, StoreUnavailable
from cityverse.news import poll
from cityverse.news.feeds import FeedConfig
from cityverse.news.places import CurrentLocator
from cityverse.news.poll import Poller, Result
from cityverse.settings import Settings

NOW = datetime.now(UTC).replace(microsecond=0)
RETENTION = timedelta(days=90)
GONE = '<at:deleted-entry xmlns:at="http://purl.org/atompub/tombstones/1.0" ref="urn:2" when="x"/>'


@pytest.fixture(scope="module")
def server() -> Iterator[Served]:
    with feed_server() as running:
        yield running


@pytest.fixture(autouse=True)
def one_locator(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(poll, "CurrentLocator", _locator)


@functools.cache
def _of_no_folder() -> CurrentLocator:
    """One for all tests: it takes a while to make."""
    return CurrentLocator(Path("absent"))


def _locator(_: Path) -> CurrentLocator:
    return _of_no_folder()


Make = Callable[..., Poller]


@pytest.fixture
def poller(store: Store, settings: Settings) -> Make:
    def make(**kinds: object) -> Poller:
        near = dataclasses.replace(settings, news_allow_private=True)
        kinds = {"rng": random.Random(7), "host_pause": 0.0, "clock": lambda: NOW} | kinds
        return Poller(store, near, **kinds)  # type: ignore[arg-type]

    return make


def entry(number: int, title: str = "", **fields: str) -> str:
    told = {
        "title": title or f"Une piste cyclable n° {number} rue des Martyrs",
        "link": f"https://news.example/{number}",
        "guid": f"urn:{number}",
        "pubDate": (NOW - timedelta(hours=number)).isoformat(),
    } | fields
    return "<item>" + "".join(f"<{k}>{v}</{k}>" for k, v in told.items()) + "</item>"


def feed(*entries: str, head: str = "") -> bytes:
    items = "".join(entries)
    text = f'<rss version="2.0"><channel><title>J</title>{head}{items}</channel></rss>'
    return text.encode()


def served(served_by: Served, path: str, data: bytes) -> str:
    served_by.pages[path] = data
    return served_by.url + path


def kept(store: Store, url: str, item_id: str = "s1", **fields: object) -> Source:
    return store.sources.create(source(item_id, url=url, **fields))


def articles(store: Store) -> dict[str, str]:
    """Titles by link of all that is listed."""
    return {a.link or a.id: a.title for a in store.news.page(limit=100).items}


# --- articles -----------------------------------------------------------------------------


def test_new_updated_and_unchanged(store: Store, server: Served, poller: Make) -> None:
    url = served(server, "/journal", feed(entry(1), entry(2)))
    polls = poller()
    first = polls.poll_one(kept(store, url))
    assert first == Result("s1", entries=2, new=2, located=2, new_located=2)
    assert "2 entries, 2 new, 0 updated, 2 of these located" in str(first)

    again = polls.poll_one(store.sources.get("s1"))
    assert str(again) == "s1: not modified"

    server.pages["/journal"] = feed(entry(1), entry(2, "Corrigé : rue des Martyrs"), entry(3))
    before = store.news.page(limit=10).items[-1]
    changed = polls.poll_one(store.sources.get("s1"))
    assert (changed.entries, changed.new, changed.updated) == (3, 1, 1)
    after = store.news.get(before.id)
    assert after.title == "Corrigé : rue des Martyrs"
    assert (after.published, after.expires_at) == (before.published, before.expires_at)
    state = store.sources.get("s1")
    assert (state.articles, state.located, state.error, state.warning) == (3, 3, None, None)
    assert state.last_success_at == state.last_check_at == NOW
    assert state.lease_until is None


def test_an_unchanged_feed_is_asked_for_conditionally_for_ever(
    store: Store, server: Served, poller: Make
) -> None:
    """Also when the answer of "not modified" does not repeat what identifies the feed."""
    kept(store, f"{server.url}/quiet")
    for expected in (None, '"v1"', '"v1"'):
        result = poller().poll_one(store.sources.get("s1"))
        assert result.error is None
        assert server.seen[-1].get("if-none-match") == expected
    assert store.sources.get("s1").last_modified == "Wed, 22 Apr 2026 09:32:11 GMT"
    assert server.seen[-1]["if-modified-since"] == "Wed, 22 Apr 2026 09:32:11 GMT"


def test_what_an_article_carries(store: Store, server: Served, poller: Make) -> None:
    words = "La police a ouvert une enquête après le cambriolage d'une boutique. " * 30
    image = '<enclosure url="https://news.example/i.jpg" type="image/jpeg"/>'
    item = entry(1, "Paris : cambriolage rue des Martyrs", description=words)
    url = served(server, "/rich", feed(item.replace("</item>", image + "</item>")))
    poller().poll_one(kept(store, url))
    (article,) = store.news.page(limit=5).items
    assert article.location is not None
    assert article.location.place.casefold() == "rue des martyrs"
    assert article.language == "fr"
    assert article.topics[0].name == "justice"
    for topic in article.topics:
        for found in topic.evidence:
            text = getattr(article, found.field)
            assert text[found.start : found.end] == found.words
    assert article.image == "https://news.example/i.jpg"
    assert article.expires_at == article.published + RETENTION
    # A quotation, never the whole text.
    assert 300 < len(article.summary) <= 600
    assert article.summary.endswith("…")


def test_the_feeds_own_point_is_kept(store: Store, server: Served, poller: Make) -> None:
    point = "<georss:point xmlns:georss='http://www.georss.org/georss'>48.86 2.34</georss:point>"
    inside = entry(1, "Fête de quartier").replace("</item>", point + "</item>")
    outside = entry(2, "Fête à Lyon").replace(
        "</item>", point.replace("48.86 2.34", "45.7 4.8") + "</item>"
    )
    poller().poll_one(kept(store, served(server, "/points", feed(inside, outside))))
    by_title = {a.title: a for a in store.news.page(limit=5).items}
    there = by_title["Fête de quartier"].location
    assert there is not None
    assert (there.lat, there.lon, there.evidence[0].field) == (48.86, 2.34, "feed")
    assert by_title["Fête à Lyon"].location is None


def test_a_story_in_several_sections_is_one_article(
    store: Store, server: Served, poller: Make
) -> None:
    story = entry(1, link="https://www.news.example/1?utm_source=rss", guid="a")
    same = entry(1, link="http://news.example/1/", guid="b")
    kept(store, served(server, "/paris", feed(story, same, entry(2))), "paris", home=HOME)
    kept(store, served(server, "/sport", feed(entry(1, "Autre titre"))), "sport", home=HOME)
    kept(store, served(server, "/other", feed(entry(1, "Un voleur"))), "other")
    first, second, third = (
        poller().poll_one(store.sources.get(name)) for name in ("paris", "sport", "other")
    )
    assert (first.new, second.new, second.updated) == (2, 0, 0)
    # Another site cannot take a story over by linking to it: it is an article of its own.
    assert third.new == 1
    assert sorted(a.source_id for a in store.news.page(limit=9).items) == [
        "other",
        "paris",
        "paris",
    ]


HOME = "https://www.news.example/"


@pytest.mark.parametrize("own_ids", [True, False])
@pytest.mark.parametrize("link", ["https://news.example/", "https://news.example/actus"])
def test_stories_that_share_the_link_of_a_section_stay_apart(
    store: Store, server: Served, poller: Make, link: str, own_ids: bool
) -> None:
    def story(number: int) -> str:
        return entry(number, link=link, guid=f"urn:{number}" if own_ids else link)

    items = [story(number) for number in range(1, 5)]
    url = served(server, "/same-link", feed(*items))
    assert poller().poll_one(kept(store, url)).new == 4
    server.pages["/same-link"] = feed(*items, story(5))
    result = poller().poll_one(store.sources.get("s1"))
    assert (result.new, result.updated) == (1, 0)


def test_of_two_entries_at_one_link_the_latest_counts(
    store: Store, server: Served, poller: Make
) -> None:
    new, old = entry(1, "Suivez en direct"), entry(5, "Une alerte", link="https://news.example/1")
    poller().poll_one(kept(store, served(server, "/live", feed(new, old))))
    assert articles(store) == {"https://news.example/1": "Suivez en direct"}


def test_old_and_future_entries(store: Store, server: Served, poller: Make) -> None:
    old = entry(1, pubDate=(NOW - RETENTION - timedelta(days=1)).isoformat())
    future = entry(2, pubDate=(NOW + timedelta(days=30)).isoformat())
    undated = entry(3).replace("pubDate", "unknown")
    result = poller().poll_one(kept(store, served(server, "/old", feed(old, future, undated))))
    assert result.new == 2
    assert {a.published for a in store.news.page(limit=5).items} == {NOW}


def test_an_entry_that_breaks_a_rule_of_the_store_stops_no_other(
    store: Store, server: Served, poller: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = Poller.locate
    nowhere = location(lat=12.0)
    monkeypatch.setattr(
        Poller, "locate", lambda self, e: nowhere if "n° 1" in e.title else real(self, e)
    )
    result = poller().poll_one(kept(store, served(server, "/rule", feed(entry(1), entry(2)))))
    assert (result.error, result.new) == (None, 1)


# --- tombstones ---------------------------------------------------------------------------


def atom(*ids: int, extra: str = "") -> bytes:
    entries = "".join(
        f"<entry><id>urn:{n}</id><title>Une fête rue des Martyrs, {n}</title>"
        f'<link href="https://news.example/{n}"/><updated>{NOW.isoformat()}</updated></entry>'
        for n in ids
    )
    name = "http://www.w3.org/2005/Atom"
    return f'<feed xmlns="{name}"><title>J</title>{entries}{extra}</feed>'.encode()


def test_what_a_feed_takes_back_is_gone_and_does_not_return(
    store: Store, server: Served, poller: Make
) -> None:
    url = served(server, "/atom", atom(1, 2, 3))
    assert poller().poll_one(kept(store, url)).new == 3
    (gone,) = (a for a in store.news.page(limit=9).items if a.link == "https://news.example/2")

    server.pages["/atom"] = atom(1, 3, extra=GONE)
    result = poller().poll_one(store.sources.get("s1"))
    assert (result.withdrawn, result.new) == (1, 0)
    assert "1 withdrawn" in str(result)
    assert sorted(articles(store)) == ["https://news.example/1", "https://news.example/3"]
    assert store.news.find(gone.id) is None
    assert store.news.find_many([gone.id]) == {}
    with pytest.raises(NotFound):
        store.news.get(gone.id)
    assert [f.item_id for f in store.search("news", "martyrs") or []].count(gone.id) == 0
    stone = store.news.known([gone.id])[gone.id]
    assert (stone.title, stone.summary, stone.link, stone.location) == ("", "", None, None)

    server.pages["/atom"] = atom(1, 2, 3)
    again = poller().poll_one(store.sources.get("s1"))
    assert (again.new, again.updated) == (0, 0)
    assert len(articles(store)) == 2


def test_a_feed_takes_back_only_its_own_articles(
    store: Store, server: Served, poller: Make
) -> None:
    poller().poll_one(kept(store, served(server, "/one", atom(2)), "one"))
    hostile = kept(store, served(server, "/two", atom(1, extra=GONE)), "two")
    assert poller().poll_one(hostile).withdrawn == 0
    assert len(articles(store)) == 2


def test_an_entry_that_is_back_beside_its_tombstone_stays(
    store: Store, server: Served, poller: Make
) -> None:
    poller().poll_one(kept(store, served(server, "/back", atom(1, 2, extra=GONE))))
    assert len(articles(store)) == 2


def test_a_tombstone_lasts_as_long_as_its_entry_is_offered(
    store: Store, server: Served, poller: Make
) -> None:
    undated = entry(1).replace("pubDate", "unknown")
    url = served(server, "/undated", feed(undated))
    poller().poll_one(kept(store, url))
    (article,) = store.news.page(limit=5).items
    store.news.withdraw(article, NOW)
    later = NOW + timedelta(days=80)
    server.pages["/undated"] = feed(undated, entry(2))
    poller(clock=lambda: later).poll_one(store.sources.get("s1"))
    assert store.news.known([article.id])[article.id].expires_at == later + RETENTION
    assert article.link not in articles(store)


# --- failures -----------------------------------------------------------------------------


def test_a_failing_source_touches_no_other(store: Store, server: Served, poller: Make) -> None:
    good = kept(store, served(server, "/good", feed(entry(1))), "good")
    bad = [
        kept(store, f"{server.url}/{path}", f"bad-{n}")
        for n, path in enumerate(["gone", "html", "icy", "cut-gzip", "loop"])
    ]
    results = poller().poll([*bad[:3], good, *bad[3:]], threading.Event())
    assert {r.source_id: r.error for r in results} == {
        "bad-0": "http_410",
        "bad-1": "unreadable",
        "bad-2": "protocol",
        "bad-3": "protocol",
        "bad-4": "redirects",
        "good": None,
    }
    assert len(articles(store)) == 1
    for one in bad:
        state = store.sources.get(one.id)
        assert (state.error_count, state.lease_until) == (1, None)
        assert state.error == {r.source_id: r.error for r in results}[one.id]
    assert store.sources.get("bad-0").status is SourceStatus.PAUSED


def test_an_unforeseen_error_is_a_failure_of_its_source_alone(
    store: Store, server: Served, poller: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    good = kept(store, served(server, "/fine", feed(entry(1))), "good")
    odd = kept(store, served(server, "/odd", feed(entry(2))), "odd")
    real = poll.parse

    def parse(data: bytes, **kinds: object) -> object:
        if b"urn:2" in data:
            raise RuntimeError("never seen before")
        return real(data, **kinds)  # type: ignore[arg-type]

    monkeypatch.setattr(poll, "parse", parse)
    results = poller().poll([odd, good], threading.Event())
    assert [(r.source_id, r.error) for r in results] == [("odd", "unexpected"), ("good", None)]


def test_a_store_that_fails_for_one_source_lets_the_others_be_polled(
    store: Store, server: Served, poller: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    good = kept(store, served(server, "/fine", feed(entry(1))), "good")
    other = kept(store, f"{server.url}/feed", "other")
    real = store.sources.lease

    def lease(wanted: Source, now: datetime) -> Source | None:
        if wanted.id == "other":
            raise StoreUnavailable("away")
        return real(wanted, now)

    monkeypatch.setattr(store.sources, "lease", lease)
    results = poller().poll([other, good], threading.Event())
    assert [r.error for r in results] == ["store", None]


def test_a_failure_that_goes_on_is_logged_once(
    store: Store, server: Served, poller: Make, caplog: pytest.LogCaptureFixture
) -> None:
    kept(store, f"{server.url}/missing")
    with caplog.at_level(logging.INFO, "cityverse.news.poll"):
        for _ in range(3):
            poller().poll_one(store.sources.get("s1"))
    assert [r.levelname for r in caplog.records] == ["WARNING"]
    assert "s1: http_404" in caplog.text


def test_retry_after_holds_for_its_source(store: Store, server: Served, poller: Make) -> None:
    for name, path in (("busy", "busy-long"), ("free", "feed")):
        poller().poll_one(kept(store, f"{server.url}/{path}", name))
    busy, free = store.sources.get("busy"), store.sources.get("free")
    assert (busy.error, free.error) == ("http_429", None)
    assert busy.next_check_at is not None
    assert free.next_check_at is not None
    assert timedelta(hours=5) <= busy.next_check_at - NOW <= timedelta(hours=5.5)
    assert free.next_check_at - NOW <= timedelta(minutes=22)


def test_what_a_feed_asks_for_is_heard_and_forgotten_when_it_no_longer_asks(
    store: Store, server: Served, poller: Make
) -> None:
    url = served(server, "/ttl", feed(entry(1), head="<ttl>120</ttl>"))
    poller().poll_one(kept(store, url))
    assert store.sources.get("s1").interval == 7200
    poller().poll_one(store.sources.get("s1"))
    assert store.sources.get("s1").interval == 7200  # not modified: what it said still holds
    server.pages["/ttl"] = feed(entry(1), entry(2))
    poller().poll_one(store.sources.get("s1"))
    assert store.sources.get("s1").interval == 0


def test_a_feed_that_is_not_whole_is_read_and_reported(
    store: Store, server: Served, poller: Make, caplog: pytest.LogCaptureFixture
) -> None:
    whole = feed(entry(1), entry(2))
    url = served(server, "/half", whole[:-40])
    with caplog.at_level(logging.WARNING):
        result = poller().poll_one(kept(store, url))
    assert (result.error, result.new) == (None, 2)
    assert store.sources.get("s1").warning == "truncated"
    assert "not read in full: truncated" in caplog.text
    poller().poll_one(store.sources.get("s1"))  # unchanged, and so is the warning
    assert store.sources.get("s1").warning == "truncated"
    server.pages["/half"] = whole
    poller().poll_one(store.sources.get("s1"))
    assert store.sources.get("s1").warning is None


def test_entries_beyond_the_limit_are_reported(
    store: Store, server: Served, poller: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(poll, "_ENTRIES_MOST", 3)
    items = [entry(number) for number in range(1, 7)]
    result = poller().poll_one(kept(store, served(server, "/many", feed(*items))))
    assert (result.entries, result.new) == (3, 3)
    assert store.sources.get("s1").warning == "too_many"


# --- configuration ------------------------------------------------------------------------


def config(url: str, name: str = "Journal", item_id: str = "s1") -> FeedConfig:
    return FeedConfig(item_id, name, url)


def test_a_permanent_redirect_is_kept_until_the_list_says_otherwise(
    store: Store, server: Served, poller: Make
) -> None:
    moved = f"{server.url}/moved"
    poller().configure([config(moved)])
    poller().poll_one(store.sources.get("s1"))
    state = store.sources.get("s1")
    assert (state.url, state.configured_url) == (f"{server.url}/feed", moved)
    poller().configure([config(moved, "Un autre nom")])
    again = store.sources.get("s1")
    assert (again.url, again.name, again.etag) == (f"{server.url}/feed", "Un autre nom", '"v1"')
    poller().configure([config(f"{server.url}/gzip")])
    fresh = store.sources.get("s1")
    assert (fresh.url, fresh.etag, fresh.content_hash) == (f"{server.url}/gzip", None, None)


def test_a_temporary_redirect_changes_nothing(store: Store, server: Served, poller: Make) -> None:
    poller().poll_one(kept(store, f"{server.url}/moved-for-now"))
    assert store.sources.get("s1").url == f"{server.url}/moved-for-now"


def test_a_move_that_came_to_nothing_leads_back_to_the_configured_address(
    store: Store, server: Served, poller: Make
) -> None:
    configured = f"{server.url}/feed"
    kept(store, f"{server.url}/gone", configured_url=configured, etag='"old"')
    poller().poll_one(store.sources.get("s1"))
    state = store.sources.get("s1")
    assert (state.url, state.etag, state.status) == (configured, None, SourceStatus.ACTIVE)
    assert poller().poll_one(state).error is None


def test_a_source_that_is_no_longer_listed_is_paused_until_it_is_again(
    store: Store, poller: Make
) -> None:
    url = "https://news.example/feed"
    poller().configure([config(url), config(url, item_id="s2")])
    poller().configure([config(url)])
    assert [s.id for s in poller().active()] == ["s1"]
    paused = store.sources.get("s2")
    assert (paused.status, paused.configured) == (SourceStatus.PAUSED, False)
    poller().configure([config(url), config(url, item_id="s2")])
    assert [s.id for s in poller().active()] == ["s1", "s2"]


def test_a_source_that_a_manager_paused_or_added_stays_so(store: Store, poller: Make) -> None:
    url = "https://news.example/feed"
    store.sources.create(source("own", configured=False))
    poller().configure([config(url)])
    listed = store.sources.get("s1")
    store.sources.replace(listed, replace(listed, status=SourceStatus.PAUSED))
    poller().configure([config(url)])
    assert store.sources.get("s1").status is SourceStatus.PAUSED
    assert store.sources.get("own").status is SourceStatus.ACTIVE


# --- several workers ----------------------------------------------------------------------


def test_many_workers_ask_each_source_once(store: Store, server: Served, poller: Make) -> None:
    urls = [served(server, f"/w{n}", feed(entry(n))) for n in range(1, 4)]
    sources = [kept(store, url, f"s{n}") for n, url in enumerate(urls)]
    before = len(server.seen)
    barrier = threading.Barrier(6)
    pollers = [poller() for _ in range(6)]

    def work(polls: Poller) -> list[Result]:
        barrier.wait(10)
        return polls.poll(sources, threading.Event())

    with ThreadPoolExecutor(6) as pool:
        for _ in pool.map(work, pollers):
            pass
    for one in sources:  # those a worker left to the one that was at their host already
        poller().poll([one], threading.Event())
    asked = [request["path"] for request in server.seen[before:]]
    assert sorted(asked) == ["/w1", "/w2", "/w3"]
    assert len(articles(store)) == 3


def test_a_worker_keeps_off_a_host_where_another_is(
    store: Store, server: Served, poller: Make
) -> None:
    sources = [kept(store, f"{server.url}/feed", f"s{n}") for n in range(3)]
    assert store.sources.lease(sources[0], NOW) is not None
    before = len(server.seen)
    results = poller().poll(sources, threading.Event())
    assert [r.note for r in results] == ["asked by another worker just now"]
    assert len(server.seen) == before


def test_between_two_requests_to_one_host_there_is_a_pause(
    store: Store, server: Served, poller: Make
) -> None:
    class Stop(threading.Event):
        waits: list[float | None] = []  # noqa: RUF012

        def wait(self, timeout: float | None = None) -> bool:
            self.waits.append(timeout)
            return len(self.waits) == 2  # asked to stop during the second pause

    sources = [kept(store, f"{server.url}/feed", f"s{n}") for n in range(4)]
    results = poller(host_pause=7.0).poll(sources, Stop())
    assert [r.source_id for r in results] == ["s0", "s1"]
    assert Stop.waits == [7.0, 7.0]


KILLED = """
import sys
from datetime import datetime
from pathlib import Path
from cityverse.data.store import connect
from cityverse.news.poll import Poller
from cityverse.settings import read

current = read({"CITYVERSE_DATA_DIR": sys.argv[1], "CITYVERSE_NEWS_ALLOW_PRIVATE": "true"})
store = connect(current)
Poller(store, current).poll_one(store.sources.get("s1"))
"""


def test_a_source_of_a_killed_worker_is_asked_again_when_its_lease_ends(
    store: Store, settings: Settings, server: Served, poller: Make
) -> None:
    held = kept(store, f"{server.url}/silent")
    worker = subprocess.Popen(
        [sys.executable, "-c", KILLED, str(settings.data_dir)], cwd=Path(__file__).parents[2]
    )
    try:
        assert server.asked_silent.wait(60)
    finally:
        worker.kill()
        worker.wait(10)
    state = store.sources.get("s1")
    assert state.lease_until is not None
    assert state.version == held.version + 1
    before = state.lease_until - timedelta(seconds=1)
    assert poller(clock=lambda: before).poll_one(state).note.startswith("asked by another")
    moved = store.sources.replace(state, replace(state, url=f"{server.url}/feed"))
    ended = state.lease_until
    assert ended - datetime.now(UTC) <= LEASE
    assert poller(clock=lambda: ended).poll_one(moved).error is None
