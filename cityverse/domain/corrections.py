"""Where readers say an article is, what managers decide on it, and the names learned so."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from cityverse.domain.people import check_choice, check_optional_id
from cityverse.domain.places import EAST, NORTH, SOUTH, WEST, Location
from cityverse.domain.rules import check_between, check_id, check_text, check_time
from cityverse.errors import InvalidField

WORD_LONGEST = 300
REASON_LONGEST = 300
ALIAS_LONGEST = 80


class ProposalStatus(StrEnum):
    """How far a proposal has come."""

    OPEN = "open"
    ACCEPTED = "accepted"
    DECLINED = "declined"


@dataclass(frozen=True, slots=True)
class Proposal:
    """Where a reader says an article is; ``location`` None means at no place in Paris.

    A person has one for each article, with the id of ``proposal_id``. ``request`` is the
    id of the form that was sent last, so that sending it again has no effect; ``text`` an
    optional word to the managers, ``reason`` theirs. It expires with its article.
    """

    id: str
    article_id: str
    created: datetime
    request: str
    user_id: str | None = None
    location: Location | None = None
    text: str = ""
    status: ProposalStatus = ProposalStatus.OPEN
    decided_at: datetime | None = None
    reason: str = ""
    expires_at: datetime | None = None
    demo: bool = False
    version: int = 0

    def check(self) -> None:
        """Raise InvalidField when a field breaks its rule."""
        for name in ("id", "article_id", "request"):
            check_id(name, getattr(self, name))
        check_optional_id("user_id", self.user_id)
        check_choice("status", self.status, ProposalStatus)
        for name in ("created", "decided_at", "expires_at"):
            check_time(name, getattr(self, name))
        check_text("text", self.text, longest=WORD_LONGEST, required=False)
        check_text("reason", self.reason, longest=REASON_LONGEST, required=False)
        if self.location is not None:
            self.location.check()
        if (self.status is ProposalStatus.OPEN) != (self.decided_at is None):
            raise InvalidField("decided_at", "a proposal has a time of decision when it has one")


def proposal_id(user_id: str, article_id: str) -> str:
    """The id of what a person proposes for an article; a hash, so that it names nobody."""
    return hashlib.sha256(f"{user_id}\n{article_id}".encode()).hexdigest()[:32]


@dataclass(frozen=True, slots=True)
class Alias:
    """Further words for a place of the gazetteer, as an article wrote them.

    ``words`` are folded (see ``news.tokens.fold_phrase``), ``written`` as they stood there.
    What follows is the place: ``type`` is one of the gazetteer, ``extent`` in metres.
    """

    words: str
    written: str
    place: str
    type: str
    lat: float
    lon: float
    arrondissements: tuple[int, ...]
    extent: int
    created: datetime

    def check(self) -> None:
        """Raise InvalidField when a field breaks its rule."""
        check_text("words", self.words, longest=ALIAS_LONGEST)
        check_text("written", self.written, longest=ALIAS_LONGEST)
        check_text("place", self.place, longest=200)
        check_text("type", self.type, longest=40)
        check_between("lat", self.lat, SOUTH, NORTH)
        check_between("lon", self.lon, WEST, EAST)
        check_between("extent", self.extent, 0, 100_000)
        check_time("created", self.created)
        for number in self.arrondissements:
            check_between("arrondissement", number, 1, 20)
