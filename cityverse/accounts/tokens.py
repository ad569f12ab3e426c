"""Signed tokens: the session cookie, the ticket that is exchanged for it, and the step to it.

All are JWTs of HS256 that name their purpose (``aud`` and ``typ``) and their key
(``kid``). They say who it is and since when, never what one may do.
"""

from __future__ import annotations

import hashlib
import hmac
import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import jwt

from cityverse.data.store import kept_secret
from cityverse.errors import InputError, StoreMisconfigured
from cityverse.settings import Settings

TICKET_LASTS = timedelta(seconds=30)
STEP_LASTS = timedelta(minutes=5)
# Time for a password and a second factor elsewhere; then for names and consent here.
FLOW_LASTS = timedelta(minutes=10)
PROOF_LASTS = timedelta(minutes=10)
_ISSUER = "cityverse"
_LONGEST = 2048
_LEEWAY_SECONDS = 5
KEY_FILE, PREVIOUS_KEY_FILE = "session.key", "session.previous.key"


@dataclass(frozen=True, slots=True)
class SessionToken:
    """What a session cookie says: whose session, its id, when it ends."""

    user_id: str
    id: str
    session_version: int
    expires: datetime


@dataclass(frozen=True, slots=True)
class Ticket:
    """What a ticket says: its own id and end, and the session it is exchanged for."""

    id: str
    expires: datetime
    session: SessionToken


@dataclass(frozen=True, slots=True)
class Step:
    """That somebody gave their password, and the code of their second factor is to follow."""

    user_id: str
    id: str
    session_version: int
    expires: datetime


@dataclass(frozen=True, slots=True)
class Flow:
    """A sign-in at a provider that this browser has begun; ``id`` is its state.

    ``next_path`` is the page one goes to when it is done.
    """

    id: str
    nonce: str
    verifier: str
    next_path: str
    expires: datetime


@dataclass(frozen=True, slots=True)
class Proof:
    """That a provider says an e-mail belongs to who sits at this browser; good once.

    The names are what the provider calls them, or empty.
    """

    email: str
    first_name: str
    last_name: str
    next_path: str
    id: str
    expires: datetime


def new_flow(next_path: str, now: datetime) -> Flow:
    """A sign-in at a provider that begins now."""
    state, nonce, verifier = (secrets.token_urlsafe(32) for _ in range(3))
    return Flow(state, nonce, verifier, next_path, now + FLOW_LASTS)


def new_proof(email: str, first_name: str, last_name: str, next_path: str, now: datetime) -> Proof:
    """A proof of now."""
    expires = now + PROOF_LASTS
    return Proof(email, first_name, last_name, next_path, secrets.token_urlsafe(24), expires)


def new_session(user_id: str, session_version: int, now: datetime, days: int) -> SessionToken:
    """A session that begins now; times are whole seconds."""
    expires = (now + timedelta(days=days)).replace(microsecond=0)
    return SessionToken(user_id, secrets.token_urlsafe(24), session_version, expires)


class Keys:
    """The keys of an installation: the first one signs, all of them verify."""

    def __init__(self, secrets_: Sequence[bytes]) -> None:
        self._keys = {_key_id(key): key for key in map(_derived, secrets_)}
        self._signing = next(iter(self._keys))

    @classmethod
    def of(cls, settings: Settings) -> Keys:
        """The keys of these settings, else of the data folder; raises StoreMisconfigured."""
        if settings.session_secret:
            given = (settings.session_secret, settings.session_secret_previous)
            return cls([secret.encode() for secret in given if secret])
        present = kept_secret(settings.data_dir / KEY_FILE)
        before = settings.data_dir / PREVIOUS_KEY_FILE
        return cls([present, kept_secret(before)] if before.exists() else [present])

    def session(self, token: SessionToken, now: datetime) -> str:
        """The cookie of a session."""
        claims = {"sub": token.user_id, "jti": token.id, "sv": token.session_version}
        return self._signed("session", claims, now, token.expires)

    def read_session(self, text: object) -> SessionToken | None:
        """What a cookie says; None unless we signed it for this and it has not expired."""
        claims = self._verified("session", text)
        if claims is None:
            return None
        return SessionToken(claims["sub"], claims["jti"], claims["sv"], _time(claims["exp"]))

    def ticket(self, session: SessionToken, now: datetime) -> str:
        """A ticket for a session, good for 30 seconds."""
        claims = {
            "sub": session.user_id,
            "jti": secrets.token_urlsafe(24),
            "sv": session.session_version,
            "sid": session.id,
            "until": int(session.expires.timestamp()),
        }
        return self._signed("ticket", claims, now, now + TICKET_LASTS)

    def read_ticket(self, text: object) -> Ticket | None:
        """What a ticket says; None unless we signed it and it is fresh."""
        claims = self._verified("ticket", text)
        if claims is None:
            return None
        session = SessionToken(claims["sub"], claims["sid"], claims["sv"], _time(claims["until"]))
        return Ticket(claims["jti"], _time(claims["exp"]), session)

    def step(self, user_id: str, session_version: int, now: datetime) -> str:
        """A step between password and code, good for 5 minutes."""
        claims = {"sub": user_id, "jti": secrets.token_urlsafe(24), "sv": session_version}
        return self._signed("step", claims, now, now + STEP_LASTS)

    def read_step(self, text: object) -> Step | None:
        """What a step says; None unless we signed it and it is fresh."""
        claims = self._verified("step", text)
        if claims is None:
            return None
        return Step(claims["sub"], claims["jti"], claims["sv"], _time(claims["exp"]))

    def flow(self, flow: Flow, now: datetime) -> str:
        """The cookie that binds a sign-in at a provider to one browser."""
        claims = {
            "sub": flow.next_path,
            "jti": flow.id,
            "nonce": flow.nonce,
            "verifier": flow.verifier,
        }
        return self._signed("flow", claims, now, flow.expires)

    def read_flow(self, text: object) -> Flow | None:
        """What such a cookie says; None unless we signed it and it is fresh."""
        said = self._verified("flow", text)
        if said is None:
            return None
        return Flow(said["jti"], said["nonce"], said["verifier"], said["sub"], _time(said["exp"]))

    def proof(self, proof: Proof, now: datetime) -> str:
        """The cookie that says whose e-mail a provider has proven."""
        claims = {
            "sub": proof.email,
            "jti": proof.id,
            "first": proof.first_name,
            "last": proof.last_name,
            "next": proof.next_path,
        }
        return self._signed("proof", claims, now, proof.expires)

    def read_proof(self, text: object) -> Proof | None:
        """What such a cookie says; None unless we signed it and it is fresh."""
        said = self._verified("proof", text)
        if said is None:
            return None
        names = said["first"], said["last"]
        return Proof(said["sub"], *names, said["next"], said["jti"], _time(said["exp"]))

    def _signed(
        self, purpose: str, claims: dict[str, Any], now: datetime, expires: datetime
    ) -> str:
        begun = int(now.timestamp())
        return jwt.encode(
            {
                "iss": _ISSUER,
                "aud": purpose,
                "iat": begun,
                "nbf": begun,
                "exp": int(expires.timestamp()),
                **claims,
            },
            self._keys[self._signing],
            algorithm="HS256",
            headers={"kid": self._signing, "typ": f"{purpose}+jwt"},
        )

    def _verified(self, purpose: str, text: object) -> dict[str, Any] | None:
        if not isinstance(text, str) or not text or len(text) > _LONGEST:
            return None
        try:
            header = jwt.get_unverified_header(text)
            key = self._keys.get(str(header.get("kid")))
            if key is None or header.get("typ") != f"{purpose}+jwt":
                return None
            claims: dict[str, Any] = jwt.decode(
                text,
                key,
                algorithms=["HS256"],
                audience=purpose,
                issuer=_ISSUER,
                leeway=_LEEWAY_SECONDS,
                options={"require": ["exp", "iat", "nbf", "sub", "jti", "aud", "iss"]},
            )
        except (jwt.PyJWTError, ValueError):
            return None
        return claims


def rotate(settings: Settings) -> None:
    """Let the next start sign with a new key of the data folder, and still accept the present.

    Raises InputError where the keys are settings, StoreMisconfigured where the folder
    cannot be written.
    """
    if settings.session_secret:
        raise InputError(
            "the key is a setting: put it into CITYVERSE_SESSION_SECRET_PREVIOUS "
            "and a new one into CITYVERSE_SESSION_SECRET"
        )
    present = settings.data_dir / KEY_FILE
    kept_secret(present)
    try:
        present.replace(settings.data_dir / PREVIOUS_KEY_FILE)
    except OSError as error:
        raise StoreMisconfigured(f"cannot keep {present}: {error.strerror}") from error
    kept_secret(present)


def link_id(token: str) -> str:
    """Under what a link for one use is kept: a hash, from which its token cannot be found."""
    return hashlib.sha256(token.encode("utf-8", "surrogatepass")).hexdigest()


def _derived(secret: bytes) -> bytes:
    """A key for sessions alone, so that no other use of the secret signs one."""
    return hmac.new(secret, b"cityverse session", hashlib.sha256).digest()


def _key_id(key: bytes) -> str:
    return hashlib.sha256(key).hexdigest()[:8]


def _time(seconds: int) -> datetime:
    return datetime.fromtimestamp(seconds, UTC)
