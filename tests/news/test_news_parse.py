from __future__ import annotations

import contextlib
import importlib
import time
from datetime import UTC, datetime
from pathlib import Path

import pytest
from feed_corpus import ATOM, CASES, Case, item, rss
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from cityverse.domain.rules import check_link, check_text
from cityverse.errors import FeedUnreadable
from cityverse.news.dates import parse_date
from cityverse.news.links import clean_link, is_front_page, same_address, site_of
from cityverse.news.parse import Feed, parse
from cityverse.news.text import excerpt, plain_text

module = importlib.import_module("cityverse.news.parse")
SHARED = Path(__file__).resolve().parents[3] / "shared"
NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)
REAL = SHARED / "data" / "feeds" / "leparisien-paris-2026-04-22.rss"


def check_entries(feed: Feed) -> None:
    for entry in feed.entries:
        check_text("title", entry.title, longest=500, required=False)
        check_text("summary", entry.summary, longest=2000, required=False)
        check_text("author", entry.author or "", longest=120, required=False)
        check_link("link", entry.link)
        check_link("image", entry.image)
        assert entry.id
        assert entry.published is None or entry.published.tzinfo is not None


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_corpus(case: Case) -> None:
    # Processor time with much to spare: only work that grows out of bounds fails here.
    started = time.thread_time()
    if case.expect is None:
        with pytest.raises(FeedUnreadable) as error:
            parse(case.data, now=NOW)
        assert "\n" not in str(error.value)
    else:
        feed = parse(case.data, now=NOW)
        assert len(feed.entries) == case.expect
        assert case.check(feed), feed.entries[:3]
        check_entries(feed)
    assert time.thread_time() - started < 30


def test_the_corpus_is_large_enough() -> None:
    assert len(CASES) >= 110
    assert len({case.name for case in CASES}) == len(CASES)


def test_the_real_feed() -> None:
    if not REAL.exists():
        pytest.skip("the folder shared/ beside the repository is absent")
    feed = parse(REAL.read_bytes(), now=NOW)
    assert feed.title == "Le Parisien - Paris"
    assert len(feed.entries) == 43
    assert len({entry.id for entry in feed.entries}) == 30
    assert all(entry.link and entry.title for entry in feed.entries)
    check_entries(feed)


def test_one_entry_that_breaks_the_parser_is_left_out() -> None:
    bad = item("mauvais", "<media:content url='x'><media:width><a/></media:width></media:content>")
    media = 'xmlns:media="http://search.yahoo.com/mrss/"'
    feed = parse(rss(item("un"), bad, item("trois"), attributes=media).encode(), now=NOW)
    titles = [entry.title for entry in feed.entries]
    assert titles[0] == "un"
    assert titles[-1] == "trois"


def test_more_entries_than_one_run() -> None:
    items = [
        f"<item><title>n{n}</title><guid>g{n}</guid><link>https://news.example/{n}</link></item>"
        for n in range(1203)
    ]
    feed = parse(rss(*items).encode(), now=NOW)
    assert [entry.id for entry in feed.entries] == [f"g{n}" for n in range(1203)]
    assert feed.home == "https://news.example/"


def test_a_limit_of_entries_is_said() -> None:
    items = [item(f"n{n}") for n in range(7)]
    data = rss(*items).encode()
    for most, flaws in ((3, ("too_many",)), (6, ("too_many",)), (7, ()), (8, ()), (None, ())):
        feed = parse(data, most=most)
        assert [e.title for e in feed.entries] == [f"n{n}" for n in range(most or 7)][:7]
        assert feed.flaws == flaws
    many = rss(*(item(f"n{n}") for n in range(450))).encode()  # more than one run
    assert parse(many, most=200).flaws == ("too_many",)


def test_a_feed_that_takes_too_long_is_refused_and_not_cut_short(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(module, "_SECONDS", 0.0)
    with pytest.raises(FeedUnreadable, match="takes over 0 s to read: 1 entries"):
        parse(rss(item()).encode())


def test_entries_left_out_are_said() -> None:
    bad = item("mauvais", "<gml:posList>1 2 3</gml:posList>")
    data = rss(bad, item("b"), attributes='xmlns:gml="http://www.opengis.net/gml"').encode()
    assert parse(data).flaws == ("skipped",)


@pytest.mark.slow
def test_ten_thousand_entries_and_no_more() -> None:
    items = [f"<item><title>n{n}</title></item>" for n in range(10_050)]
    feed = parse(rss(*items).encode(), now=NOW)
    assert len(feed.entries) == 10_000
    assert feed.flaws == ("too_many",)


def test_times_and_ttl() -> None:
    atom = parse(ATOM.encode(), now=NOW).entries[0]
    assert atom.published == datetime(2026, 4, 22, 8, tzinfo=UTC)
    assert atom.updated == datetime(2026, 4, 22, 11, tzinfo=UTC)
    assert parse(rss(item(), head="<ttl>30</ttl>").encode()).ttl_seconds == 1800
    syndication = 'xmlns:sy="http://purl.org/rss/1.0/modules/syndication/"'
    head = "<sy:updatePeriod>hourly</sy:updatePeriod><sy:updateFrequency>2</sy:updateFrequency>"
    assert parse(rss(item(), head=head, attributes=syndication).encode()).ttl_seconds == 1800


def test_ids_do_not_depend_on_the_order_of_entries() -> None:
    a = "<item><title>a</title><guid>g</guid><link>https://news.example/a</link></item>"
    b = "<item><title>b</title><guid>g</guid><link>https://news.example/b</link></item>"
    one = {e.title: e.id for e in parse(rss(a, b).encode()).entries}
    two = {e.title: e.id for e in parse(rss(b, a).encode()).entries}
    assert one == two
    assert one["a"] != one["b"]


def test_base_url_makes_links_absolute() -> None:
    data = b"<rss><channel><item><title>t</title><link>/x</link></item></channel></rss>"
    assert parse(data, base_url="https://b.example/feed").entries[0].link == "https://b.example/x"
    assert parse(data).entries[0].link is None


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.lists(st.tuples(st.integers(0, 3000), st.binary(max_size=6)), max_size=8))
def test_any_damage_gives_a_feed_or_one_clear_error(damage: list[tuple[int, bytes]]) -> None:
    data = bytearray((ATOM + " " + rss(item(), item("b"))).encode())
    for at, piece in damage:
        data[at % len(data) : at % len(data) + len(piece)] = piece
    with contextlib.suppress(FeedUnreadable):
        check_entries(parse(bytes(data), now=NOW))


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Wed, 22 Apr 2026 09:32:11 +0000", "2026-04-22T09:32:11+00:00"),
        ("Wed, 22 Apr 2026 09:32:11 GMT", "2026-04-22T09:32:11+00:00"),
        ("Wed, 22 Apr 2026 09:32:11 CEST", "2026-04-22T09:32:11+02:00"),
        ("Wed, 21 Jan 2026 09:32 CET", "2026-01-21T09:32:00+01:00"),
        ("22 Apr 26 09:32 EST", "2026-04-22T09:32:00-05:00"),
        ("2026-04-22T09:32:11+0530", "2026-04-22T09:32:11+05:30"),
        ("2026-04-22T09:32:11.123Z", "2026-04-22T09:32:11+00:00"),
        ("2026-04-22 09:32", "2026-04-22T09:32:00+00:00"),
        ("2026-04-22", "2026-04-22T00:00:00+00:00"),
        ("20260422T093211Z", "2026-04-22T09:32:11+00:00"),
        ("mercredi 22 avril 2026 à 9h32", "2026-04-22T09:32:00+00:00"),
        ("mer., 22 avr. 2026 09:32:11 +0200", "2026-04-22T09:32:11+02:00"),
        ("mar. 1er août 2026", "2026-08-01T00:00:00+00:00"),
        ("samedi 15 février 2025", "2025-02-15T00:00:00+00:00"),
        ("22/04/2026 09:32", "2026-04-22T09:32:00+00:00"),
        ("April 22, 2026", "2026-04-22T00:00:00+00:00"),
        ("Wed Apr 22 09:32:11 UTC 2026", "2026-04-22T09:32:11+00:00"),
        ("Wed, 22 Apr 2026 09:32:11 +0200 (CEST)", "2026-04-22T09:32:11+02:00"),
        ("Wed, 22 Apr 2026 24:00:00 GMT", "2026-04-23T00:00:00+00:00"),
    ],
)
def test_dates(text: str, expected: str) -> None:
    moment = parse_date(text, NOW)
    assert moment is not None
    assert moment.isoformat() == expected


@pytest.mark.parametrize(
    "text",
    ["", None, "0000-00-00", "1745312400", "demain", "Wed, 32 Apr 2026 09:00:00 GMT", "2026-13-01",
     "31 Feb 2026", "2099-01-01T00:00:00Z", "1741-01-01", "22 Apr 2026 25:00 GMT", "9" * 5000,
     "Wed, 22 Apr 2026 09:32:11 +9900", "99999-01-01", "2026-04-22T09:32:11 Mars/Base"],
)  # fmt: skip
def test_no_dates(text: str | None) -> None:
    assert parse_date(text, NOW) is None


@given(st.text(max_size=60))
def test_no_text_breaks_the_date_reader(text: str) -> None:
    moment = parse_date(text, NOW)
    assert moment is None or moment.tzinfo is not None


@pytest.mark.parametrize(
    ("raw", "expected"),
    [
        ("https://a.example/x?utm_source=rss&id=3", "https://a.example/x?id=3"),
        ("https://A.Example/x#xtor=RSS-1", "https://a.example/x"),
        ("https://a.example/x#partie", "https://a.example/x#partie"),
        ("https://a.example/x?fbclid=1", "https://a.example/x"),
        ("//a.example/x", "https://a.example/x"),
        ("https://a.example/a b", "https://a.example/a%20b"),
        ("javascript:alert(1)", None),
        ("java\nscript:alert(1)", None),
        ("https://user:pw@a.example/", None),
        ("https://", None),
        ("http://[::1", None),
        (7, None),
    ],
)
def test_links(raw: object, expected: str | None) -> None:
    assert clean_link(raw, "https://base.example/") == expected


def test_one_address_is_one_key() -> None:
    same = ("https://www.a.example/x", "http://a.example/x/", "https://a.example/x")
    assert len({same_address(link) for link in same}) == 1
    others = ("https://a.example/x?id=2", "https://a.example/y", "https://b.example/x#2")
    assert len({same_address(link) for link in (*others, same[0])}) == 4
    assert (site_of("https://www.a.example:8080/x"), site_of(None)) == ("a.example", "")
    front = [is_front_page(f"https://a.example{rest}") for rest in ("", "/", "/x", "/?p=1")]
    assert front == [True, True, False, False]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a\u202eb\u2066c\u2069 d\u200f", "abc d\u200f"),
        ("<b>gras</b>&nbsp;et&#x202e; simple", "gras et simple"),
        ("<script>x()</script><style>y</style>reste", "reste"),
        ("&lt;img src=x onerror=alert(1)&gt;fin", "fin"),
        ("&amp;lt;svg onload=x&amp;gt;&amp;lt;/svg&amp;gt;fin", "fin"),
        ("un <iframe src='x'>mot</iframe> deux", "un deux"),
        (7, ""),
    ],
)
def test_plain_text(text: object, expected: str) -> None:
    assert plain_text(text, 100) == expected


@given(st.text(max_size=200), st.integers(2, 80))
def test_an_excerpt_is_the_start_of_a_text(text: str, longest: int) -> None:
    start = excerpt(text, longest)
    assert len(start) <= longest
    assert start == text or (start[-1] == "…" and text.startswith(start[:-1]))


def test_an_excerpt_ends_behind_a_word() -> None:
    assert excerpt("un deux, trois quatre cinq", 16) == "un deux, trois…"
    assert excerpt("un deux", 7) == "un deux"
