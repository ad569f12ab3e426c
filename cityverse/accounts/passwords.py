"""Passwords: which are accepted, and how they are kept."""

from __future__ import annotations

import secrets
import threading
import unicodedata
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import bcrypt
from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

from cityverse.errors import InvalidField, StoreThrottled
from cityverse.settings import Settings

SHORTEST = 10
LONGEST = 1024
# Of the scale of zxcvbn, 0 to 4: below, a stolen hash would be guessed in hours.
_SCORE_LEAST = 3
# zxcvbn takes time that grows with the square of the length; more adds nothing.
_LOOKED_AT = 72
# What people here make passwords of, beside what zxcvbn knows.
_LOCAL = ("cityverse", "paris", "motdepasse", "azerty", "soleil", "bonjour", "jetaime", "doudou")
# bcrypt never saw more of a password than this.
_BCRYPT_BYTES = 72
# So many at a time: with the setting of memory, this bounds what sign-ins can take of it.
_AT_ONCE = 4
_WAIT_SECONDS = 10.0


def normalised(password: str) -> str:
    """The one form of a password however it is typed: NFC, without blanks around it.

    Raises InvalidField for what is no text of at most 1,024 characters.
    """
    if not isinstance(password, str) or len(password) > LONGEST:
        raise InvalidField("password", f"must have at most {LONGEST} characters")
    form = unicodedata.normalize("NFC", password).strip()
    if any("\ud800" <= character <= "\udfff" for character in form):
        raise InvalidField("password", "holds half a character")
    return form


def check_new(password: str, about: Iterable[str] = ()) -> str:
    """The normalised form of a new password; raises InvalidField when it is too easy to guess.

    ``about`` is what is known of the person: names and e-mail.
    """
    form = normalised(password)
    if len(form) < SHORTEST:
        raise InvalidField("password", f"must have at least {SHORTEST} characters")
    from zxcvbn import zxcvbn  # takes a third of a second to import

    known = [part for text in about for part in (text, *text.replace("@", " ").split()) if part]
    estimate = zxcvbn(form[:_LOOKED_AT], user_inputs=[*_LOCAL, *known])
    if estimate["score"] < _SCORE_LEAST:
        raise InvalidField("password", "is one of the first that somebody would guess")
    return form


@dataclass(frozen=True, slots=True)
class Verdict:
    """Whether a password is right, and whether its hash should be made anew."""

    right: bool
    stale: bool


class Hasher:
    """Makes and compares hashes: argon2id, and bcrypt as others made it."""

    def __init__(self, settings: Settings) -> None:
        self._argon2 = PasswordHasher(
            time_cost=settings.password_rounds,
            memory_cost=settings.password_mebibytes * 1024,
            parallelism=1,
        )
        self._gate = threading.BoundedSemaphore(_AT_ONCE)
        self._nobody = self._argon2.hash(secrets.token_hex(16))

    def hash(self, password: str) -> str:
        """The hash of a normalised password; raises StoreThrottled when too many are waiting."""
        with self._one_of_few():
            return self._argon2.hash(password)

    def verify(self, password: str, stored: str | None) -> Verdict:
        """Compare; where there is no hash this takes as long, and the password is wrong."""
        with self._one_of_few():
            if stored and stored.startswith("$2"):
                return Verdict(_is_bcrypt(password, stored), stale=True)
            try:
                self._argon2.verify(stored or self._nobody, password)
            except (VerificationError, InvalidHashError):
                return Verdict(right=False, stale=False)
            return Verdict(bool(stored), bool(stored and self._argon2.check_needs_rehash(stored)))

    @contextmanager
    def _one_of_few(self) -> Iterator[None]:
        if not self._gate.acquire(timeout=_WAIT_SECONDS):
            raise StoreThrottled("too many passwords are being computed")
        try:
            yield
        finally:
            self._gate.release()


def _is_bcrypt(password: str, stored: str) -> bool:
    try:
        return bcrypt.checkpw(password.encode()[:_BCRYPT_BYTES], stored.encode())
    except ValueError:  # a damaged hash, or a NUL that bcrypt refuses
        return False
