"""What stands between the socket and ministack: who may ask, for what, and how much."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any
from urllib.parse import parse_qs

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
App = Callable[[Message, Receive, Send], Awaitable[None]]

MAX_BODY = 512 * 1024 * 1024
"""Bytes of the largest request; ministack holds a request in memory whole."""

_OPEN_PATHS = frozenset(
    f"/{prefix}/{name}" for prefix in ("_ministack", "_localstack") for name in ("health", "ready")
)
_ADMIN_PREFIXES = ("/_ministack", "/_localstack", "/_aws")
_HOSTS = frozenset({"127.0.0.1", "localhost"})


def verify_every_signature() -> None:
    """Have ministack check the signatures of its root keys too.

    It takes its own key, "test" and any twelve digits for root, whatever they are signed
    with. Empty stays root: ministack calls itself that way, and unsigned requests from
    outside do not pass the guard.
    """
    from ministack.core import iam_evaluator

    iam_evaluator._is_root_key = lambda key: not key


class Guard:
    """An ASGI application that refuses what the engine does not serve, else asks ``app``."""

    def __init__(self, app: App) -> None:
        """Wrap ``app``; set ``closed`` to refuse every request from then on."""
        self._app = app
        self.closed = False

    async def __call__(self, scope: Message, receive: Receive, send: Send) -> None:
        """Serve one connection of the ASGI server."""
        if scope["type"] == "lifespan":
            await _lifespan(receive, send)
        elif scope["type"] == "websocket":
            await receive()
            await send({"type": "websocket.close", "code": 1008})
        elif (refusal := self._refusal(scope)) is not None:
            await _refuse(scope, send, *refusal)
        else:
            await self._app(scope, _limited(receive), send)

    def _refusal(self, scope: Message) -> tuple[int, str, str] | None:
        headers = {name.decode("latin-1").lower(): value for name, value in scope["headers"]}
        path: str = scope["path"]
        # A page of another site whose name resolves to this machine says so here.
        if headers.get("host", b"").decode("latin-1").rpartition(":")[0] not in _HOSTS:
            return 403, "AccessDenied", "The engine answers on loopback only"
        if path in _OPEN_PATHS:
            return None
        if path.startswith(_ADMIN_PREFIXES):
            return 403, "AccessDenied", "The engine has no administration by HTTP"
        if self.closed:
            return 503, "ServiceUnavailable", "The engine is stopping"
        if scope["method"] != "OPTIONS" and not _signed(scope, headers):
            return 403, "AccessDenied", "The engine serves signed requests only"
        length = headers.get("content-length", b"0")
        if not length.isdigit() or int(length) > MAX_BODY:
            return 413, "EntityTooLarge", f"A request may have {MAX_BODY} bytes"
        return None


def _signed(scope: Message, headers: dict[str, bytes]) -> bool:
    """Whether a request carries a signature; whether it is right is ministack's to check."""
    if headers.get("authorization", b"").startswith(b"AWS4-HMAC-SHA256 Credential="):
        return True
    query = parse_qs(scope.get("query_string", b"").decode("latin-1"))
    if query.get("X-Amz-Algorithm") == ["AWS4-HMAC-SHA256"]:
        return all(query.get(f"X-Amz-{name}") for name in ("Credential", "Date", "Signature"))
    # A form's signature is a field of its body.
    is_form = headers.get("content-type", b"").startswith(b"multipart/form-data")
    return scope["method"] == "POST" and is_form


def _limited(receive: Receive) -> Receive:
    """Receive at most MAX_BODY bytes of a body whose length was not declared."""
    size = 0

    async def limited() -> Message:
        nonlocal size
        message = await receive()
        size += len(message.get("body", b""))
        return message if size <= MAX_BODY else {"type": "http.disconnect"}

    return limited


async def _lifespan(receive: Receive, send: Send) -> None:
    """Answer the server's start and stop.

    ministack's own would run scripts it finds on the machine and remove containers.
    """
    while True:
        message = await receive()
        await send({"type": f"{message['type']}.complete"})
        if message["type"] == "lifespan.shutdown":
            return


async def _refuse(scope: Message, send: Send, status: int, code: str, reason: str) -> None:
    """Answer in the form of the protocol that asked: JSON for DynamoDB, XML for S3."""
    if any(name.lower() == b"x-amz-target" for name, _ in scope["headers"]):
        kind, body = "application/x-amz-json-1.0", json.dumps({"__type": code, "message": reason})
    else:
        kind = "application/xml"
        body = f"<Error><Code>{code}</Code><Message>{reason}</Message></Error>"
    data = b"" if scope["method"] == "HEAD" else body.encode()
    headers = [
        (b"content-type", kind.encode()),
        (b"content-length", str(len(data)).encode()),
        (b"connection", b"close"),
    ]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": data})
