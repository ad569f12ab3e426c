"""Lists of feeds in and out, and files that are none."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cityverse.errors import InputError
from cityverse.news import feeds, opml
from cityverse.news.feeds import FeedConfig

HEAD = b'<opml version="2.0"><head/><body>'


def file_of(*outlines):
    return HEAD + "".join(outlines).encode() + b"</body></opml>"


def test_the_built_in_list_comes_back():
    read, left_out = opml.read(opml.write("Paris", feeds.load()))
    assert left_out == []
    assert [(f.name, f.url, f.home) for f in read] == [
        (f.name, f.url, f.home) for f in feeds.load()
    ]


def test_folders_are_looked_into_and_an_address_counts_once():
    data = file_of(
        '<outline text="Paris"><outline text="Un" xmlUrl="https://a.example/rss"/>'
        '<outline title="Encore" xmlUrl="https://a.example/rss"/></outline>'
        '<outline xmlUrl=" https://b.example:8080/f?x=1 "/>'
    )
    read, left_out = opml.read(data)
    assert [(f.name, f.url) for f in read] == [
        ("Un", "https://a.example/rss"),
        ("b.example", "https://b.example:8080/f?x=1"),
    ]
    assert left_out == []


def test_what_cannot_be_a_source_is_named():
    data = file_of(
        '<outline text="x" xmlUrl="javascript:alert(1)"/>',
        '<outline text="y" xmlUrl="https://ok.example/f"/>',
        '<outline text="z" xmlUrl="https://z.example/f" htmlUrl="file:///etc/passwd"/>',
    )
    read, left_out = opml.read(data)
    assert [f.url for f in read] == ["https://ok.example/f"]
    assert [line.split(":")[0] for line in left_out] == ["javascript", "https"]


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"nonsense",
        b"\xff\xfe\x00",
        b"<html><body/></html>",
        b"<opml><body>",
        b'<?xml version="1.0" encoding="nonsense"?><opml/>',
        b'<!DOCTYPE o [<!ENTITY a "aaaa">]><opml>&a;</opml>',
        b'<!DOCTYPE o SYSTEM "file:///etc/passwd"><opml/>',
        file_of(*[f'<outline text="x" xmlUrl="https://a.example/{n}"/>' for n in range(501)]),
        b" " * (opml.LONGEST + 1),
    ],
)
def test_what_is_no_list_is_refused(data):
    with pytest.raises(InputError):
        opml.read(data)


def test_folders_in_folders_without_end_do_no_harm():
    depth = 50_000
    data = file_of("<outline>" * depth, "</outline>" * depth)
    assert opml.read(data) == ([], [])


@given(st.binary(max_size=300))
def test_any_bytes_are_read_or_refused(data):
    try:
        read, _ = opml.read(HEAD + data)
    except InputError:
        return
    assert all(isinstance(feed, FeedConfig) for feed in read)


def test_ids_tell_feeds_of_one_host_apart():
    one, other = (
        opml.id_of("https://www.journal.example/a"),
        opml.id_of("https://www.journal.example/b"),
    )
    assert one != other
    assert one.startswith("www-journal-example-")
    assert opml.id_of("https://www.journal.example/a") == one
