"""Fetching a feed politely and safely: conditional, bounded in bytes and seconds.

Redirects are followed by hand. Each address is resolved once, checked, and the
connection goes to the very address that was checked, so that neither a redirect nor
a changing DNS answer leads into a private network.
"""

from __future__ import annotations

import ipaddress
import socket
import ssl
import time
import zlib
from collections.abc import Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from concurrent.futures import TimeoutError as FutureTimeoutError
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from functools import cache
from typing import Any, Literal

import brotli
import httpcore
import httpx

from cityverse import __version__
from cityverse.errors import FetchError

USER_AGENT = f"CityVerse/{__version__} (feed reader)"

_ACCEPT = (
    "application/rss+xml, application/atom+xml, application/feed+json, application/rdf+xml;q=0.9, "
    "application/xml;q=0.8, text/xml;q=0.8, application/json;q=0.7, */*;q=0.5"
)
_PERMANENT = {301, 308}
_REDIRECTS = {301, 302, 303, 307, 308}
_LONGEST_PAUSE = 24 * 3600.0
_URL_LONGEST = 2048
_NAT64 = ipaddress.ip_network("64:ff9b::/96")
# What ``is_global`` lets through in some versions of Python, though nobody serves feeds there:
# shared and protocol addresses, 6to4 relays; site-local and documentation addresses.
_NOT_PUBLIC = tuple(
    ipaddress.ip_network(network)
    for network in (
        "100.64.0.0/10",
        "192.0.0.0/24",
        "192.88.99.0/24",
        "fec0::/10",
        "3fff::/20",
        "5f00::/16",
        "64:ff9b:1::/48",
    )
)
_MEMBERS_MOST = 100
_PIECE = 64 * 1024


@dataclass(frozen=True, slots=True)
class Limits:
    """What one fetch may cost: seconds in all, bytes of the unpacked body, redirects."""

    seconds: float = 20.0
    bytes: int = 20 * 1024 * 1024
    redirects: int = 5


@dataclass(frozen=True, slots=True)
class Fetched:
    """A server's answer.

    ``url`` is where the answer came from; ``moved_permanently_to`` the address to ask
    from now on, when only permanent redirects led there; ``retry_after`` and
    ``interval_seconds`` what the server asks for, in seconds (None, 0: nothing).
    """

    status: Literal["new", "not_modified"]
    data: bytes
    etag: str | None
    last_modified: str | None
    url: str
    moved_permanently_to: str | None = None
    retry_after: float | None = None
    interval_seconds: int = 0


def fetch(
    url: str,
    *,
    etag: str | None = None,
    last_modified: str | None = None,
    allow_private: bool = False,
    limits: Limits = Limits(),
    accept: str = _ACCEPT,
    agent: str = USER_AGENT,
) -> Fetched:
    """Get ``url``, asking only for what changed since ``etag`` and ``last_modified``.

    Raises FetchError whose ``reason`` is ``timeout``, ``too_large``, ``dns``, ``tls``,
    ``connect``, ``redirects``, ``refused_address``, ``protocol`` or ``http_<code>``.
    """
    deadline = time.monotonic() + limits.seconds
    headers = {"User-Agent": agent, "Accept": accept, "Accept-Encoding": "gzip, deflate, br"}
    if etag:
        headers["If-None-Match"] = etag
    if last_modified:
        headers["If-Modified-Since"] = last_modified
    network = _CheckedNetwork(deadline, allow_private)
    target, permanent = _parse_url(url), True
    with httpcore.ConnectionPool(ssl_context=_tls(), network_backend=network, retries=0) as pool:
        for _ in range(limits.redirects + 1):
            answer = _ask(pool, target, headers, limits, deadline)
            if answer.status not in _REDIRECTS:
                moved = permanent and str(target) != str(_parse_url(url))
                # A way back to the unencrypted address may be followed, but is not kept.
                moved = moved and not (url.startswith("https:") and target.scheme == "http")
                return _fetched(answer, target, moved, conditional=len(headers) > 3)
            permanent = permanent and answer.status in _PERMANENT
            target = _redirect(target, answer)
    raise FetchError("redirects", f"more than {limits.redirects}")


def call(
    url: str,
    *,
    limits: Limits,
    agent: str,
    content: bytes | None = None,
    headers: Mapping[str, str] | None = None,
    allow_private: bool = False,
) -> bytes:
    """Send one request, a POST where there is ``content``; the body of the answer.

    No redirect is followed. Raises FetchError as ``fetch`` does.
    """
    deadline = time.monotonic() + limits.seconds
    network = _CheckedNetwork(deadline, allow_private)
    sent = {"User-Agent": agent, "Accept": "application/json", **(headers or {})}
    if content is not None:
        sent["Content-Length"] = str(len(content))
    with httpcore.ConnectionPool(ssl_context=_tls(), network_backend=network, retries=0) as pool:
        answer = _ask(pool, _parse_url(url), sent, limits, deadline, content)
    if answer.status != 200:
        raise FetchError(f"http_{answer.status}")
    return answer.body


# --- one request --------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Answer:
    status: int
    headers: dict[str, str]
    body: bytes


def _ask(
    pool: httpcore.ConnectionPool,
    url: httpx.URL,
    headers: dict[str, str],
    limits: Limits,
    deadline: float,
    content: bytes | None = None,
) -> _Answer:
    step = max(0.001, deadline - time.monotonic())
    timeouts = {"connect": step, "read": step, "write": step, "pool": step}
    request_url = httpcore.URL(
        scheme=url.raw_scheme, host=url.raw_host, port=url.port, target=url.raw_path
    )
    sent = [("Host", url.netloc.decode("ascii")), *headers.items()]
    try:
        with pool.stream(
            "GET" if content is None else "POST",
            request_url,
            headers=sent,
            content=content,
            extensions={"timeout": timeouts},
        ) as response:
            received = {
                k.decode("latin-1").lower(): v.decode("latin-1") for k, v in response.headers
            }
            body = b""
            if 200 <= response.status < 300:
                body = _read_body(response.iter_stream(), received, limits.bytes)
            return _Answer(response.status, received, body)
    except httpcore.TimeoutException as error:
        raise FetchError("timeout", f"no whole answer within {limits.seconds:g} s") from error
    except ssl.SSLError as error:
        raise FetchError("tls", str(error.reason or error)) from error
    except httpcore.ConnectError as error:
        reason = "tls" if isinstance(error.__context__, ssl.SSLError) else "connect"
        raise FetchError(reason, _one_line(error)) from error
    except (httpcore.ProtocolError, httpcore.UnsupportedProtocol, httpcore.NetworkError) as error:
        raise FetchError("protocol", _one_line(error)) from error


def _one_line(error: Exception) -> str:
    return " ".join(str(error).split())[:200] or type(error).__name__


def _read_body(chunks: Iterable[bytes], headers: dict[str, str], longest: int) -> bytes:
    """The body, unpacked as it comes, never holding more than ``longest`` bytes of it."""
    declared = headers.get("content-length", "")
    if declared.isdecimal() and int(declared) > longest:
        raise FetchError("too_large", f"{declared} bytes announced, {longest} allowed")
    unpack = _unpacker(headers.get("content-encoding", "").strip().lower())
    body, received = bytearray(), 0
    for chunk in chunks:
        received += len(chunk)
        try:
            body += unpack.decompress(chunk, longest + 1 - len(body)) if unpack else chunk
        except (zlib.error, brotli.error) as error:
            raise FetchError("protocol", "compressed body is broken") from error
        # Packed data can also go on and on without a byte coming of it.
        if max(len(body), received) > longest:
            raise FetchError("too_large", f"over {longest} bytes")
    if unpack and not unpack.eof:
        raise FetchError("protocol", "compressed body is cut short")
    return bytes(body)


def _unpacker(encoding: str) -> Any:
    """A bounded decompressor for a Content-Encoding; None where nothing is packed."""
    if encoding in {"", "identity"}:
        return None
    if encoding in {"gzip", "x-gzip", "deflate"}:
        return _Inflate()
    if encoding == "br":
        return _Brotli()
    raise FetchError("protocol", f"content encoding {encoding[:40]!r} was not asked for")


class _Inflate:
    """gzip (also of several members), zlib or, as some servers send, raw deflate data."""

    def __init__(self) -> None:
        self._inner = zlib.decompressobj(wbits=47)
        self._fresh = True
        self._members = 1

    @property
    def eof(self) -> bool:
        return self._inner.eof

    def decompress(self, chunk: bytes, most: int) -> bytes:
        out = self._first(chunk, most) if self._fresh else self._inner.decompress(chunk, most)
        self._fresh = False
        # What follows a whole member is another one, or rubbish that nobody reads.
        while self.eof and self._inner.unused_data.startswith(b"\x1f\x8b") and len(out) < most:
            rest = self._inner.unused_data
            self._members += 1
            if self._members > _MEMBERS_MOST:
                raise zlib.error("too many members")
            self._inner = zlib.decompressobj(wbits=31)
            out += self._inner.decompress(rest, most - len(out))
        return out

    def _first(self, chunk: bytes, most: int) -> bytes:
        try:
            return self._inner.decompress(chunk, most)
        except zlib.error:
            self._inner = zlib.decompressobj(wbits=-15)
            return self._inner.decompress(chunk, most)


class _Brotli:
    """brotli data, unpacked in pieces so that a bomb is seen before it has gone off."""

    def __init__(self) -> None:
        self._inner = brotli.Decompressor()

    @property
    def eof(self) -> bool:
        return bool(self._inner.is_finished())

    def decompress(self, chunk: bytes, most: int) -> bytes:
        out = bytearray(self._inner.process(chunk, output_buffer_limit=_PIECE))
        while len(out) < most and not self._inner.can_accept_more_data():
            out += self._inner.process(b"", output_buffer_limit=_PIECE)
        return bytes(out)


# --- what the answer means ----------------------------------------------------------------


def _parse_url(url: str) -> httpx.URL:
    if len(url) > _URL_LONGEST:
        raise FetchError("protocol", f"an address of over {_URL_LONGEST} characters")
    try:
        parsed = httpx.URL(url)
    except (httpx.InvalidURL, ValueError) as error:
        raise FetchError("protocol", "not an address that can be asked") from error
    if parsed.scheme not in {"http", "https"} or not parsed.host:
        raise FetchError("protocol", "only http and https addresses are fetched")
    return parsed.copy_with(fragment=None, userinfo=b"")


def _redirect(current: httpx.URL, answer: _Answer) -> httpx.URL:
    location = answer.headers.get("location", "")
    if not location or len(location) > 4096:
        raise FetchError("redirects", "a redirect that leads nowhere")
    try:
        return _parse_url(str(current.join(location)))
    except (httpx.InvalidURL, ValueError) as error:
        raise FetchError("redirects", "a redirect that leads nowhere") from error


def _fetched(answer: _Answer, url: httpx.URL, moved: bool, *, conditional: bool) -> Fetched:
    headers = answer.headers
    retry_after = _retry_after(headers.get("retry-after", ""))
    if answer.status == 304 and conditional:
        status: Literal["new", "not_modified"] = "not_modified"
    elif 200 <= answer.status < 300:
        status = "new"
    else:
        raise FetchError(f"http_{answer.status}", retry_after=retry_after)
    return Fetched(
        status=status,
        data=answer.body,
        etag=_header(headers, "etag"),
        last_modified=_header(headers, "last-modified"),
        url=str(url),
        moved_permanently_to=str(url) if moved else None,
        retry_after=retry_after,
        interval_seconds=_interval(headers),
    )


def _header(headers: dict[str, str], name: str) -> str | None:
    value = headers.get(name, "").strip()
    return value if value and len(value) <= 512 and value.isprintable() else None


def _retry_after(value: str) -> float | None:
    """Seconds from a Retry-After header: a number or a date."""
    value = value.strip()
    if value.isdecimal() and len(value) < 10:
        return min(float(value), _LONGEST_PAUSE)
    moment = _http_date(value)
    if moment is None:
        return None
    return min(max(0.0, (moment - datetime.now(UTC)).total_seconds()), _LONGEST_PAUSE)


def _interval(headers: dict[str, str]) -> int:
    """Seconds the answer stays fresh: Cache-Control's max-age, else Expires."""
    for directive in headers.get("cache-control", "").lower().split(","):
        name, _, value = directive.strip().partition("=")
        if name in {"no-cache", "no-store"}:
            return 0
        if name == "max-age" and value.isdecimal() and len(value) < 10:
            return min(int(value), int(_LONGEST_PAUSE))
    expires = _http_date(headers.get("expires", ""))
    asked = _http_date(headers.get("date", "")) or datetime.now(UTC)
    if expires is None:
        return 0
    return int(min(max(0.0, (expires - asked).total_seconds()), _LONGEST_PAUSE))


def _http_date(value: str) -> datetime | None:
    if not value or len(value) > 64:
        return None
    try:
        moment = parsedate_to_datetime(value)
    except (ValueError, TypeError, OverflowError):
        return None
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


# --- the network underneath ---------------------------------------------------------------


@cache
def _tls() -> ssl.SSLContext:
    return httpx.create_ssl_context()


def is_public(address: str) -> bool:
    """Whether an IP address lies in the public internet, also when wrapped in IPv6."""
    ip = ipaddress.ip_address(address.partition("%")[0])
    if isinstance(ip, ipaddress.IPv6Address):
        inner = ip.ipv4_mapped or ip.sixtofour or (ip.teredo[1] if ip.teredo else None)
        if ip in _NAT64:
            inner = ipaddress.IPv4Address(int(ip) & 0xFFFFFFFF)
        if inner is not None:
            return is_public(str(inner))
    if any(ip in network for network in _NOT_PUBLIC if network.version == ip.version):
        return False
    return ip.is_global and not ip.is_multicast and not ip.is_reserved


class _CheckedNetwork(httpcore.NetworkBackend):
    """Connects only to addresses that were checked, and never past the deadline."""

    def __init__(self, deadline: float, allow_private: bool) -> None:
        self._inner = httpcore.SyncBackend()
        self._deadline = deadline
        self._allow_private = allow_private

    def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Any = None,
    ) -> httpcore.NetworkStream:
        failure: Exception | None = None
        addresses = self._addresses(host, port)[:4]
        for number, address in enumerate(addresses):
            try:
                # An address that swallows packets must leave time for the next one.
                left = _left(self._deadline, httpcore.ConnectTimeout) / (len(addresses) - number)
                stream = self._inner.connect_tcp(address, port, left, local_address, socket_options)
                return _DeadlineStream(stream, self._deadline)
            except (httpcore.ConnectError, httpcore.ConnectTimeout) as error:
                failure = error
        raise failure or httpcore.ConnectError(f"no address of {host} answers")

    def _addresses(self, host: str, port: int) -> list[str]:
        found = _resolve(host, port, _left(self._deadline, httpcore.ConnectTimeout))
        allowed = [address for address in found if self._allow_private or is_public(address)]
        if not allowed:
            raise FetchError("refused_address", f"{host} leads into a private network")
        return allowed


def _resolve(host: str, port: int, timeout: float) -> list[str]:
    """IP addresses of ``host``; getaddrinfo knows no timeout, so it is waited for outside."""
    executor = ThreadPoolExecutor(max_workers=1, thread_name_prefix="resolve")
    try:
        job = executor.submit(socket.getaddrinfo, host, port, type=socket.SOCK_STREAM)
        answers = job.result(timeout)
    except FutureTimeoutError as error:
        raise httpcore.ConnectTimeout(f"{host} does not resolve in time") from error
    except (OSError, UnicodeError) as error:
        raise FetchError("dns", f"{host} does not resolve") from error
    finally:
        executor.shutdown(wait=False)
    return list(dict.fromkeys(str(answer[4][0]) for answer in answers))


class _DeadlineStream(httpcore.NetworkStream):
    """A connection whose every wait ends at the deadline of the whole fetch."""

    def __init__(self, inner: httpcore.NetworkStream, deadline: float) -> None:
        self._inner = inner
        self._deadline = deadline

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        return self._inner.read(max_bytes, _left(self._deadline, httpcore.ReadTimeout))

    def write(self, buffer: bytes, timeout: float | None = None) -> None:
        self._inner.write(buffer, _left(self._deadline, httpcore.WriteTimeout))

    def close(self) -> None:
        self._inner.close()

    def start_tls(
        self,
        ssl_context: ssl.SSLContext,
        server_hostname: str | None = None,
        timeout: float | None = None,
    ) -> httpcore.NetworkStream:
        left = _left(self._deadline, httpcore.ConnectTimeout)
        return _DeadlineStream(
            self._inner.start_tls(ssl_context, server_hostname, left), self._deadline
        )

    def get_extra_info(self, info: str) -> Any:
        return self._inner.get_extra_info(info)


def _left(deadline: float, late: type[httpcore.TimeoutException]) -> float:
    left = deadline - time.monotonic()
    if left <= 0:
        raise late("the deadline has passed")
    return left
