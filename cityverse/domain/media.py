"""Uploaded files: what they are, who may see them, and how large they may be."""

from __future__ import annotations

import re
import secrets
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from cityverse.domain.rules import check_between, check_id, check_text, check_time
from cityverse.errors import InvalidField

IMAGE_BYTES_MOST = 25_000_000
PIXELS_MOST = 40_000_000
PDF_BYTES_MOST = 25_000_000
SIDE_LONGEST = 2048
THUMBNAIL_LONGEST = 400
VIDEO_SECONDS_MOST = 2 * 3600
VIDEO_SIDE_MOST = 8192
VIEWERS_MOST = 100
NAME_LONGEST = 120

# 128 random bits behind a letter: an address nobody guesses, and keys no other program makes.
_OWN_ID = re.compile(r"m[0-9a-f]{32}")


class MediaKind(StrEnum):
    """What a file is."""

    IMAGE = "image"
    VIDEO = "video"
    PDF = "pdf"


class MediaPlace(StrEnum):
    """Where a file lies: a prefix of one of the buckets."""

    PROFILE = "profile-images/"
    PRODUCT = "product-images/"
    POST = "media-posts/"


class MediaState(StrEnum):
    """Whether a file is there, or was deleted and can still be restored."""

    READY = "ready"
    DELETED = "deleted"


CONTENT_TYPES = {
    "image/webp": MediaKind.IMAGE,
    "video/mp4": MediaKind.VIDEO,
    "video/webm": MediaKind.VIDEO,
    "application/pdf": MediaKind.PDF,
}
"""The types we serve; what an uploader says of a file is never among them."""


@dataclass(frozen=True, slots=True)
class Media:
    """One file. ``size`` is in bytes, ``width`` and ``height`` in pixels (0 when unknown).

    A file that is not ``public``, or that moderators have ``hidden``, is shown to its owner
    and to ``viewers`` (ids of people) only. ``name`` is what a downloaded document is called.
    """

    id: str
    owner: str
    kind: MediaKind
    place: MediaPlace
    content_type: str
    size: int
    created: datetime
    name: str = ""
    width: int = 0
    height: int = 0
    public: bool = True
    viewers: frozenset[str] = frozenset()
    state: MediaState = MediaState.READY
    deleted: datetime | None = None
    hidden: bool = False
    demo: bool = False
    version: int = 0

    @property
    def key(self) -> str:
        """The key of the file in its bucket."""
        return f"{self.place}{self.id}"

    @property
    def keys(self) -> tuple[str, ...]:
        """The keys of all its objects: the file, and the thumbnail of an image."""
        return (self.key, thumbnail_of(self.key)) if self.kind is MediaKind.IMAGE else (self.key,)

    def visible_to(self, viewer: str | None) -> bool:
        """Whether this person (None: somebody not signed in) may see the file."""
        if self.state is not MediaState.READY:
            return False
        return (self.public and not self.hidden) or (
            viewer is not None and (viewer == self.owner or viewer in self.viewers)
        )

    def check(self) -> None:
        """Raise InvalidField when a field breaks its rule."""
        if not is_media_id(self.id):
            raise InvalidField("id", "is no id of a file")
        check_id("owner", self.owner)
        if CONTENT_TYPES.get(self.content_type) is not self.kind:
            raise InvalidField("content_type", f"is no type of a file of kind {self.kind}")
        check_between("size", self.size, 1, 10**12)
        check_between("width", self.width, 0, 65_535)
        check_between("height", self.height, 0, 65_535)
        check_text("name", self.name, longest=NAME_LONGEST, required=False)
        check_time("created", self.created)
        check_time("deleted", self.deleted)
        if (self.deleted is not None) != (self.state is MediaState.DELETED):
            raise InvalidField("deleted", "is a time if, and only if, the file is deleted")
        if len(self.viewers) > VIEWERS_MOST:
            raise InvalidField("viewers", f"at most {VIEWERS_MOST} people are allowed")
        for viewer in self.viewers:
            check_id("viewers", viewer)


def new_media_id() -> str:
    """A random id, which nobody can guess."""
    return "m" + secrets.token_hex(16)


def is_media_id(text: str) -> bool:
    """Whether this is what ``new_media_id`` makes."""
    return _OWN_ID.fullmatch(text) is not None


def thumbnail_of(key: str) -> str:
    """The key of the thumbnail of an image."""
    return f"{key}-{THUMBNAIL_LONGEST}"


def id_of_key(key: str) -> str | None:
    """The id of the file an object belongs to; None when its key is not one of ours."""
    media_id = key.rpartition("/")[2].removesuffix(f"-{THUMBNAIL_LONGEST}")
    return media_id if is_media_id(media_id) else None


def document_name(name: str) -> str:
    """A file name as given by an uploader, made harmless: the last part, at most 120 characters.

    A name of which nothing is left becomes ``document``.
    """
    last = re.split(r"[/\\]", name[-1000:])[-1]
    kept = re.sub(r"[^\w .()-]", "", last).strip(" .")
    kept = re.sub(r"\.pdf$", "", kept, flags=re.IGNORECASE)[: NAME_LONGEST - 4].strip(" .")
    return f"{kept or 'document'}.pdf"
