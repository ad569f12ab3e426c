"""The second factor: codes of an authenticator (TOTP, RFC 6238), and codes for when it is lost.

Nothing of it stands in the store as it is: the secret is sealed by AES-256-GCM for the
account it belongs to, recovery codes are hashed with a key, and the key is elsewhere.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import re
import secrets
from dataclasses import replace
from datetime import datetime

import pyotp
import segno
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from cityverse.data.store import kept_secret
from cityverse.domain.people import RECOVERY_CODES, Role, SecondFactor, User
from cityverse.errors import CodeWrong, InvalidField, StoreMisconfigured
from cityverse.settings import Settings

KEY_FILE = "second-factor.key"
CODE_LONGEST = 40
_STEP_SECONDS = 30
# Clocks differ: the code before and the one after the present one are good, too.
_STEPS_BESIDE = (-1, 0, 1)
_SECRET = re.compile(r"[A-Z2-7]{32}")
_CODE = re.compile(r"[0-9]{6}")
_RECOVERY = re.compile(r"[A-Z2-7]{12}")
_NONCE_BYTES = 12
_HASH_DIGITS = 32
# These ask for a second factor when the setting does.
_TRUSTED = (Role.MANAGER, Role.ADMIN)


def new_secret() -> str:
    """A secret of 160 bits, in base32."""
    return pyotp.random_base32()


def check_secret(secret: str) -> None:
    """Raise InvalidField for what ``new_secret`` cannot have made."""
    if not isinstance(secret, str) or not _SECRET.fullmatch(secret):
        raise InvalidField("secret", "is none of a second factor")


def address(secret: str, email: str) -> str:
    """What an authenticator reads: the ``otpauth://`` address of a secret."""
    return pyotp.TOTP(secret).provisioning_uri(name=email, issuer_name="CityVerse")


def picture(secret: str, email: str) -> str:
    """The QR code of ``address``, as SVG on white; only squares, no text."""
    code = segno.make(address(secret, email), error="m", micro=False)
    drawn: str = code.svg_inline(scale=5, border=4, light="white", dark="black")
    return drawn.replace("<svg", '<svg xmlns="http://www.w3.org/2000/svg"', 1)


def step_of(secret: str, code: str, now: datetime) -> int | None:
    """The time step a code is of, among those that are good now; None for a wrong code."""
    typed = _typed(code)
    if not _CODE.fullmatch(typed):
        return None
    present = int(now.timestamp()) // _STEP_SECONDS
    totp = pyotp.TOTP(secret)
    good = [
        present + beside
        for beside in _STEPS_BESIDE
        if hmac.compare_digest(totp.generate_otp(present + beside), typed)
    ]
    return max(good, default=None)


def is_recovery(code: str) -> bool:
    """Whether this has the form of a recovery code, and not of one of an authenticator."""
    return bool(_RECOVERY.fullmatch(_typed(code)))


def new_codes() -> tuple[str, ...]:
    """Recovery codes of 60 bits, in groups of four letters and digits."""
    return tuple(map(_grouped, (pyotp.random_base32()[:12] for _ in range(RECOVERY_CODES))))


def is_missing(user: User) -> bool:
    """Whether somebody is to have a second factor, where the setting asks for it, and has none."""
    return user.role in _TRUSTED and user.second_factor is None


class Vault:
    """The key of second factors, and what it does."""

    def __init__(self, secret: bytes) -> None:
        self._cipher = AESGCM(_derived(secret, b"cityverse second factor secret"))
        self._hash_key = _derived(secret, b"cityverse recovery codes")

    @classmethod
    def of(cls, settings: Settings) -> Vault:
        """The key of these settings, else of the data folder; raises StoreMisconfigured."""
        given = settings.second_factor_secret
        return cls(given.encode() if given else kept_secret(settings.data_dir / KEY_FILE))

    def sealed(self, secret: str, user_id: str) -> str:
        """A secret as it is kept; it opens for this account alone."""
        nonce = secrets.token_bytes(_NONCE_BYTES)
        kept = nonce + self._cipher.encrypt(nonce, secret.encode(), user_id.encode())
        return base64.b64encode(kept).decode()

    def opened(self, sealed: str, user_id: str) -> str:
        """The secret; raises StoreMisconfigured where it was sealed by another key."""
        try:
            kept = base64.b64decode(sealed, validate=True)
            nonce, rest = kept[:_NONCE_BYTES], kept[_NONCE_BYTES:]
            return self._cipher.decrypt(nonce, rest, user_id.encode()).decode()
        except (InvalidTag, binascii.Error, ValueError) as error:
            raise StoreMisconfigured(
                f"the second factor of {user_id} was sealed by another key: see "
                "CITYVERSE_SECOND_FACTOR_SECRET"
            ) from error

    def hashes(self, codes: tuple[str, ...], user_id: str) -> frozenset[str]:
        """Recovery codes as they are kept."""
        return frozenset(self._hash(_typed(code), user_id) for code in codes)

    def spent(self, factor: SecondFactor, user_id: str, code: str, now: datetime) -> SecondFactor:
        """A second factor after the use of a code; raises CodeWrong for one that is not good."""
        if is_recovery(code):
            digest = self._hash(_typed(code), user_id)
            if digest not in factor.recovery:
                raise CodeWrong("it is no recovery code, or was used")
            return replace(factor, recovery=factor.recovery - {digest})
        step = step_of(self.opened(factor.secret, user_id), code, now)
        if step is None or step <= factor.last_step:
            raise CodeWrong("it is no code of now, or was used")
        return replace(factor, last_step=step)

    def _hash(self, code: str, user_id: str) -> str:
        text = f"{user_id} {code}".encode()
        return hmac.new(self._hash_key, text, hashlib.sha256).hexdigest()[:_HASH_DIGITS]


def _typed(code: object) -> str:
    """A code without the blanks and dashes it is written with; empty for what is none."""
    if not isinstance(code, str) or len(code) > CODE_LONGEST or not code.isascii():
        return ""
    return re.sub(r"[\s-]", "", code).upper()


def _grouped(code: str) -> str:
    return "-".join((code[:4], code[4:8], code[8:]))


def _derived(secret: bytes, purpose: bytes) -> bytes:
    return hmac.new(secret, purpose, hashlib.sha256).digest()
