"""Receipts by which donors have their tax reduced (form Cerfa 11580, CGI articles 200, 238 bis)."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum

from cityverse.domain.associations import check_rna
from cityverse.domain.community import NAME_LONGEST
from cityverse.domain.giving import CENTS_MOST, PaymentMethod, check_whole
from cityverse.domain.rules import check_id, check_text, check_time
from cityverse.errors import InvalidField

GIFTS_MOST = 80
"""On one receipt; a transaction takes 100 writes."""
_SIREN = re.compile(r"[0-9]{9}")


class Eligibility(StrEnum):
    """Whether an association may issue receipts: it asks, a manager answers."""

    ASKED = "asked"
    GRANTED = "granted"
    DECLINED = "declined"


@dataclass(frozen=True, slots=True)
class Issuer:
    """What a receipt must say of the association, in whose name it is issued.

    ``purpose`` is its object as the statutes have it, ``signatory`` who signs and in which
    capacity; ``reason`` is what a manager said when they declined.
    """

    association_id: str
    name: str
    address: str
    purpose: str
    signatory: str
    rna: str | None = None
    siren: str | None = None
    eligibility: Eligibility = Eligibility.ASKED
    reason: str = ""
    changed: datetime | None = None
    version: int = 0

    def check(self) -> None:
        """Raise InvalidField when a field breaks its rule."""
        check_id("association_id", self.association_id)
        check_text("name", self.name, longest=NAME_LONGEST)
        check_text("receipt_address", self.address, longest=300)
        check_text("purpose", self.purpose, longest=500)
        check_text("signatory", self.signatory, longest=200)
        check_text("reason", self.reason, longest=500, required=False)
        check_rna(self.rna)
        check_siren(self.siren)
        if self.rna is None and self.siren is None:
            raise InvalidField("siren", "a receipt needs the RNA or the SIREN number")
        check_time("changed", self.changed)


def check_siren(siren: str | None) -> None:
    """Nine digits whose Luhn sum is a multiple of ten; None is no number."""
    if siren is None:
        return
    if not isinstance(siren, str) or not _SIREN.fullmatch(siren):
        raise InvalidField("siren", "must be nine digits")
    doubled = [int(digit) * (1 + n % 2) for n, digit in enumerate(siren)]
    if sum(number - 9 * (number > 9) for number in doubled) % 10:
        raise InvalidField("siren", "is no number of the register")


@dataclass(frozen=True, slots=True)
class Gift:
    """A line of a receipt: one contribution that the association said it received."""

    contribution_id: str
    cents: int
    received: datetime
    method: PaymentMethod | None = None


@dataclass(frozen=True, slots=True)
class TaxReceipt:
    """A receipt as it was issued; it never changes, but can become void.

    ``number`` is the year and a number in sequence of the association, without a gap.
    """

    association_id: str
    number: str
    year: int
    created: datetime
    donor_name: str
    donor_address: str
    issuer: Issuer
    gifts: tuple[Gift, ...]
    voided: datetime | None = field(default=None, metadata={"counter": True})

    @property
    def cents(self) -> int:
        """The sum of its gifts."""
        return sum(gift.cents for gift in self.gifts)

    def check(self) -> None:
        """Raise InvalidField when a field breaks its rule."""
        check_id("association_id", self.association_id)
        check_id("number", self.number)
        check_whole("year", self.year, 1970, 2199)
        check_time("created", self.created)
        check_time("voided", self.voided)
        check_text("donor_name", self.donor_name, longest=200)
        check_text("donor_address", self.donor_address, longest=300)
        self.issuer.check()
        check_whole("gifts", len(self.gifts), 1, GIFTS_MOST)
        for gift in self.gifts:
            check_id("gifts", gift.contribution_id)
            check_whole("gifts", gift.cents, 1, CENTS_MOST)
            check_time("gifts", gift.received)


def number_of(year: int, place: int) -> str:
    """The number of the receipt at this place (from 1) of a year."""
    return f"{year}-{place:06}"


_UNITS = (
    *("zéro", "un", "deux", "trois", "quatre", "cinq", "six", "sept", "huit", "neuf", "dix"),
    *("onze", "douze", "treize", "quatorze", "quinze", "seize"),
)
_TENS = ("", "dix", "vingt", "trente", "quarante", "cinquante", "soixante", "soixante")


def in_words(cents: int) -> str:
    """An amount below a thousand million euros in French words, as the form wants it."""
    euros, rest = divmod(cents, 100)
    parts = []
    if euros or not rest:
        of = "d'" if euros >= 1_000_000 and euros % 1_000_000 == 0 else ""
        parts.append(f"{_words(euros)} {of or ''}{'euro' if euros < 2 else 'euros'}")
    if rest:
        parts.append(f"{_words(rest)} {'centime' if rest < 2 else 'centimes'}")
    return " et ".join(parts)


def _words(number: int, *, last: bool = True) -> str:
    """``last``: nothing but a noun follows, so that cents and quatre-vingts agree."""
    if number >= 1_000_000:
        millions, rest = divmod(number, 1_000_000)
        words = f"{_words(millions)} million{'s' if millions > 1 else ''}"
        return f"{words} {_words(rest)}" if rest else words
    if number >= 1000:
        thousands, rest = divmod(number, 1000)
        words = "mille" if thousands == 1 else f"{_words(thousands, last=False)} mille"
        return f"{words} {_words(rest)}" if rest else words
    if number >= 100:
        hundreds, rest = divmod(number, 100)
        words = "cent" if hundreds == 1 else f"{_UNITS[hundreds]} cent"
        plural = "s" if hundreds > 1 and not rest and last else ""
        return f"{words} {_words(rest, last=last)}" if rest else words + plural
    return _below_hundred(number, last=last)


def _below_hundred(number: int, *, last: bool) -> str:
    if number < len(_UNITS):
        return _UNITS[number]
    tens, rest = divmod(number, 10)
    if tens in {8, 9}:
        if number == 80:
            return "quatre-vingts" if last else "quatre-vingt"
        return f"quatre-vingt-{_below_hundred(number - 80, last=last)}"
    if tens == 7:
        rest += 10
    if not rest:
        return _TENS[tens]
    joint = " et " if rest in {1, 11} and tens > 1 else "-"
    return f"{_TENS[tens]}{joint}{_below_hundred(rest, last=last)}"
