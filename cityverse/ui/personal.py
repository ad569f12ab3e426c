"""The route of one's own data: ``/me/export`` answers with an archive of all of it."""

from __future__ import annotations

import logging
import tempfile
import threading
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from typing import IO

from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response, StreamingResponse
from starlette.routing import BaseRoute, Route
from ulid import ULID

from cityverse.community import privacy
from cityverse.data import media
from cityverse.data.store import Store
from cityverse.errors import CityVerseError, NotAllowed, NotSignedIn, StoreError, TooManyAttempts
from cityverse.settings import Settings

log = logging.getLogger(__name__)

EXPORT = "/me/export"
_AT_ONCE = 2
_MEMORY, _PIECE = 8_000_000, 256 * 1024
_NEVER_KEPT = {"Cache-Control": "no-store"}


def routes(
    settings: Settings, store: Callable[[], Store], viewer_of: Callable[[Request], str | None]
) -> list[BaseRoute]:
    """The route over the store of these settings."""
    free = threading.BoundedSemaphore(_AT_ONCE)

    # A plain function: Starlette runs it in a thread, so that making an archive blocks nobody.
    def export(request: Request) -> Response:
        if request.headers.get("sec-fetch-site", "same-origin") not in {"same-origin", "none"}:
            return _refused("another site may not ask for it", 403)
        if not free.acquire(blocking=False):
            return _refused("others are being made: try again in a minute", 503, "60")
        try:
            return _export(settings, store(), viewer_of(request))
        except TooManyAttempts:
            return _refused("so many an hour and no more: try again later", 429, "600")
        except (NotSignedIn, NotAllowed):
            return _refused("sign in first", 401)
        except StoreError as error:
            log.warning("an export failed: %s", error)
            return _refused("try again later", 503, "5")
        except CityVerseError as error:
            log.error("an export failed: %s", error)
            return _refused("did not work", 500)
        finally:
            free.release()

    return [Route(EXPORT, export, methods=["GET"])]


def _export(settings: Settings, store: Store, user_id: str | None) -> Response:
    now = datetime.now(UTC)
    who = None if user_id is None else store.users.find(user_id)
    archive: IO[bytes] = tempfile.SpooledTemporaryFile(_MEMORY)  # noqa: SIM115 - outlives this call
    try:
        privacy.export(store, media.connect(settings), who, str(ULID()), now, archive)
        size = archive.tell()
    except BaseException:
        archive.close()
        raise
    headers = {
        **_NEVER_KEPT,
        "Content-Length": str(size),
        "Content-Disposition": f'attachment; filename="cityverse-{now:%Y-%m-%d}.zip"',
        "X-Content-Type-Options": "nosniff",
    }
    return StreamingResponse(_pieces(archive), media_type="application/zip", headers=headers)


def _pieces(archive: IO[bytes]) -> Iterator[bytes]:
    with archive:
        archive.seek(0)
        while piece := archive.read(_PIECE):
            yield piece


def _refused(why: str, status: int, retry: str | None = None) -> Response:
    headers = _NEVER_KEPT if retry is None else _NEVER_KEPT | {"Retry-After": retry}
    return PlainTextResponse(why, status, headers)
