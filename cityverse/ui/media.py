"""Routes for uploaded files: ``/m/<id>`` shows one, ``/upload/<ticket>`` takes a video."""

from __future__ import annotations

import asyncio
import logging
import re
import threading
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from urllib.parse import quote, urlsplit

from starlette.concurrency import run_in_threadpool
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, PlainTextResponse, Response, StreamingResponse
from starlette.routing import BaseRoute, Route

from cityverse.data import media as media_store
from cityverse.data import store
from cityverse.data.media import MediaStore
from cityverse.data.uploads import PART_BYTES, Ticket, Tickets, Uploads
from cityverse.domain.media import Media, MediaKind, is_media_id, thumbnail_of
from cityverse.errors import CityVerseError, Conflict, InvalidField, NotFound, StoreError
from cityverse.settings import Settings

log = logging.getLogger(__name__)

ViewerOf = Callable[[Request], str | None]
"""Who is signed in, by a request; None for nobody."""

_PRESIGNED_SECONDS = 300
_PART_SECONDS = 120.0
# Parts held in memory at the same time, 8 MB each; a check that goes through all counts as one.
_PARTS_AT_ONCE = 8
_PARTS_OF_ONE = 2
_RANGE = re.compile(r"bytes=(\d{0,15})-(\d{0,15})")
_SAFE = {
    "X-Content-Type-Options": "nosniff",
    "Content-Security-Policy": "default-src 'none'; sandbox",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Referrer-Policy": "no-referrer",
}
_NEVER_KEPT = {"Cache-Control": "no-store"}


@dataclass(slots=True)
class _Services:
    """The store, connected with when it is first needed and again when that failed."""

    settings: Settings
    lock: threading.Lock = field(default_factory=threading.Lock)
    found: MediaStore | None = None
    uploading: Uploads | None = None
    busy: Counter[str] = field(default_factory=Counter)

    def media(self) -> MediaStore:
        with self.lock:
            if self.found is None:
                self.found = media_store.connect(self.settings)
            return self.found

    def uploads(self) -> Uploads:
        media = self.media()
        with self.lock:
            if self.uploading is None:
                tickets = Tickets(store.secret(self.settings))
                most = self.settings.video_megabytes * 1_000_000
                self.uploading = Uploads(media, tickets, most)
            return self.uploading


def nobody(_: Request) -> str | None:
    """No viewer is known: only public files are shown."""
    return None


def routes(settings: Settings, viewer_of: ViewerOf = nobody) -> list[BaseRoute]:
    """The routes over the files of the store of these settings."""
    services = _Services(settings)

    # A plain function: Starlette runs it in a thread, so reading blocks nobody.
    def show(request: Request) -> Response:
        try:
            return _show(services, request, viewer_of(request))
        except NotFound:
            return PlainTextResponse("no such file", 404, _NEVER_KEPT)
        except StoreError as error:
            log.warning("a file could not be read: %s", error)
            return PlainTextResponse("try again later", 503, _NEVER_KEPT | {"Retry-After": "5"})

    async def upload(request: Request) -> Response:
        return await _upload(services, request)

    return [
        Route("/m/{id}", show, methods=["GET", "HEAD"]),
        Route("/upload/{ticket}", upload, methods=["GET", "HEAD", "PUT", "POST", "DELETE"]),
    ]


def _show(services: _Services, request: Request, viewer: str | None) -> Response:
    media_id = request.path_params["id"]
    if not is_media_id(media_id):
        raise NotFound("no id of a file")
    media = services.media().seen_by(media_id, viewer)
    small = media.kind is MediaKind.IMAGE and request.query_params.get("size") == "400"
    key = thumbnail_of(media.key) if small else media.key
    if services.settings.store == "aws" and not services.settings.s3_endpoint:
        return _redirect(services.media(), media, key)
    etag = f'"{media.id}{"-400" if small else ""}"'
    headers = {
        **_SAFE,
        "Content-Type": media.content_type,
        "ETag": etag,
        "Accept-Ranges": "none" if small else "bytes",
        "Cache-Control": "public, max-age=3600" if media.public else "private, no-store",
    }
    if media.kind is MediaKind.PDF:
        headers["Content-Disposition"] = _disposition(media)
    if etag in request.headers.get("if-none-match", ""):
        return Response(status_code=304, headers=headers)
    if small:
        return Response(services.media().objects.read(key), headers=headers)
    return _ranged(services.media(), request, media, headers)


def _redirect(store: MediaStore, media: Media, key: str) -> Response:
    answer = {"ResponseContentType": media.content_type}
    if media.kind is MediaKind.PDF:
        answer["ResponseContentDisposition"] = _disposition(media)
    url = store.objects.presigned(key, _PRESIGNED_SECONDS, **answer)
    # Kept for less long than the address is good for.
    kept = f"max-age={_PRESIGNED_SECONDS // 2}"
    seen = f"public, {kept}" if media.public else "private, no-store"
    return Response(status_code=302, headers={**_SAFE, "Location": url, "Cache-Control": seen})


def _disposition(media: Media) -> str:
    return f"attachment; filename=\"document.pdf\"; filename*=UTF-8''{quote(media.name)}"


def _ranged(store: MediaStore, request: Request, media: Media, headers: dict[str, str]) -> Response:
    wanted = _range(request, media.size, headers["ETag"])
    if wanted is None:
        return Response(
            status_code=416, headers={**headers, "Content-Range": f"bytes */{media.size}"}
        )
    start, end = wanted
    headers["Content-Length"] = str(end - start)
    status = 200
    if end - start < media.size:
        status = 206
        headers["Content-Range"] = f"bytes {start}-{end - 1}/{media.size}"
    if request.method == "HEAD":
        return Response(status_code=status, headers=headers)
    return StreamingResponse(store.objects.stream(media.key, start, end - start), status, headers)


def _range(request: Request, size: int, etag: str) -> tuple[int, int] | None:
    """Start and end of what is asked for; None when there is no such part.

    Several ranges, or one in another form, are answered with the whole, as HTTP allows.
    """
    found = _RANGE.fullmatch(request.headers.get("range", "").strip())
    if found is None or request.headers.get("if-range", etag) != etag:
        return 0, size
    first, last = found[1], found[2]
    if not first:
        if not last:
            return 0, size
        return (size - min(int(last), size), size) if int(last) else None
    if last and int(last) < int(first):
        return 0, size
    if int(first) >= size:
        return None
    return int(first), min(int(last) + 1, size) if last else size


async def _upload(services: _Services, request: Request) -> Response:
    if not _from_here(request):
        return _problem(403, "another site may not upload")
    try:
        uploads = await run_in_threadpool(services.uploads)
        ticket = uploads.tickets.read(request.path_params["ticket"], datetime.now(UTC))
        if ticket is None:
            return _problem(404, "no such upload, or too late")
        return await _METHODS[request.method](services, uploads, ticket, request)
    except InvalidField as error:
        return _problem(422, str(error))
    except Conflict as error:
        return _problem(409, str(error))
    except (StoreError, NotFound) as error:
        log.warning("an upload failed: %s", error)
        return _problem(503, "try again later", {"Retry-After": "5"})
    except CityVerseError as error:
        log.error("an upload failed: %s", error)
        return _problem(500, "did not work")


def _from_here(request: Request) -> bool:
    """Whether a page of this very site asks; reading the state needs no such page."""
    if request.method in {"GET", "HEAD"}:
        return True
    origin = urlsplit(request.headers.get("origin", ""))
    return bool(origin.netloc) and origin.netloc == request.headers.get("host")


def _problem(status: int, text: str, headers: dict[str, str] | None = None) -> Response:
    return JSONResponse({"problem": text}, status, {**_NEVER_KEPT, **(headers or {})})


async def _state(
    services: _Services, uploads: Uploads, ticket: Ticket, request: Request
) -> Response:
    offset = await run_in_threadpool(uploads.offset, ticket)
    return _offset(services, uploads, ticket, offset, request)


def _offset(
    services: _Services, uploads: Uploads, ticket: Ticket, offset: int, request: Request
) -> Response:
    """How far the upload is, and where its next part goes."""
    content: dict[str, object] = {
        "offset": offset,
        "size": ticket.size,
        "part": PART_BYTES,
        "put": None,
    }
    if offset < ticket.size:
        direct = services.settings.store == "aws" and not services.settings.s3_endpoint
        number = offset // PART_BYTES
        content["put"] = (
            uploads.media.objects.presigned_put(
                ticket.part_key(number), ticket.part_size(number), _PRESIGNED_SECONDS
            )
            if direct
            else request.url.path
        )
    headers = {**_NEVER_KEPT, "Upload-Offset": str(offset), "Upload-Length": str(ticket.size)}
    return JSONResponse(content, headers=headers)


async def _put(services: _Services, uploads: Uploads, ticket: Ticket, request: Request) -> Response:
    offset = _offset_of(request, ticket)
    if offset is None:
        return _problem(400, "say which part: Content-Range: bytes FIRST-LAST/SIZE")
    number, rest = divmod(offset, PART_BYTES)
    if rest or request.headers.get("content-length") != str(ticket.part_size(number)):
        return _problem(413, "is no part of this upload")
    async with _one_of(services, ticket) as free:
        if not free:
            return _too_many()
        try:
            async with asyncio.timeout(_PART_SECONDS):
                data = await _body(request, ticket.part_size(number))
        except TimeoutError:
            return _problem(408, "too slow", {"Connection": "close"})
        except ClientDisconnect:
            return _problem(400, "incomplete")
        if data is None:
            return _problem(413, "is no part of this upload", {"Connection": "close"})
        after = await run_in_threadpool(uploads.put_part, ticket, offset, data)
    return _offset(services, uploads, ticket, after, request)


def _offset_of(request: Request, ticket: Ticket) -> int | None:
    found = re.fullmatch(
        r"bytes (\d{1,15})-(\d{1,15})/(\d{1,15})", request.headers.get("content-range", "")
    )
    if found is None:
        return None
    first, last, size = (int(number) for number in found.groups())
    return first if first <= last < size == ticket.size else None


async def _body(request: Request, size: int) -> bytes | None:
    """The body if it has exactly this size; never more of it in memory."""
    data = bytearray()
    async for chunk in request.stream():
        if len(data) + len(chunk) > size:
            return None
        data += chunk
    return bytes(data) if len(data) == size else None


@asynccontextmanager
async def _one_of(services: _Services, ticket: Ticket) -> AsyncIterator[bool]:
    """Whether there is room for another part, and for one of this person; holds it meanwhile."""
    # Routes run on one event loop, so the count needs no lock.
    busy, owner = services.busy, ticket.owner
    if busy.total() >= _PARTS_AT_ONCE or busy[owner] >= _PARTS_OF_ONE:
        yield False
        return
    busy[owner] += 1
    try:
        yield True
    finally:
        busy[owner] -= 1
        if not busy[owner]:
            del busy[owner]


def _too_many() -> Response:
    return _problem(503, "too many uploads just now", {"Retry-After": "2"})


async def _finish(
    services: _Services, uploads: Uploads, ticket: Ticket, request: Request
) -> Response:
    async with _one_of(services, ticket) as free:
        if not free:
            return _too_many()
        media = await run_in_threadpool(uploads.finish, ticket, datetime.now(UTC))
    return JSONResponse({"id": media.id, "url": f"/m/{media.id}"}, 201, _NEVER_KEPT)


async def _cancel(
    services: _Services, uploads: Uploads, ticket: Ticket, request: Request
) -> Response:
    await run_in_threadpool(uploads.cancel, ticket)
    return Response(status_code=204, headers=_NEVER_KEPT)


_Handler = Callable[[_Services, Uploads, Ticket, Request], Awaitable[Response]]
_METHODS: dict[str, _Handler] = {
    "GET": _state,
    "HEAD": _state,
    "PUT": _put,
    "POST": _finish,
    "DELETE": _cancel,
}
