"""``/digest/stop``: no more digests, by the link that stands in each of them.

Opening it asks; what is sent there by POST acts, be it the button of that page or the one
click of a mail program (RFC 8058). Doing so again changes nothing.
"""

from __future__ import annotations

import logging
from html import escape

from starlette.requests import Request
from starlette.responses import HTMLResponse, Response
from starlette.routing import BaseRoute, Route

from cityverse.accounts.digest import STOP
from cityverse.community import digests
from cityverse.data import store as stores
from cityverse.errors import StoreError
from cityverse.settings import Settings
from cityverse.ui import outputs
from cityverse.ui.texts import DEFAULT, LANGUAGES, Texts

log = logging.getLogger(__name__)

_HEADERS = {
    "Cache-Control": "no-store",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "X-Robots-Tag": "noindex",
}
_LONGEST = 64


def routes(settings: Settings) -> list[BaseRoute]:
    """The route over the store of these settings."""
    store = outputs.Connection(settings)

    # A plain function: Starlette runs it in a thread, so writing blocks nobody. No body is
    # read: all it needs stands in the address, which is signed.
    def answer(request: Request) -> Response:
        words = request.query_params
        language = words.get("lang", DEFAULT)
        texts = Texts(language if language in LANGUAGES else DEFAULT)
        who, key = words.get("who", "")[:_LONGEST], words.get("key", "")[:_LONGEST]
        secret = stores.secret(settings)
        if not who or not digests.fits(secret, who, key):
            return _page(texts, "unsubscribe.unknown", 404)
        if request.method != "POST":
            return _page(texts, "unsubscribe.ask", 200, button=True)
        try:
            digests.stop(store(), secret, who, key)
        except StoreError as error:
            log.warning("%s: %s", request.url.path, error)
            return _page(texts, "unsubscribe.later", 503, button=True)
        return _page(texts, "unsubscribe.done", 200)

    return [Route(STOP, answer, methods=["GET", "HEAD", "POST"])]


def _page(texts: Texts, key: str, status: int, *, button: bool = False) -> HTMLResponse:
    form = f"<form method='post'><button>{escape(texts('unsubscribe.stop'))}</button></form>"
    return HTMLResponse(
        f"<!doctype html><html lang='{texts.language}'><meta charset='utf-8'>"
        "<meta name='viewport' content='width=device-width'>"
        "<meta name='color-scheme' content='light dark'>"
        f"<title>{escape(texts('unsubscribe.title'))}</title>"
        f"<h1>{escape(texts('unsubscribe.title'))}</h1><p>{escape(texts(key))}</p>"
        f"{form if button else ''}<p><a href='/'>CityVerse</a></p>",
        status,
        _HEADERS,
    )
