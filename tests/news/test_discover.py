"""From any address to a feed: a feed itself, a page that names one, neither."""

import json

import pytest
from feed_server import FEED, Handler, feed_server
from hypothesis import given
from hypothesis import strategies as st

from cityverse.errors import FeedUnreadable, FetchError, InvalidField
from cityverse.news.discover import feeds_of_page, probe


def page(self):
    links = (
        '<LINK REL="alternate stylesheet" href="/s.css" type="text/css">'
        '<link rel=alternate type="application/rss+xml; charset=utf-8" href="gone">'
        "<link rel=alternate type=application/rss+xml href=feed?of=page>"
    )
    self.reply(200, f"<!doctype html><head><base href='/'>{links}</head>".encode())


def bare(self):
    self.reply(200, b"<!doctype html><title>nothing here</title><p>no feed")


def json_feed(self):
    items = [{"id": str(n), "title": f"t{n}"} for n in range(30)]
    body = {"version": "https://jsonfeed.org/version/1.1", "title": "J", "items": items}
    self.reply(200, json.dumps(body).encode())


@pytest.fixture
def site(monkeypatch):
    monkeypatch.setattr(Handler, "get_page", page, raising=False)
    monkeypatch.setattr(Handler, "get_bare", bare, raising=False)
    monkeypatch.setattr(Handler, "get_json", json_feed, raising=False)
    with feed_server() as served:
        yield served.url


def test_a_feed_shows_what_it_brings(site):
    found = probe(f"{site}/feed", allow_private=True)
    assert (found.url, found.title, [e.title for e in found.entries]) == (
        f"{site}/feed",
        "J",
        ["t"],
    )


def test_a_page_leads_to_the_first_feed_that_can_be_read(site):
    found = probe(f"{site}/page", allow_private=True)
    assert (found.url, found.title) == (f"{site}/feed?of=page", "J")


def test_the_preview_is_short(site):
    assert len(probe(f"{site}/json", allow_private=True).entries) == 10


def test_a_feed_that_moved_is_kept_under_its_new_address(site):
    assert probe(f"{site}/moved", allow_private=True).url == f"{site}/feed"


def test_a_page_without_feeds_says_so(site):
    with pytest.raises(FeedUnreadable, match="neither a feed nor a page"):
        probe(f"{site}/bare", allow_private=True)


@pytest.mark.parametrize("path", ["gone", "large_enough_404", "icy"])
def test_what_cannot_be_fetched_says_why(site, path):
    with pytest.raises(FetchError):
        probe(f"{site}/{path}", allow_private=True)


def test_private_addresses_are_refused(site):
    with pytest.raises(FetchError) as refused:
        probe(f"{site}/feed")
    assert refused.value.reason == "refused_address"


@pytest.mark.parametrize("url", ["", "journal", "ftp://a.example", "javascript:x", "http://"])
def test_what_is_no_address_is_named(url):
    with pytest.raises(InvalidField):
        probe(url)


def test_links_of_a_page_are_made_whole_and_checked():
    data = FEED.replace(b"<rss", b"<x") + (
        b'<link rel="alternate" type="application/atom+xml" href="//b.example/atom">'
        b'<link rel="alternate" type="application/atom+xml" href="javascript:alert(1)">'
        b'<link rel="alternate" type="application/atom+xml" href="http://[">'
        b'<link rel="alternate" type="application/atom+xml" href="//b.example/atom">'
    )
    assert feeds_of_page(data, "https://a.example/x") == ["https://b.example/atom"]


@given(st.binary(max_size=500))
def test_any_page_is_read(data):
    for address in feeds_of_page(b"<link rel=alternate " + data, "https://a.example/"):
        assert address.startswith(("http://", "https://"))
