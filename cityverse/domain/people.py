"""People with an account, and the associations they follow."""

from __future__ import annotations

import dataclasses
import re
import unicodedata
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum

from cityverse.domain.places import Location
from cityverse.domain.rules import check_between, check_id, check_link, check_text, check_time
from cityverse.errors import InvalidField

GOALS = tuple(range(1, 18))
"""The numbers of the Sustainable Development Goals."""
ANONYMOUS = "deleted-account"
"""Stands for everybody whose account was deleted, where something of theirs stays."""

EMAIL_LONGEST = 254
NAME_LONGEST = 80
DESCRIPTION_LONGEST = 2000
CONSENTS_MOST = 100
RECOVERY_CODES = 10
_PASSWORD_HASH_LONGEST = 512
_SEALED_LONGEST = 200
_LOCAL_SIGNS = frozenset("!#$%&'*+/=?^_`{|}~.-")
_LABEL = re.compile(r"(?!-)[a-z0-9-]{1,63}(?<!-)")


class Role(StrEnum):
    """What a person may do; each role may all that those before it may."""

    RESIDENT = "resident"
    CREATOR = "creator"
    MANAGER = "manager"
    ADMIN = "admin"


class Status(StrEnum):
    """Whether an account can be used; a closed one keeps nothing that names the person."""

    ACTIVE = "active"
    SUSPENDED = "suspended"
    CLOSED = "closed"


@dataclass(frozen=True, slots=True)
class Consent:
    """That a person agreed to a version of the terms, and when."""

    version: str
    time: datetime

    def check(self) -> None:
        """Raise InvalidField when a field breaks its rule."""
        check_id("consents.version", self.version)
        check_time("consents.time", self.time)


@dataclass(frozen=True, slots=True)
class SocialLinks:
    """Addresses of pages elsewhere; None where there is none."""

    facebook: str | None = None
    instagram: str | None = None
    x: str | None = None
    youtube: str | None = None

    def check(self) -> None:
        """Raise InvalidField when a field breaks its rule."""
        for one in dataclasses.fields(self):
            check_link(f"links.{one.name}", getattr(self, one.name))


NO_LINKS = SocialLinks()


@dataclass(frozen=True, slots=True)
class SecondFactor:
    """Codes of an authenticator (TOTP) that signing in asks for beside the password.

    ``secret`` is sealed and ``recovery`` hashed by the key of second factors. ``last_step``
    is the time step, of 30 seconds since 1970, of the last code that was taken: none of it
    or of one before is taken again.
    """

    secret: str
    since: datetime
    last_step: int
    recovery: frozenset[str] = frozenset()

    def check(self) -> None:
        """Raise InvalidField when a field breaks its rule."""
        check_text("second_factor.secret", self.secret, longest=_SEALED_LONGEST, required=True)
        check_time("second_factor.since", self.since)
        check_whole("second_factor.last_step", self.last_step)
        check_between("second_factor.recovery", len(self.recovery), 0, RECOVERY_CODES)
        for one in self.recovery:
            check_id("second_factor.recovery", one)


@dataclass(frozen=True, slots=True)
class User:
    """A person with an account.

    ``password_hash`` is None where a new password must be set before signing in.
    ``session_version`` is raised to end all sessions, ``calendar_version`` to
    let the private address of the calendar no longer answer. ``goals`` are numbers of
    Sustainable Development Goals, 1 to 17. ``score``, ``hours``, ``following``,
    ``last_seen`` and ``notified_until`` are written by what causes them, never by an edit.
    """

    id: str
    created: datetime
    email: str | None = None
    first_name: str = ""
    last_name: str = ""
    password_hash: str | None = None
    role: Role = Role.RESIDENT
    status: Status = Status.ACTIVE
    suspended_until: datetime | None = None
    session_version: int = 1
    calendar_version: int = 1
    consents: tuple[Consent, ...] = ()
    verified_at: datetime | None = None
    second_factor: SecondFactor | None = field(default=None, repr=False)
    description: str = ""
    profile_media_id: str | None = None
    banner_media_id: str | None = None
    links: SocialLinks = NO_LINKS
    goals: frozenset[int] = frozenset()
    address: Location | None = None
    score: int = field(default=0, metadata={"counter": True})
    hours: int = field(default=0, metadata={"counter": True})
    following: int = field(default=0, metadata={"counter": True})
    last_seen: datetime | None = field(default=None, metadata={"counter": True})
    notified_until: datetime | None = field(default=None, metadata={"counter": True})
    demo: bool = False
    version: int = 0

    @property
    def email_normalised(self) -> str | None:
        """The form of the e-mail that no two people share; None where there is no e-mail."""
        return None if self.email is None else normalised_email(self.email)

    def check(self) -> None:
        """Raise InvalidField when a field breaks its rule."""
        check_id("id", self.id)
        if self.id == ANONYMOUS:
            raise InvalidField("id", "stands for those whose account was deleted")
        check_choice("role", self.role, Role)
        check_choice("status", self.status, Status)
        self._check_identity()
        for name in ("created", "verified_at", "suspended_until", "last_seen", "notified_until"):
            check_time(name, getattr(self, name))
        check_text("description", self.description, longest=DESCRIPTION_LONGEST, required=False)
        for name in ("profile_media_id", "banner_media_id"):
            check_optional_id(name, getattr(self, name))
        for name in ("score", "hours", "following", "session_version", "calendar_version"):
            check_whole(name, getattr(self, name))
        check_between("consents", len(self.consents), 0, CONSENTS_MOST)
        for consent in self.consents:
            consent.check()
        self.links.check()
        if self.second_factor is not None:
            self.second_factor.check()
        check_goals(self.goals)
        if self.address is not None:
            self.address.check()

    def _check_identity(self) -> None:
        open_account = self.status is not Status.CLOSED
        check_text("first_name", self.first_name, longest=NAME_LONGEST, required=open_account)
        check_text("last_name", self.last_name, longest=NAME_LONGEST, required=False)
        longest = _PASSWORD_HASH_LONGEST
        check_text("password_hash", self.password_hash or "", longest=longest, required=False)
        if self.email is not None:
            normalised_email(self.email)
        elif open_account:
            raise InvalidField("email", "must not be empty")


def closed(user: User) -> User:
    """The account after its end: what others refer to stays, what names the person is gone."""
    return dataclasses.replace(
        User(id=user.id, created=user.created),
        status=Status.CLOSED,
        session_version=user.session_version + 1,
        score=user.score,
        hours=user.hours,
        following=user.following,
        last_seen=user.last_seen,
        notified_until=user.notified_until,
        demo=user.demo,
        version=user.version,
    )


class Purpose(StrEnum):
    """What a link that is sent by e-mail allows, once."""

    CONFIRM = "confirm"
    RESET = "reset"
    EMAIL = "email"
    CLAIM = "claim"


@dataclass(frozen=True, slots=True)
class Link:
    """A link for one use; ``id`` is a hash of its token, which is nowhere kept.

    It is for one person as they were when it was made: ``session_version`` and ``email``
    (normalised) must still be theirs, but for a change of e-mail, where it is the new one.
    The link by which the first admin comes is for nobody in particular.
    """

    id: str
    purpose: Purpose
    created: datetime
    expires_at: datetime
    user_id: str | None = None
    session_version: int = 0
    email: str | None = None
    used: bool = False

    def check(self) -> None:
        """Raise InvalidField when a field breaks its rule."""
        check_id("id", self.id)
        check_choice("purpose", self.purpose, Purpose)
        check_time("created", self.created)
        check_time("expires_at", self.expires_at)
        check_optional_id("user_id", self.user_id)
        check_whole("session_version", self.session_version)
        if self.email is not None:
            normalised_email(self.email)


@dataclass(frozen=True, slots=True)
class Follow:
    """That a person follows an association, and since when."""

    user_id: str
    association_id: str
    created: datetime

    def check(self) -> None:
        """Raise InvalidField when a field breaks its rule."""
        check_id("user_id", self.user_id)
        check_id("association_id", self.association_id)
        check_time("created", self.created)


def normalised_email(email: str) -> str:
    """The one form of all spellings of an e-mail: case, Unicode forms and blanks around it.

    The domain is written in ASCII (IDNA). Raises InvalidField for what is no e-mail of at
    most 254 characters.
    """
    if not isinstance(email, str) or len(email) > EMAIL_LONGEST:
        raise InvalidField("email", f"must be a text of at most {EMAIL_LONGEST} characters")
    local, _, domain = _caseless(email).strip().rpartition("@")
    dots_stand_well = not (local.startswith(".") or local.endswith(".") or ".." in local)
    if not 0 < len(local) <= 64 or not dots_stand_well or not all(map(_may_stand, local)):
        raise InvalidField("email", "is not a usable e-mail address")
    normalised = f"{local}@{_ascii_domain(domain)}"
    if len(normalised) > EMAIL_LONGEST:
        raise InvalidField("email", f"must be a text of at most {EMAIL_LONGEST} characters")
    return normalised


def _caseless(text: str) -> str:
    """Unicode's caseless form (NFKC, folded), which does not change when made again."""
    folded = unicodedata.normalize("NFKC", text).casefold()
    return unicodedata.normalize("NFKC", folded).casefold()


def _may_stand(character: str) -> bool:
    """Letters, marks and digits of any script, and the signs of RFC 5322."""
    return character in _LOCAL_SIGNS or unicodedata.category(character)[0] in "LMN"


def _ascii_domain(domain: str) -> str:
    try:
        labels = domain.encode("idna").decode("ascii").lower().split(".")
    except UnicodeError:
        labels = []
    if len(labels) < 2 or not all(map(_LABEL.fullmatch, labels)) or labels[-1].isdigit():
        raise InvalidField("email", "is not a usable e-mail address")
    return ".".join(labels)


def check_goals(goals: frozenset[int]) -> None:
    """Numbers of Sustainable Development Goals, 1 to 17."""
    for goal in goals:
        check_whole("goals", goal, lowest=1, highest=17)


def check_optional_id(name: str, value: str | None) -> None:
    """An id, or None."""
    if value is not None:
        check_id(name, value)


def check_whole(name: str, value: int, *, lowest: int = 0, highest: int = 2**53) -> None:
    """A whole number within both bounds; the store would not read another one back."""
    if not isinstance(value, int):
        raise InvalidField(name, "must be a whole number")
    check_between(name, value, lowest, highest)


def check_choice(name: str, value: StrEnum, choices: type[StrEnum]) -> None:
    """One of the choices themselves, not a text that looks like one."""
    if not isinstance(value, choices):
        raise InvalidField(name, f"must be one of {', '.join(choices)}")
