"""Opaque, signed page cursors.

A cursor says where a page ends and for which list it was made. One that was
changed, or made for another list, is no error: the list starts at its first page.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import json
from dataclasses import dataclass
from typing import Literal

_SIGNATURE_BYTES = 16
_LONGEST = 1024

Direction = Literal["next", "previous"]


@dataclass(frozen=True, slots=True)
class Position:
    """A place between two items of a list: the order of the item beside it, and which way to go."""

    order: str
    direction: Direction


@dataclass(frozen=True, slots=True)
class Cursors:
    """Makes and reads cursors with one secret, which all instances of an installation share."""

    secret: bytes

    def write(self, listing: str, position: Position) -> str:
        """The cursor for this place in the list named ``listing``."""
        body = json.dumps([listing, position.order, position.direction]).encode()
        return base64.urlsafe_b64encode(self._sign(body) + body).decode().rstrip("=")

    def read(self, listing: str, cursor: str | None) -> Position | None:
        """The place a cursor names, or None when it is absent, forged or of another list."""
        if not cursor or len(cursor) > _LONGEST:
            return None
        try:
            raw = base64.urlsafe_b64decode(cursor.encode("ascii") + b"=" * (-len(cursor) % 4))
            signature, body = raw[:_SIGNATURE_BYTES], raw[_SIGNATURE_BYTES:]
            if not hmac.compare_digest(signature, self._sign(body)):
                return None
            made_for, order, direction = json.loads(body)
        except (binascii.Error, UnicodeError, ValueError):
            return None
        return Position(order, direction) if made_for == listing else None

    def _sign(self, body: bytes) -> bytes:
        return hmac.new(self.secret, body, hashlib.sha256).digest()[:_SIGNATURE_BYTES]
