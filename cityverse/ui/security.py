"""What every answer carries against misuse, and what nobody outside is answered at all."""

from __future__ import annotations

import base64
import hashlib
import ipaddress
import posixpath
import re
from functools import cache
from importlib.resources import files
from urllib.parse import unquote, urlsplit

from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from cityverse.data.objects import public_addresses
from cityverse.settings import IPNetwork, Settings

_INLINE = re.compile(r"<script(?![^>]*\ssrc=)[^>]*>(.*?)</script>", re.DOTALL | re.IGNORECASE)
_METRICS = ("/_stcore/metrics", "/metrics")
# A way to drive pages without a browser; it knows nothing of cookies and of ours nothing.
_REFUSED = ("/_stcore/agent", "/_stcore/script-health-check")
_YEAR = 31_536_000
# Two of Streamlit's scripts try to compile WebAssembly, which the policy forbids, and do
# as well without. So that they need not try, pages begin with a script that removes it.
_FIRST_SCRIPT = "delete window.WebAssembly;"
_HEAD = b"<head>"


@cache
def inline_scripts() -> tuple[str, ...]:
    """The hashes of the scripts that stand in Streamlit's own page, for the policy."""
    page = files("streamlit").joinpath("static/index.html").read_text(encoding="utf-8")
    texts = (_FIRST_SCRIPT, *_INLINE.findall(page))
    digests = (hashlib.sha256(text.encode()).digest() for text in texts)
    return tuple(f"'sha256-{base64.b64encode(digest).decode()}'" for digest in digests)


def content_policy(settings: Settings) -> str:
    """The Content-Security-Policy of all pages.

    Scripts are Streamlit's own files; its styles are written by scripts, hence inline.
    The map parses tiles in workers that it makes of blobs. Other origins are those of the
    settings, for what they serve, and nothing else.
    """
    media = " ".join((*public_addresses(settings), *settings.media_origins))
    published = urlsplit(settings.tiles_url)
    own = [f"{published.scheme}://{published.netloc}"] if settings.tiles_url else []
    tiles = " ".join((*own, *settings.tile_origins))
    return "; ".join(
        " ".join(rule.split())
        for rule in (
            "default-src 'self'",
            f"script-src 'self' blob: {' '.join(inline_scripts())}",
            "style-src 'self' 'unsafe-inline'",
            f"img-src 'self' data: blob: {media} {tiles}",
            f"media-src 'self' blob: {media}",
            "font-src 'self' data:",
            f"connect-src 'self' {media} {tiles}",
            "worker-src 'self' blob:",
            "frame-src 'self'",
            "object-src 'none'",
            "base-uri 'self'",
            "form-action 'self'",
            "frame-ancestors 'none'",
        )
    )


class Security:
    """Adds the headers, where an answer does not set its own, and refuses inner routes."""

    def __init__(self, app: ASGIApp, settings: Settings) -> None:
        self._app = app
        self._metrics_from = settings.metrics_from
        self._headers = {
            "Content-Security-Policy": content_policy(settings),
            "X-Content-Type-Options": "nosniff",
            "X-Frame-Options": "DENY",
            "Referrer-Policy": "same-origin",
            "Permissions-Policy": "camera=(), microphone=(), payment=(), geolocation=(self)",
            "Cross-Origin-Opener-Policy": "same-origin",
        }
        if settings.secure:
            self._headers["Strict-Transport-Security"] = f"max-age={_YEAR}; includeSubDomains"

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return

        if not self._answered(scope):
            await PlainTextResponse("not found", 404)(scope, receive, self._with_headers(send))
        elif scope["method"] == "GET" and _wants_page(scope):
            page = _FirstScript(self._with_headers(send))
            await self._app(_uncompressed(scope), receive, page)
        else:
            await self._app(scope, receive, self._with_headers(send))

    def _with_headers(self, send: Send) -> Send:
        async def with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in self._headers.items():
                    headers.setdefault(name, value)
            await send(message)

        return with_headers

    def _answered(self, scope: Scope) -> bool:
        path = posixpath.normpath("/" + unquote(scope["path"]).lstrip("/"))
        if path.startswith(_METRICS):
            return _among(scope.get("client"), self._metrics_from)
        return not path.startswith(_REFUSED)


class _FirstScript:
    """Sends an answer on; a page gets our first script at the beginning of its head."""

    def __init__(self, send: Send) -> None:
        self._send = send
        self._start: Message | None = None
        self._body = b""

    async def __call__(self, message: Message) -> None:
        """Take one part of the answer; a page is sent when it is whole."""
        if message["type"] == "http.response.start" and _is_page(message):
            self._start = message
            return
        if self._start is None:
            await self._send(message)
            return
        self._body += message.get("body", b"")
        if message.get("more_body"):
            return
        tag = f"<script>{_FIRST_SCRIPT}</script>".encode()
        body = self._body.replace(_HEAD, _HEAD + tag, 1)
        headers = MutableHeaders(scope=self._start)
        headers["Content-Length"] = str(len(body))
        for name in ("ETag", "Last-Modified", "Accept-Ranges"):  # of the file, not of this
            del headers[name]
        await self._send(self._start)
        await self._send({"type": "http.response.body", "body": body})


def _wants_page(scope: Scope) -> bool:
    return "text/html" in Headers(scope=scope).get("accept", "")


def _is_page(start: Message) -> bool:
    headers = Headers(raw=start["headers"])
    whole = start["status"] == 200 and "content-encoding" not in headers
    return whole and headers.get("content-type", "").startswith("text/html")


def _uncompressed(scope: Scope) -> Scope:
    """The request of a page: whole, new and as plain text, so that a script can be put in."""
    left_out = {b"accept-encoding", b"range", b"if-none-match", b"if-modified-since"}
    return {**scope, "headers": [h for h in scope["headers"] if h[0] not in left_out]}


def _among(client: tuple[str, int] | None, networks: tuple[IPNetwork, ...]) -> bool:
    try:
        address = ipaddress.ip_address(client[0]) if client else None
    except ValueError:
        return False
    return address is not None and any(
        address in network for network in networks if network.version == address.version
    )
