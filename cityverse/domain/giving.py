"""Donation campaigns and contributions to them. Money is whole cents, never a float."""

from __future__ import annotations

import dataclasses
import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum

from cityverse.domain.community import MEDIA_MOST, NAME_LONGEST, check_ids, check_published
from cityverse.domain.moderation import Moderated
from cityverse.domain.people import ANONYMOUS
from cityverse.domain.places import Location
from cityverse.domain.rules import check_between, check_id, check_link, check_text, check_time
from cityverse.errors import InvalidField, WrongState

CENTS_MOST = 100_000_000
RAISED_MOST = 10**15
CURRENCY = "EUR"


class CampaignStatus(StrEnum):
    """Whether one can still give; a draft is seen by its association alone."""

    DRAFT = "draft"
    OPEN = "open"
    CLOSED = "closed"


@dataclass(frozen=True, slots=True)
class Campaign:
    """An appeal for donations.

    ``goal`` and ``raised`` are cents; ``raised`` and ``gifts`` count confirmed
    contributions only. ``tax_reduction`` is the share of a gift, in percent, that the
    donor's tax falls by, where ``tax_eligible``. ``link`` leads to where one pays.
    """

    id: str
    association_id: str
    association_name: str
    title: str
    description: str
    created: datetime
    goal: int
    raised: int = field(default=0, metadata={"counter": True})
    gifts: int = field(default=0, metadata={"counter": True})
    status: CampaignStatus = CampaignStatus.OPEN
    ends: datetime | None = None
    link: str | None = None
    tax_eligible: bool = False
    tax_reduction: int = 0
    location: Location | None = None
    media: tuple[str, ...] = ()
    moderation: Moderated | None = None
    demo: bool = False
    version: int = 0
    kind: str = field(default="campaign", init=False)

    def takes_contributions(self, now: datetime) -> bool:
        """Whether one can give: neither closed nor over, nor hidden by a moderator."""
        hidden = self.moderation is Moderated.HIDDEN
        return (
            not hidden
            and self.status is CampaignStatus.OPEN
            and (self.ends is None or self.ends > now)
        )

    def check(self) -> None:
        """Raise InvalidField when a field breaks its rule."""
        check_published(self)
        check_text("title", self.title, longest=200)
        check_whole("goal", self.goal, 1, RAISED_MOST)
        check_whole("raised", self.raised, 0, RAISED_MOST)
        check_between("gifts", self.gifts, 0, RAISED_MOST)
        check_time("ends", self.ends)
        check_link("link", self.link)
        check_ids("media", self.media, most=MEDIA_MOST)
        check_whole("tax_reduction", self.tax_reduction, 0, 100)
        if self.tax_reduction and not self.tax_eligible:
            raise InvalidField("tax_reduction", "is for campaigns that are tax-eligible")


# An amount as people write it: digits, perhaps in groups of three, and perhaps cents.
_AMOUNT = re.compile(r"(\d{1,3}(?: \d{3})+|\d{1,12})(?:[.,](\d{1,2}))?")
_AMOUNT_LONGEST = 40


def parse_cents(text: str) -> int:
    """The cents of an amount in euros such as ``12,50 €``; raises InvalidField.

    A comma or a point stands before one or two digits of cents, so ``1.000`` is refused: it
    may mean a thousand or one.
    """
    words = " ".join(text.split()).casefold() if len(text) <= _AMOUNT_LONGEST else ""
    words = re.sub(r"^€ ?|(?<=\d) ?(?:€|eur|euros?)$", "", words)
    found = _AMOUNT.fullmatch(words) if words.isascii() else None
    if found is None:
        raise InvalidField("cents", "must be an amount in euros such as 12,50")
    cents = int(found[1].replace(" ", "")) * 100 + int((found[2] or "").ljust(2, "0"))
    check_whole("cents", cents, 1, CENTS_MOST)
    return cents


class PaymentMethod(StrEnum):
    """How a gift of money came, in the words of the tax form."""

    TRANSFER = "transfer"
    CARD = "card"
    CHEQUE = "cheque"
    CASH = "cash"


class ContributionState(StrEnum):
    """Where a contribution stands; only confirmed ones count as raised."""

    PLEDGED = "pledged"
    CONFIRMED = "confirmed"
    REFUSED = "refused"
    REFUNDED = "refunded"


_S = ContributionState
TRANSITIONS: Mapping[ContributionState, frozenset[ContributionState]] = {
    _S.PLEDGED: frozenset({_S.CONFIRMED, _S.REFUSED}),
    _S.CONFIRMED: frozenset({_S.REFUNDED}),
    _S.REFUSED: frozenset(),
    _S.REFUNDED: frozenset(),
}
"""Which state may follow which."""


def check_transition(old: ContributionState, new: ContributionState) -> None:
    """Raise WrongState when ``new`` may not follow ``old``."""
    if new not in TRANSITIONS[old]:
        raise WrongState(f"a contribution that is {old} cannot become {new}")


def contribution_id(user_id: str, request_id: str) -> str:
    """The id of the contribution that one request of a person makes, however often sent."""
    return hashlib.sha256(f"{user_id}\n{request_id}".encode()).hexdigest()[:32]


def correction_id(contribution: str) -> str:
    """The id of the one entry that can cancel a contribution."""
    return hashlib.sha256(f"correction\n{contribution}".encode()).hexdigest()[:32]


@dataclass(frozen=True, slots=True)
class Contribution:
    """One gift to a campaign, or the entry that cancels one.

    ``cents`` never changes: what was confirmed by mistake is cancelled by an entry of the
    opposite amount, which names the cancelled one in ``corrects``. What was confirmed
    outlives its campaign and its association, so it says itself what they were called, and
    whether it was ``deductible``. ``received`` and ``method`` are what the association said
    when it confirmed; ``receipt`` is the number of the tax receipt that lists it.
    """

    id: str
    campaign_id: str
    user_id: str
    cents: int
    created: datetime
    state: ContributionState = field(default=_S.PLEDGED, metadata={"counter": True})
    changed: datetime | None = field(default=None, metadata={"counter": True})
    received: datetime | None = field(default=None, metadata={"counter": True})
    method: PaymentMethod | None = field(default=None, metadata={"counter": True})
    receipt: str | None = field(default=None, metadata={"counter": True})
    currency: str = CURRENCY
    first_name: str = ""
    surname: str = ""
    address: str = ""
    message: str = ""
    anonymous: bool = False
    corrects: str | None = None
    campaign_title: str = ""
    association_id: str | None = None
    association_name: str = ""
    deductible: bool = False
    demo: bool = False
    version: int = 0

    @property
    def accounted(self) -> bool:
        """Whether the accounts need it: it was confirmed once, and is no demo."""
        return self.state in {_S.CONFIRMED, _S.REFUNDED} and not self.demo

    def check(self) -> None:
        """Raise InvalidField when a field breaks its rule."""
        check_id("id", self.id)
        check_id("campaign_id", self.campaign_id)
        check_id("user_id", self.user_id)
        if self.corrects is None:
            check_whole("cents", self.cents, 1, CENTS_MOST)
        else:
            check_id("corrects", self.corrects)
            check_whole("cents", self.cents, -CENTS_MOST, -1)
        if self.currency != CURRENCY:
            raise InvalidField("currency", f"must be {CURRENCY}")
        check_time("created", self.created)
        check_time("changed", self.changed)
        check_time("received", self.received)
        if self.receipt is not None:
            check_id("receipt", self.receipt)
        check_text("first_name", self.first_name, longest=100, required=False)
        check_text("surname", self.surname, longest=100, required=False)
        check_text("address", self.address, longest=300, required=False)
        check_text("message", self.message, longest=1000, required=False)
        check_text("campaign_title", self.campaign_title, longest=200, required=False)
        if self.association_id is not None:
            check_id("association_id", self.association_id)
        check_text("association_name", self.association_name, longest=NAME_LONGEST, required=False)

    def erased(self) -> Contribution:
        """The same without anything personal but who gave."""
        return dataclasses.replace(self, first_name="", surname="", address="", message="")

    def anonymised(self) -> Contribution:
        """The same without anything personal: the accounts still need the amount."""
        return dataclasses.replace(self.erased(), user_id=ANONYMOUS)


def check_whole(field_name: str, value: int, lowest: int, highest: int) -> None:
    """A whole number within both bounds, which are allowed themselves."""
    if not isinstance(value, int):
        raise InvalidField(field_name, "must be a whole number")
    check_between(field_name, value, lowest, highest)
