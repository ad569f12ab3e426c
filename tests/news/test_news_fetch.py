from __future__ import annotations

import socket
import time
import tracemalloc
from collections.abc import Iterator

import pytest
from feed_server import FEED, Served, feed_server

from cityverse.errors import FetchError, InputError
from cityverse.news.feeds import load
from cityverse.news.fetch import USER_AGENT, Limits, fetch, is_public

SMALL = Limits(seconds=5.0, bytes=100_000)


@pytest.fixture(scope="module")
def server() -> Iterator[Served]:
    with feed_server() as running:
        yield running


def test_a_new_feed(server: Served) -> None:
    url, seen = server.url, server.seen
    got = fetch(f"{url}/feed", allow_private=True)
    assert (got.status, got.data, got.etag) == ("new", FEED, '"v1"')
    assert got.last_modified == "Wed, 22 Apr 2026 09:32:11 GMT"
    assert got.interval_seconds == 900
    assert got.moved_permanently_to is None
    assert got.url == f"{url}/feed"
    assert seen[-1]["user-agent"] == USER_AGENT
    assert seen[-1]["host"] == url.removeprefix("http://")
    assert "if-none-match" not in seen[-1]


def test_an_unchanged_feed(server: Served) -> None:
    url, seen = server.url, server.seen
    got = fetch(f"{url}/feed", etag='"v1"', last_modified="yesterday", allow_private=True)
    assert (got.status, got.data, got.etag) == ("not_modified", b"", '"v1"')
    assert seen[-1]["if-modified-since"] == "yesterday"


@pytest.mark.parametrize("path", ["gzip", "members-gzip", "brotli"])
def test_compression(server: Served, path: str) -> None:
    assert fetch(f"{server.url}/{path}", allow_private=True).data == FEED
    assert server.seen[-1]["accept-encoding"] == "gzip, deflate, br"


def test_a_bomb_is_not_unpacked_to_see_that_it_is_one(
    server: Served,
) -> None:
    for path in ("bomb", "brotli-bomb"):
        tracemalloc.start()
        try:
            with pytest.raises(FetchError, match="too_large"):
                fetch(f"{server.url}/{path}", allow_private=True, limits=SMALL)
            assert tracemalloc.get_traced_memory()[1] < 20 * SMALL.bytes
        finally:
            tracemalloc.stop()


def test_redirects(server: Served) -> None:
    url = server.url
    moved = fetch(f"{url}/moved", allow_private=True)
    assert (moved.data, moved.moved_permanently_to) == (FEED, f"{url}/feed")
    temporary = fetch(f"{url}/moved-for-now", allow_private=True)
    assert (temporary.url, temporary.moved_permanently_to) == (f"{url}/feed", None)


@pytest.mark.parametrize(
    ("path", "reason"),
    [
        ("odd-304", "http_304"),
        ("missing", "http_404"),
        ("gone", "http_410"),
        ("large", "too_large"),
        ("endless", "too_large"),
        ("bomb", "too_large"),
        ("bad-gzip", "protocol"),
        ("cut-gzip", "protocol"),
        ("empty-members", "too_large"),
        ("brotli-bomb", "too_large"),
        ("bad-brotli", "protocol"),
        ("cut-brotli", "protocol"),
        ("unasked", "protocol"),
        ("cut", "protocol"),
        ("icy", "protocol"),
        ("hang-up", "protocol"),
        ("loop", "redirects"),
        ("nowhere", "redirects"),
        ("to-file", "protocol"),
        ("too-far", "protocol"),
    ],
)
def test_bad_answers(server: Served, path: str, reason: str) -> None:
    with pytest.raises(FetchError) as error:
        fetch(f"{server.url}/{path}", allow_private=True, limits=SMALL)
    assert error.value.reason == reason
    assert "\n" not in str(error.value)


@pytest.mark.parametrize("path", ["silent", "drip", "drip-headers"])
def test_the_deadline_ends_everything(server: Served, path: str) -> None:
    started = time.monotonic()
    with pytest.raises(FetchError) as error:
        fetch(f"{server.url}/{path}", allow_private=True, limits=Limits(seconds=0.4))
    assert error.value.reason == "timeout"
    assert 0.3 < time.monotonic() - started < 3


def test_retry_after(server: Served) -> None:
    with pytest.raises(FetchError) as busy:
        fetch(f"{server.url}/busy", allow_private=True)
    assert (busy.value.reason, busy.value.retry_after) == ("http_429", 120.0)
    with pytest.raises(FetchError) as until:
        fetch(f"{server.url}/busy-until", allow_private=True)
    assert (until.value.reason, until.value.retry_after) == ("http_503", 86400.0)


def test_private_addresses_are_refused(server: Served) -> None:
    url, seen = server.url, server.seen
    before = len(seen)
    port = url.rpartition(":")[2]
    for address in (url, f"http://localhost:{port}", f"http://2130706433:{port}"):
        with pytest.raises(FetchError) as error:
            fetch(f"{address}/feed")
        assert error.value.reason in {"refused_address", "dns"}
    assert len(seen) == before


def test_a_redirect_into_the_private_network_is_refused(
    server: Served, monkeypatch: pytest.MonkeyPatch
) -> None:
    url, seen = server.url, server.seen
    # The first host counts as public; the second, reached by its redirect, does not.
    monkeypatch.setattr(
        "cityverse.news.fetch.is_public", lambda address: not address.startswith("169.254.")
    )
    before = len(seen)
    with pytest.raises(FetchError) as error:
        fetch(f"{url}/to-metadata")
    assert error.value.reason == "refused_address"
    assert len(seen) == before + 1


def test_the_connection_goes_to_the_checked_address(
    server: Served, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A name that resolves to a public address once and to loopback then stays harmless."""
    url, seen = server.url, server.seen
    port = int(url.rpartition(":")[2])
    answers = iter(["127.0.0.1", "10.0.0.1", "10.0.0.1"])
    asked: list[str] = []

    real = socket.getaddrinfo

    def resolve(host: str, port: int, *args: int, **kinds: int) -> list[tuple[object, ...]]:
        if host[0].isdigit():  # the address that was checked, on its way to connect()
            return list(real(host, port, *args, **kinds))
        asked.append(host)
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (next(answers), port))]

    monkeypatch.setattr("cityverse.news.fetch.socket.getaddrinfo", resolve)
    monkeypatch.setattr("cityverse.news.fetch.is_public", lambda address: address == "127.0.0.1")
    got = fetch(f"http://rebinding.example:{port}/feed")
    assert got.data == FEED
    assert asked == ["rebinding.example"]
    assert seen[-1]["host"] == f"rebinding.example:{port}"


def test_the_next_address_is_tried_when_one_does_not_answer(
    server: Served, monkeypatch: pytest.MonkeyPatch
) -> None:
    port = int(server.url.rpartition(":")[2])
    real = socket.getaddrinfo

    def resolve(host: str, port: int, *args: int, **kinds: int) -> list[tuple[object, ...]]:
        if host[0].isdigit():
            return list(real(host, port, *args, **kinds))
        both = ("127.0.0.2", "127.0.0.1")  # nothing listens on the first
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (address, port)) for address in both]

    monkeypatch.setattr("cityverse.news.fetch.socket.getaddrinfo", resolve)
    assert fetch(f"http://two.example:{port}/feed", allow_private=True).data == FEED


def test_other_failures() -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        port = unused.getsockname()[1]
        with pytest.raises(FetchError) as refused:
            fetch(f"http://127.0.0.1:{port}/", allow_private=True)
        assert refused.value.reason == "connect"
    for url in ("ftp://a.example/", "file:///etc/passwd", "nonsense", "http://"):
        with pytest.raises(FetchError) as error:
            fetch(url)
        assert error.value.reason == "protocol"


def test_tls_to_a_plain_server(server: Served) -> None:
    with pytest.raises(FetchError) as error:
        fetch(server.url.replace("http:", "https:") + "/feed", allow_private=True, limits=SMALL)
    assert error.value.reason == "tls"


def test_a_name_that_does_not_resolve(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object, **__: object) -> None:
        raise socket.gaierror(-2, "Name or service not known")

    monkeypatch.setattr("cityverse.news.fetch.socket.getaddrinfo", fail)
    with pytest.raises(FetchError) as error:
        fetch("http://nowhere.example/")
    assert error.value.reason == "dns"


@pytest.mark.parametrize(
    ("address", "public"),
    [
        ("93.184.216.34", True),
        ("2606:2800:220:1::1", True),
        ("127.0.0.1", False),
        ("0.0.0.0", False),
        ("10.1.2.3", False),
        ("172.16.0.1", False),
        ("192.168.1.1", False),
        ("169.254.169.254", False),
        ("100.64.0.1", False),
        ("224.0.0.1", False),
        ("255.255.255.255", False),
        ("::1", False),
        ("::", False),
        ("fe80::1%eth0", False),
        ("fc00::1", False),
        ("ff02::1", False),
        ("::ffff:127.0.0.1", False),
        ("::ffff:93.184.216.34", True),
        ("64:ff9b::7f00:1", False),
        ("2002:7f00:1::", False),
        ("192.0.0.8", False),
        ("192.88.99.1", False),
        ("198.18.0.1", False),
        ("240.0.0.1", False),
        ("::127.0.0.1", False),
        ("fec0::1", False),
        ("2001:db8::1", False),
        ("3fff::1", False),
        ("64:ff9b:1::7f00:1", False),
    ],
)
def test_public_addresses(address: str, public: bool) -> None:
    assert is_public(address) is public


def test_built_in_feeds() -> None:
    feeds = load()
    assert len(feeds) >= 6
    assert len({feed.id for feed in feeds}) == len(feeds)
    assert all(feed.url.startswith("https://") for feed in feeds)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ('[[feed]]\nid = "a"\nname = "A"\n', "line 1: url"),
        ('\n\n[[feed]]\nid = "a b"\nname = "A"\nurl = "https://a.example/"\n', "line 3: id"),
        ('[[feed]]\nid = "a"\nname = "A"\nurl = "ftp://a"\n', "line 1: url"),
        ('[[feed]]\nid = "a"\nname = "A"\nurl = 7\n', "line 1: url"),
        ('[[feed]]\nid = "a"\nname = "A"\nurl = "https://a.example/"\nx = 1\n', "line 1: x"),
        ("[[feed]\n", "line 1"),
        ('feed = "a"\n', "[[feed]]"),
        (
            '[[feed]]\nid="a"\nname="A"\nurl="https://a.example/"\n'
            '[[feed]]\nid="a"\nname="B"\nurl="https://b.example/"\n',
            "line 5: id",
        ),
    ],
)
def test_a_bad_list_of_feeds_names_the_line(tmp_path, text: str, words: str) -> None:  # type: ignore[no-untyped-def]
    file = tmp_path / "feeds.toml"
    file.write_text(text, encoding="utf-8")
    with pytest.raises(InputError) as error:
        load(file)
    assert words in str(error.value)
    with pytest.raises(InputError):
        load(tmp_path / "absent.toml")
