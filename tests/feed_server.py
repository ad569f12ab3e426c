"""A feed server on loopback whose every path answers in its own, mostly bad, way."""

from __future__ import annotations

import gzip
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, ClassVar

import brotli

FEED = b'<rss version="2.0"><channel><title>J</title><item><title>t</title></item></channel></rss>'
BOMB = gzip.compress(b" " * 30_000_000)
BROTLI_BOMB = brotli.compress(b" " * 30_000_000, quality=5)


@dataclass
class Served:
    """A running server: its address, the requests it saw, and pages it gives out as they are."""

    url: str
    seen: list[dict[str, str]] = field(default_factory=list)
    pages: dict[str, bytes] = field(default_factory=dict)
    stopping: threading.Event = field(default_factory=threading.Event)
    asked_silent: threading.Event = field(default_factory=threading.Event)


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    served: ClassVar[Served]

    def log_message(self, format: str, *args: Any) -> None:
        pass

    def reply(self, status: int, body: bytes = b"", **headers: str) -> None:
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def raw(self, data: bytes) -> None:
        self.close_connection = True
        self.wfile.write(data)
        self.wfile.flush()

    def do_GET(self) -> None:
        headers = {k.lower(): v for k, v in self.headers.items()}
        self.served.seen.append(headers | {"path": self.path})
        page = self.served.pages.get(self.path)
        if page is not None:
            self.reply(200, page)
            return
        answer = getattr(self, f"get_{self.path.strip('/').split('?')[0].replace('-', '_')}", None)
        if answer is None:
            self.reply(404)
        else:
            answer()

    def get_feed(self) -> None:
        if self.headers.get("If-None-Match") == '"v1"':
            self.reply(304, ETag='"v1"')
            return
        self.reply(
            200,
            FEED,
            ETag='"v1"',
            Last_Modified="Wed, 22 Apr 2026 09:32:11 GMT",
            Cache_Control="public, max-age=900",
        )

    def get_quiet(self) -> None:
        if self.headers.get("If-None-Match") == '"v1"':
            self.reply(304)  # which may be as short as that
        else:
            self.get_feed()

    def get_html(self) -> None:
        self.reply(200, b"<!DOCTYPE html><html><body><h1>502</h1></body></html>")

    def get_busy_long(self) -> None:
        self.reply(429, Retry_After="18000")

    def get_odd_304(self) -> None:
        self.reply(304)

    def get_gzip(self) -> None:
        self.reply(200, gzip.compress(FEED), Content_Encoding="gzip")

    def get_bomb(self) -> None:
        self.reply(200, BOMB, Content_Encoding="gzip")

    def get_bad_gzip(self) -> None:
        self.reply(200, b"not gzip at all", Content_Encoding="gzip")

    def get_cut_gzip(self) -> None:
        self.reply(200, gzip.compress(FEED)[:-12], Content_Encoding="gzip")

    def get_members_gzip(self) -> None:
        self.reply(
            200, gzip.compress(FEED[:40]) + gzip.compress(FEED[40:]), Content_Encoding="gzip"
        )

    def get_empty_members(self) -> None:
        self.reply(200, gzip.compress(b"") * 10_000, Content_Encoding="gzip")

    def get_brotli(self) -> None:
        self.reply(200, brotli.compress(FEED), Content_Encoding="br")

    def get_brotli_bomb(self) -> None:
        self.reply(200, BROTLI_BOMB, Content_Encoding="br")

    def get_bad_brotli(self) -> None:
        self.reply(200, b"\xff" * 40, Content_Encoding="br")

    def get_cut_brotli(self) -> None:
        self.reply(200, brotli.compress(FEED)[:-8], Content_Encoding="br")

    def get_unasked(self) -> None:
        self.reply(200, b"xx", Content_Encoding="zstd")

    def get_large(self) -> None:
        self.reply(200, b"x" * 200_000)

    def get_endless(self) -> None:
        self.raw(b"HTTP/1.1 200 OK\r\nContent-Type: text/xml\r\n\r\n")
        while not self.served.stopping.is_set():
            try:
                self.raw(b"x" * 65536)
            except OSError:
                return

    def get_silent(self) -> None:
        self.close_connection = True
        self.served.asked_silent.set()
        self.served.stopping.wait(20)

    def get_drip(self) -> None:
        self.raw(b"HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n")
        while not self.served.stopping.wait(0.02):
            try:
                self.raw(b"x")
            except OSError:
                return

    def get_drip_headers(self) -> None:
        self.raw(b"HTTP/1.1 200 OK\r\n")
        while not self.served.stopping.wait(0.02):
            try:
                self.raw(b"X-A: b\r\n")
            except OSError:
                return

    def get_gone(self) -> None:
        self.reply(410)

    def get_busy(self) -> None:
        self.reply(429, Retry_After="120")

    def get_busy_until(self) -> None:
        self.reply(503, Retry_After="Wed, 01 Jan 2199 00:00:00 GMT")

    def get_cut(self) -> None:
        self.raw(b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n<rss>")

    def get_icy(self) -> None:
        self.raw(b"ICY 200 OK\r\nicy-name: radio\r\n\r\n")

    def get_hang_up(self) -> None:
        self.close_connection = True

    def get_moved(self) -> None:
        self.reply(301, Location="/feed")

    def get_moved_for_now(self) -> None:
        self.reply(302, Location="/feed")

    def get_loop(self) -> None:
        self.reply(302, Location="/loop")

    def get_nowhere(self) -> None:
        self.reply(302)

    def get_too_far(self) -> None:
        self.reply(301, Location="/feed?" + "x" * 3000)

    def get_to_file(self) -> None:
        self.reply(302, Location="file:///etc/passwd")

    def get_to_loopback(self) -> None:
        self.reply(301, Location="http://127.0.0.2:80/feed")

    def get_to_metadata(self) -> None:
        self.reply(302, Location="http://169.254.169.254/latest/")


class _Server(ThreadingHTTPServer):
    def handle_error(self, request: Any, client_address: Any) -> None:
        """Clients here hang up early on purpose."""


@contextmanager
def feed_server() -> Iterator[Served]:
    """A server on a free port of loopback, ended behind the block."""
    served = Served("")
    server = _Server(("127.0.0.1", 0), type("Bound", (Handler,), {"served": served}))
    served.url = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield served
    finally:
        served.stopping.set()
        server.shutdown()
        thread.join()
        server.server_close()
