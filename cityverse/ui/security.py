"""What every answer carries against misuse, and what nobody outside is answered at all."""

from __future__ import annotations

import base64
import hashlib
import ipaddress
import posixpath
import re
from functools import cache
from importlib.resources import files
from urllib.parse import unquote

from starlette.datastructures import MutableHeaders
from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from cityverse.data.objects import public_addresses
from cityverse.settings import IPNetwork, Settings

_INLINE = re.compile(r"<script(?![^>]*\ssrc=)[^>]*>(.*?)</script>", re.DOTALL | re.IGNORECASE)
_METRICS = "/_stcore/metrics"
# A way to drive pages without a browser; it knows nothing of cookies and of ours nothing.
_REFUSED = ("/_stcore/agent", "/_stcore/script-health-check")
_YEAR = 31_536_000


@cache
def inline_scripts() -> tuple[str, ...]:
    """The hashes of the scripts that stand in Streamlit's own page, for the policy."""
    page = files("streamlit").joinpath("static/index.html").read_text(encoding="utf-8")
    digests = (hashlib.sha256(text.encode()).digest() for text in _INLINE.findall(page))
    return tuple(f"'sha256-{base64.b64encode(digest).decode()}'" for digest in digests)


def content_policy(settings: Settings) -> str:
    """The Content-Security-Policy of all pages.

    Scripts are Streamlit's own files; its styles are written by scripts, hence inline.
    The map parses tiles in workers that it makes of blobs. Other origins are those of the
    settings, for what they serve, and nothing else.
    """
    media = " ".join((*public_addresses(settings), *settings.media_origins))
    tiles = " ".join(settings.tile_origins)
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

        async def with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in self._headers.items():
                    headers.setdefault(name, value)
            await send(message)

        app = self._app if self._answered(scope) else PlainTextResponse("not found", 404)
        await app(scope, receive, with_headers)

    def _answered(self, scope: Scope) -> bool:
        path = posixpath.normpath("/" + unquote(scope["path"]).lstrip("/"))
        if path.startswith(_METRICS):
            return _among(scope.get("client"), self._metrics_from)
        return not path.startswith(_REFUSED)


def _among(client: tuple[str, int] | None, networks: tuple[IPNetwork, ...]) -> bool:
    try:
        address = ipaddress.ip_address(client[0]) if client else None
    except ValueError:
        return False
    return address is not None and any(
        address in network for network in networks if network.version == address.version
    )
