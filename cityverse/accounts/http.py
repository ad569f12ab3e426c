"""The routes that set and take away the session cookie, and who a request is from.

A page cannot set an HttpOnly cookie, so it hands the browser a ticket, which the browser
brings to ``/session/start``. Only our own pages can: the request must come from this
origin, as JSON, with a header that no other site can send.

Where a provider is set, a sign-in there begins at ``/session/provider`` by such a request
as well, and comes back to ``/session/provider/back``. A second cookie of ten minutes binds
the two; then it says whose e-mail was proven, until a session is started. It opens none.
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
from starlette.responses import JSONResponse, RedirectResponse, Response
from starlette.routing import BaseRoute, Route

from cityverse.accounts.accounts import Accounts
from cityverse.accounts.addresses import network_of
from cityverse.accounts.provider import BACK
from cityverse.accounts.tokens import FLOW_LASTS, PROOF_LASTS
from cityverse.errors import CityVerseError, ProviderRefused, StoreError, TooManyAttempts
from cityverse.settings import Settings

log = logging.getLogger(__name__)

START, END, PROVIDER = "/session/start", "/session/end", "/session/provider"
SIGN_IN = "/SignIn"
OWN_HEADER = "X-CityVerse"
_BODY_MOST = 4096
_PATH_MOST = 200
_BODY_SECONDS = 5.0
_NEVER_KEPT = {"Cache-Control": "no-store"}
_PARAMETERS_MOST = 10

Connect = Callable[[], Accounts]


def cookie_name(settings: Settings) -> str:
    """The name of the session cookie; under TLS one that no other host can have set."""
    return "__Host-cityverse_session" if settings.secure else "cityverse_session"


def proof_cookie_name(settings: Settings) -> str:
    """The name of the cookie of a sign-in at a provider."""
    return "__Host-cityverse_provider" if settings.secure else "cityverse_provider"


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
    """The routes over these accounts."""
    name, proof_name = cookie_name(settings), proof_cookie_name(settings)
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
        if proof_name in request.cookies:
            answer.delete_cookie(proof_name, **flags)
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
        if proof_name in request.cookies:
            answer.delete_cookie(proof_name, **flags)
        return answer

    return [
        Route(START, start, methods=["POST"]),
        Route(END, end, methods=["POST"]),
        *(_provider_routes(accounts, proof_name, flags) if settings.oidc else []),
    ]


def _provider_routes(accounts: Connect, proof_name: str, flags: dict[str, Any]) -> list[BaseRoute]:
    """To the provider and back."""

    async def to_provider(request: Request) -> Response:
        body = await _body(request) if _is_ours(request) else None
        if body is None:
            return _refusal(403)
        path = _ticket(body)
        if path is None or len(path) > _PATH_MOST:
            return _refusal(400)
        network = network_of(request.client.host if request.client else None)
        try:
            address, flow = await run_in_threadpool(
                lambda: accounts().begin_provider(path, network)
            )
        except (ProviderRefused, TooManyAttempts) as error:
            log.warning("a sign-in at the provider could not begin: %s", error)
            return JSONResponse({"next": _told(error)}, headers=_NEVER_KEPT)
        except StoreError as error:
            log.warning("a sign-in at the provider could not begin: %s", error)
            return _refusal(503)
        answer = JSONResponse({"next": address}, headers=_NEVER_KEPT)
        # Lax, for it is the provider's page that leads back.
        lasts = int(FLOW_LASTS.total_seconds())
        answer.set_cookie(proof_name, flow, max_age=lasts, **flags | {"samesite": "lax"})
        return answer

    async def back(request: Request) -> Response:
        said = request.query_params.multi_items()
        cookie = request.cookies.get(proof_name)
        try:
            if len(said) > _PARAMETERS_MOST or len(dict(said)) < len(said):
                raise ProviderRefused("refused", "an address that no provider makes")
            proof = await run_in_threadpool(lambda: accounts().end_provider(cookie, dict(said)))
        except ProviderRefused as error:
            log.warning("a sign-in at the provider proved nothing: %s", error)
            return _to(_told(error))
        except StoreError as error:
            log.warning("a sign-in at the provider could not end: %s", error)
            return _to(f"{SIGN_IN}?provider=unavailable")
        answer = _to(SIGN_IN)
        lasts = int(PROOF_LASTS.total_seconds())
        answer.set_cookie(proof_name, proof, max_age=lasts, **flags)
        return answer

    return [
        Route(PROVIDER, to_provider, methods=["POST"]),
        Route(BACK, back, methods=["GET"]),
    ]


def _told(error: CityVerseError) -> str:
    """The page that says why a sign-in at a provider came to nothing."""
    reason = error.reason if isinstance(error, ProviderRefused) else "limited"
    return f"{SIGN_IN}?provider={reason}"


def _to(path: str) -> Response:
    return RedirectResponse(path, 303, headers=_NEVER_KEPT)


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
