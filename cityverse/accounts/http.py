"""The two routes that set and take away the session cookie, and who a request is from.

A page cannot set an HttpOnly cookie, so it hands the browser a ticket, which the browser
brings to ``/session/start``. Only our own pages can: the request must come from this
origin, as JSON, with a header that no other site can send.
"""

from __future__ import annotations

import asyncio
import json
import logging
import threading
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any
from urllib.parse import urlsplit

from starlette.concurrency import run_in_threadpool
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, Response
from starlette.routing import BaseRoute, Route

from cityverse.accounts.accounts import Accounts
from cityverse.errors import StoreError
from cityverse.settings import Settings

log = logging.getLogger(__name__)

START, END = "/session/start", "/session/end"
OWN_HEADER = "X-CityVerse"
_BODY_MOST = 4096
_BODY_SECONDS = 5.0
_NEVER_KEPT = {"Cache-Control": "no-store"}

Connect = Callable[[], Accounts]


def cookie_name(settings: Settings) -> str:
    """The name of the session cookie; under TLS one that no other host can have set."""
    return "__Host-cityverse_session" if settings.secure else "cityverse_session"


class Connection:
    """The accounts, connected with when they are first needed and again when that failed."""

    def __init__(self, connect: Connect) -> None:
        self._connect = connect
        self._lock = threading.Lock()
        self._found: Accounts | None = None

    def __call__(self) -> Accounts:
        """The accounts; raises StoreError."""
        with self._lock:
            if self._found is None:
                self._found = self._connect()
            return self._found


def viewer_of(settings: Settings, accounts: Connect) -> Callable[[Request], str | None]:
    """Who is signed in, by the cookie of a request: the id of the person, or None."""
    name = cookie_name(settings)

    def viewer(request: Request) -> str | None:
        cookie = request.cookies.get(name)
        if not cookie:
            return None
        session = accounts().session(cookie)
        return None if session is None else session.user.id

    return viewer


def routes(settings: Settings, accounts: Connect) -> list[BaseRoute]:
    """The two routes over these accounts."""
    name = cookie_name(settings)
    flags: dict[str, Any] = {
        "path": "/",
        "httponly": True,
        "secure": settings.secure,
        "samesite": "strict",
    }

    async def start(request: Request) -> Response:
        body = await _body(request) if _is_ours(request) else None
        if body is None:
            return _refusal(403)
        ticket = _ticket(body)
        if ticket is None:
            return _refusal(400)
        cookie = request.cookies.get(name)
        try:
            made = await run_in_threadpool(lambda: accounts().exchange(ticket, cookie))
        except StoreError as error:
            log.warning("a session could not be started: %s", error)
            return _refusal(503)
        if made is None:
            return _refusal(401)
        text, token = made
        answer = JSONResponse({"ok": True}, headers=_NEVER_KEPT)
        left = int((token.expires - datetime.now(UTC)).total_seconds())
        answer.set_cookie(name, text, max_age=left, **flags)
        return answer

    async def end(request: Request) -> Response:
        if not _is_ours(request) or await _body(request) is None:
            return _refusal(403)
        answer = JSONResponse({"ok": True}, headers=_NEVER_KEPT)
        try:
            await run_in_threadpool(_end, accounts, request.cookies.get(name))
        except StoreError as error:
            log.warning("a session could not be ended: %s", error)
            return _refusal(503)
        answer.delete_cookie(name, **flags)
        return answer

    return [
        Route(START, start, methods=["POST"]),
        Route(END, end, methods=["POST"]),
    ]


def _end(accounts: Connect, cookie: str | None) -> None:
    if cookie is None:
        return
    token = accounts().keys.read_session(cookie)
    if token is not None:
        accounts().sign_out(token)


def _is_ours(request: Request) -> bool:
    """Whether a page of this very site asks: a script of ours, not a form or another site."""
    try:
        origin = urlsplit(request.headers.get("origin", ""))
    except ValueError:
        return False
    return (
        bool(origin.netloc)
        and origin.netloc == request.headers.get("host")
        and request.headers.get("sec-fetch-site", "same-origin") == "same-origin"
        and request.headers.get("content-type") == "application/json"
        and request.headers.get(OWN_HEADER) == "1"
    )


async def _body(request: Request) -> bytes | None:
    """The body, if it is whole, small and soon there."""
    data = bytearray()
    try:
        async with asyncio.timeout(_BODY_SECONDS):
            async for chunk in request.stream():
                data += chunk
                if len(data) > _BODY_MOST:
                    return None
    except (TimeoutError, ClientDisconnect):
        return None
    return bytes(data)


def _ticket(body: bytes) -> str | None:
    try:
        said = json.loads(body)
    except (ValueError, RecursionError):
        return None
    ticket = said.get("ticket") if isinstance(said, dict) else None
    return ticket if isinstance(ticket, str) else None


def _refusal(status: int) -> Response:
    return JSONResponse({"ok": False}, status, headers=_NEVER_KEPT)
