"""Receipts by which gifts are deducted from taxes: who may issue them, and issuing them.

An association says what its receipts must say of it, a manager grants that it may issue
them; from then on its donors get one a year, for what it confirmed as received, by asking.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from cityverse.community.city import CITY_ZONE
from cityverse.data.lists import PAGE_MOST
from cityverse.data.store import Store
from cityverse.domain import policy
from cityverse.domain.community import Association
from cityverse.domain.giving import Contribution, ContributionState
from cityverse.domain.people import User
from cityverse.domain.policy import Action
from cityverse.domain.tax_receipts import GIFTS_MOST, Eligibility, Issuer, TaxReceipt
from cityverse.errors import NotAllowed, NotFound, VersionConflict

# So many of a person's latest contributions are looked through.
_GIFTS_LOOKED_AT = 500


@dataclass(frozen=True, slots=True)
class Year:
    """What a person gave to an association in a year, and the receipts they have of it.

    ``open`` are deductible contributions on no receipt that is valid.
    """

    association_id: str
    association_name: str
    year: int
    open: tuple[Contribution, ...]
    receipts: tuple[TaxReceipt, ...]

    @property
    def cents(self) -> int:
        """The sum of what is on no receipt yet."""
        return sum(one.cents for one in self.open)


def ask(store: Store, who: User | None, issuer: Issuer, now: datetime) -> Issuer:
    """Say what receipts are to say of an association, and ask to issue them.

    Changing it later asks anew. Sent twice, it is asked once. Raises NotSignedIn, NotAllowed
    (also where the association is not verified), NotFound, InvalidField, VersionConflict.
    """
    association = store.associations.get(issuer.association_id)
    policy.require(who, Action.RUN_ASSOCIATION, association)
    if not association.verified:
        raise NotAllowed(f"association {association.id} is not verified")
    stored = store.tax_receipts.issuer(association.id)
    wanted = replace(
        issuer, rna=association.rna, eligibility=Eligibility.ASKED, reason="", changed=now
    )
    if stored is not None:
        same = replace(
            wanted,
            eligibility=stored.eligibility,
            reason=stored.reason,
            changed=stored.changed,
            version=stored.version,
        )
        if same == stored and stored.eligibility is not Eligibility.DECLINED:
            return stored
        if stored.version != issuer.version:
            raise VersionConflict("what receipts say was changed meanwhile")
    return store.tax_receipts.keep_issuer(wanted, read=issuer.version)


def asked(store: Store, who: User | None) -> list[Issuer]:
    """Those who ask to issue receipts, at most a hundred. Raises NotSignedIn, NotAllowed."""
    policy.require(who, Action.VERIFY_ASSOCIATION)
    ids = store.tax_receipts.asked(limit=PAGE_MOST)
    found = (store.tax_receipts.issuer(one) for one in ids)
    return [one for one in found if one is not None]


def decide(
    store: Store,
    who: User | None,
    association_id: str,
    version: int,
    now: datetime,
    *,
    granted: bool,
    reason: str = "",
) -> Issuer:
    """Grant or decline that an association issues receipts, as it stood in ``version``.

    Raises NotSignedIn, NotAllowed (also to its own team), NotFound, VersionConflict.
    """
    policy.require(who, Action.VERIFY_ASSOCIATION)
    association = store.associations.get(association_id)
    if policy.may(who, Action.RUN_ASSOCIATION, association):
        raise NotAllowed("nobody decides on their own association")
    stored = store.tax_receipts.issuer(association_id)
    if stored is None:
        raise NotFound(f"association {association_id} never asked to issue receipts")
    wanted = Eligibility.GRANTED if granted else Eligibility.DECLINED
    if stored.eligibility is wanted and stored.version == version + 1:
        return stored  # sent twice
    if stored.version != version:
        raise VersionConflict("what receipts say was changed meanwhile")
    decided = replace(stored, eligibility=wanted, reason=reason.strip(), changed=now)
    return store.tax_receipts.keep_issuer(decided, read=version)


def years(store: Store, who: User | None) -> list[Year]:
    """What who is signed in can have, or has, a receipt for, the latest year first.

    Looks through their latest 500 contributions. Raises NotSignedIn.
    """
    user = policy.require(who, Action.GIVE)
    gifts = _gifts(store, user)
    keys = [(g.association_id, g.receipt) for g in gifts if g.association_id and g.receipt]
    receipts = {(one.association_id, one.number): one for one in store.tax_receipts.find_many(keys)}
    grouped: dict[tuple[str, int], list[Contribution]] = {}
    for gift in gifts:
        if gift.association_id:
            grouped.setdefault((gift.association_id, _year_of(gift)), []).append(gift)
    found = []
    for (association_id, year), group in grouped.items():
        mine = {(association_id, g.receipt) for g in group if g.receipt}
        found.append(
            Year(
                association_id,
                group[0].association_name,
                year,
                tuple(g for g in group if _is_open(g, receipts)),
                tuple(sorted((receipts[k] for k in mine if k in receipts), key=_number)),
            )
        )
    shown = [one for one in found if one.open or one.receipts]
    return sorted(shown, key=lambda one: (-one.year, one.association_name.casefold()))


def _number(receipt: TaxReceipt) -> str:
    return receipt.number


def _gifts(store: Store, user: User) -> list[Contribution]:
    """The deductible contributions of a person that were confirmed once."""
    gifts: list[Contribution] = []
    cursor, looked_at = None, 0
    while looked_at < _GIFTS_LOOKED_AT:
        page = store.contributions.of_user(user.id, limit=PAGE_MOST, cursor=cursor)
        gifts += [g for g in page.items if g.deductible and g.accounted and g.corrects is None]
        looked_at += PAGE_MOST
        cursor = page.next
        if cursor is None:
            break
    # An index may be a moment behind; what is decided on is read itself.
    return list(store.contributions.find_many(g.id for g in gifts).values())


def _year_of(gift: Contribution) -> int:
    return (gift.received or gift.changed or gift.created).astimezone(CITY_ZONE).year


def _is_open(gift: Contribution, receipts: dict[tuple[str, str], TaxReceipt]) -> bool:
    if gift.state is not ContributionState.CONFIRMED or not gift.deductible:
        return False
    if gift.receipt is None:
        return True
    on = receipts.get((gift.association_id or "", gift.receipt))
    return on is not None and on.voided is not None


def issue(
    store: Store,
    who: User | None,
    association_id: str,
    year: int,
    name: str,
    address: str,
    now: datetime,
) -> TaxReceipt:
    """The receipt for what was given to an association in a year and is on none yet.

    Where all of it is on one already, that one: asking twice gives the same number. Raises
    NotSignedIn, NotAllowed where the association may not issue receipts, NotFound where there
    is nothing, InvalidField, VersionConflict.
    """
    user = policy.require(who, Action.GIVE)
    association, issuer = _issuing(store, association_id)
    draft = TaxReceipt(
        association_id=association_id,
        number="",
        year=year,
        created=now,
        donor_name=name.strip(),
        donor_address=address.strip(),
        issuer=issuer,
        gifts=(),
    )

    def gifts() -> Sequence[Contribution]:
        return _of(years(store, user), association_id, year).open[:GIFTS_MOST]

    made = store.tax_receipts.issue(draft, association, gifts)
    if made is not None:
        return made
    valid = [r for r in _of(years(store, user), association_id, year).receipts if not r.voided]
    if not valid:
        raise NotFound("there is no gift to issue a receipt for")
    return valid[-1]


def _issuing(store: Store, association_id: str) -> tuple[Association, Issuer]:
    association = store.associations.get(association_id)
    issuer = store.tax_receipts.issuer(association_id)
    if issuer is None or issuer.eligibility is not Eligibility.GRANTED or not association.verified:
        raise NotAllowed(f"association {association_id} may not issue receipts")
    return association, issuer


def _of(found: Sequence[Year], association_id: str, year: int) -> Year:
    wanted = (association_id, year)
    nothing = Year(association_id, "", year, (), ())
    return next((one for one in found if (one.association_id, one.year) == wanted), nothing)
