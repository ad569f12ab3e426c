"""A person's own data, in one file for that person alone."""

from __future__ import annotations

import json
import zipfile
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import IO, Any

from cityverse.data import personal
from cityverse.data.media import MediaStore
from cityverse.data.store import Store
from cityverse.data.throttles import Limit
from cityverse.domain import policy
from cityverse.domain.media import is_media_id
from cityverse.domain.people import User
from cityverse.domain.policy import Action
from cityverse.errors import NotFound, TooManyAttempts

EXPORTS = Limit("export", 10, timedelta(hours=1))
BYTES_MOST = 4_000_000_000
"""Of files no more goes into one export; ``left_out`` names the others."""

_SUFFIXES = {
    "image/webp": "webp",
    "video/mp4": "mp4",
    "video/webm": "webm",
    "application/pdf": "pdf",
}


def export(
    store: Store, files: MediaStore, who: User | None, request_id: str, now: datetime, to: IO[bytes]
) -> None:
    """Write a ZIP archive of everything about who is signed in: ``about-me.json`` and files.

    It reads only, so asking twice gives it twice. Raises NotSignedIn, TooManyAttempts and
    StoreError.
    """
    user = policy.require(who, Action.EDIT_ACCOUNT, who.id if who else None)
    if not store.throttles.take(EXPORTS, user.id, request_id, now):
        raise TooManyAttempts("so many exports an hour and no more")
    about = personal.about(store.dynamo, user.id)
    with zipfile.ZipFile(to, "w", zipfile.ZIP_DEFLATED) as archive:
        left_out = _add_files(archive, files, about["Media"])
        told = {"made": now.isoformat(), **about, "left_out": left_out}
        archive.writestr("about-me.json", json.dumps(told, ensure_ascii=False, indent=2))


def _add_files(
    archive: zipfile.ZipFile, files: MediaStore, rows: list[Mapping[str, Any]]
) -> list[str]:
    """Add the files of these rows; answers with the ids of those that could not be added."""
    left_out, size = [], 0
    for row in rows:
        media_id = str(row.get("id"))
        media = files.items.find(media_id) if is_media_id(media_id) else None
        if media is None or size + media.size > BYTES_MOST:
            left_out.append(media_id)
            continue
        size += media.size
        # Pictures and films are compressed already.
        name = f"media/{media.id}.{_SUFFIXES[media.content_type]}"
        entry = zipfile.ZipInfo(name, media.created.timetuple()[:6])
        try:
            pieces = files.objects.stream(media.key, 0, media.size)
            with archive.open(entry, "w", force_zip64=True) as out:
                for piece in pieces:
                    out.write(piece)
        except NotFound:
            left_out.append(media_id)
    return left_out
