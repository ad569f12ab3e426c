"""Videos on their way into the store: in parts, resumable, and by a signed ticket alone.

A ticket says who uploads what size, and until when. Each part is an object of its own
under ``quarantine/``, so that the offset to resume from is what lies there, whichever
instance is asked and however often one was restarted. ``finish`` checks the parts as
they lie in the store (those very versions), copies them to ``media-posts/`` without
titles and positions, and only then writes the item.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from cityverse.data.media import MediaStore
from cityverse.data.objects import QUARANTINE, Objects, Place, Version
from cityverse.data.videos import Patch, check_video, looks_like_video, patched
from cityverse.domain.media import Media, MediaKind, MediaPlace, new_media_id
from cityverse.domain.rules import check_id
from cityverse.errors import AlreadyExists, Conflict, InvalidField, NotFound

PART_BYTES = 8 * 1024 * 1024
TICKET_LIFE = timedelta(hours=6)
_LONGEST = 1024
_SIGNATURE_BYTES = 32


@dataclass(frozen=True, slots=True)
class Ticket:
    """Leave to upload one video of ``size`` bytes as file ``id``, until ``expires`` (s)."""

    id: str
    owner: str
    size: int
    public: bool
    expires: int

    def parts(self) -> int:
        """How many parts it comes in."""
        return -(-self.size // PART_BYTES)

    def part_size(self, number: int) -> int:
        """How many bytes this part has, counted from 0."""
        return min(PART_BYTES, self.size - number * PART_BYTES)

    def folder(self) -> str:
        """The prefix of its parts."""
        return f"{QUARANTINE}{self.id}/"

    def part_key(self, number: int) -> str:
        """The key of this part, counted from 0."""
        return f"{self.folder()}{number:06}"


class Tickets:
    """Signs and reads tickets with a secret that all instances share."""

    def __init__(self, secret: bytes) -> None:
        # Not the key of the cursors: what is signed as one must not pass for the other.
        self._key = hmac.new(secret, b"cityverse upload tickets", hashlib.sha256).digest()

    def write(self, ticket: Ticket) -> str:
        """The ticket as text for an address."""
        fields = [ticket.id, ticket.owner, ticket.size, ticket.public, ticket.expires]
        body = json.dumps(fields).encode()
        return base64.urlsafe_b64encode(self._sign(body) + body).decode().rstrip("=")

    def read(self, text: str, now: datetime) -> Ticket | None:
        """The ticket, or None when it is forged or has expired."""
        if len(text) > _LONGEST:
            return None
        try:
            raw = base64.urlsafe_b64decode(text.encode("ascii") + b"=" * (-len(text) % 4))
        except (binascii.Error, UnicodeError):
            return None
        signature, body = raw[:_SIGNATURE_BYTES], raw[_SIGNATURE_BYTES:]
        if not hmac.compare_digest(signature, self._sign(body)):
            return None
        ticket = Ticket(*json.loads(body))
        return ticket if now.timestamp() < ticket.expires else None

    def _sign(self, body: bytes) -> bytes:
        return hmac.new(self._key, body, hashlib.sha256).digest()


@dataclass(frozen=True, slots=True)
class Uploads:
    """Uploads of videos; ``bytes_most`` bounds each of them."""

    media: MediaStore
    tickets: Tickets
    bytes_most: int

    def mint(self, owner: str, size: int, now: datetime, *, public: bool = True) -> str:
        """A ticket for this person to upload one video; raises InvalidField.

        For use cases that know who is signed in: nothing that comes from a browser may
        name the owner.
        """
        check_id("owner", owner)
        if not 0 < size <= self.bytes_most:
            raise InvalidField("video", f"more than {self.bytes_most // 1_000_000} MB, or empty")
        expires = int((now + TICKET_LIFE).timestamp())
        return self.tickets.write(Ticket(new_media_id(), owner, size, public, expires))

    def offset(self, ticket: Ticket) -> int:
        """How many bytes are there, in whole parts from the first.

        Raises InvalidField, and ends the upload, when there is more than was announced.
        """
        return sum(part.size for part in self._parts(ticket))

    def put_part(self, ticket: Ticket, offset: int, data: bytes) -> int:
        """Store the part that begins at ``offset``; answers with the offset after it.

        A part that is there already stays as it is, and is no error: so a ticket never
        fills more than its size. Raises Conflict when the part before it is missing or
        the upload has ended, InvalidField when it is no part of this upload.
        """
        number, rest = divmod(offset, PART_BYTES)
        if rest or not 0 <= offset < ticket.size or len(data) != ticket.part_size(number):
            raise InvalidField("part", "is no part of this upload")
        if number == 0 and not looks_like_video(data[:16]):
            raise InvalidField("video", "no MP4 or WebM video")
        if self._has_ended(ticket):
            raise Conflict("this upload has ended")
        there = self.offset(ticket)
        if offset > there:
            raise Conflict("an earlier part is missing")
        if offset + len(data) <= there:
            return offset + len(data)
        self.media.objects.put(ticket.part_key(number), data, "application/octet-stream")
        return offset + len(data)

    def finish(self, ticket: Ticket, now: datetime) -> Media:
        """Check what was uploaded and make it a file; repeating is no error.

        Raises Conflict while parts are missing, InvalidField when it is refused, also for
        being more than was announced, or without an owner; what is refused is deleted at once.
        """
        known = self.media.items.find(ticket.id)
        if known is not None:
            self._end(ticket)
            return known
        if self._has_ended(ticket):
            raise Conflict("this upload has ended")
        parts = self._parts(ticket)
        if len(parts) < ticket.parts():
            raise Conflict("parts are missing")
        uploaded = _Uploaded(self.media.objects, parts)
        try:
            video = check_video(ticket.size, uploaded.read)
        except InvalidField:
            self.cancel(ticket)
            raise
        media = Media(
            ticket.id,
            ticket.owner,
            MediaKind.VIDEO,
            MediaPlace.POST,
            video.content_type,
            ticket.size,
            now,
            width=video.width,
            height=video.height,
            public=ticket.public,
        )
        media.check()
        self.media.objects.put_parts(media.key, uploaded.copied(video.patches), media.content_type)
        try:
            media = self.media.items.create(media)
        except AlreadyExists:  # finished twice at the same time
            media = self.media.items.get(ticket.id)
        except NotFound as error:  # the account was deleted since the upload began
            self._end(ticket)
            self.cancel(ticket)
            self.media.objects.purge(media.key)
            raise InvalidField("owner", "has no account any more") from error
        self._end(ticket)
        self.cancel(ticket)
        return media

    def cancel(self, ticket: Ticket) -> None:
        """Delete the parts for good; a file that was finished stays."""
        self.media.objects.purge(ticket.folder(), exact=False)

    def _end(self, ticket: Ticket) -> None:
        """Note that the ticket is used up: what is deleted later must not come back by it."""
        receipt = {"id": _receipt(ticket), "expires": ticket.expires}
        self.media.items.dynamo.put("Receipt", receipt)

    def _has_ended(self, ticket: Ticket) -> bool:
        """Whether the file of this ticket was made, even if deleted since, or was too much."""
        return self.media.items.dynamo.get("Receipt", {"id": _receipt(ticket)}) is not None

    def _parts(self, ticket: Ticket) -> list[Version]:
        """The parts that are there, in order, as far as none before them is missing."""
        wanted = {ticket.part_key(n): ticket.part_size(n) for n in range(ticket.parts())}
        there: dict[str, Version] = {}
        # A part sent again, because its answer was lost, may lie there twice.
        room = 2 * ticket.size + PART_BYTES
        for version in self._versions(ticket):
            room -= version.size
            if wanted.get(version.key) != version.size or room < 0:
                self._end(ticket)
                self.cancel(ticket)
                raise InvalidField("video", "more was sent than announced")
            if version.latest:
                there[version.key] = version
        parts: list[Version] = []
        for key in wanted:
            if key not in there:
                break
            parts.append(there[key])
        return parts

    def _versions(self, ticket: Ticket) -> Iterator[Version]:
        after: Place | None = Place()
        while after is not None:
            versions, after = self.media.objects.versions(ticket.folder(), after)
            yield from (version for version in versions if not version.deletion)


def _receipt(ticket: Ticket) -> str:
    return f"upload#{ticket.id}"


@dataclass(slots=True)
class _Uploaded:
    """The parts of an upload as one file."""

    objects: Objects
    parts: Sequence[Version]

    def read(self, offset: int, length: int) -> bytes:
        """These bytes, across parts."""
        found: list[bytes] = []
        while length > 0:
            number, start = divmod(offset, PART_BYTES)
            part = self.parts[number]
            piece = min(length, part.size - start)
            found.append(self.objects.read(part.key, start, piece, version=part.id))
            offset, length = offset + piece, length - piece
        return b"".join(found)

    def copied(self, patches: Sequence[Patch]) -> Iterator[bytes]:
        """All parts, one after the other, with the patches applied."""
        for number, part in enumerate(self.parts):
            data = self.objects.read(part.key, version=part.id)
            yield patched(data, number * PART_BYTES, patches)
