"""Donation campaigns: finding them, giving, and what their association does.

Who acts is who is signed in (``who``, read from the store on this very run). Everything may be
sent twice: a campaign and a contribution have the id their form was given, all else is a state
one is in. CityVerse moves no money: an association says what it received.
"""

from __future__ import annotations

import contextlib
import csv
import io
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from cityverse.community.talk import name_of
from cityverse.community.teams import publishers
from cityverse.data.lists import PAGE_MOST, Page
from cityverse.data.store import Store
from cityverse.data.timeline import is_hidden
from cityverse.domain import policy
from cityverse.domain.community import Association
from cityverse.domain.giving import (
    Campaign,
    CampaignStatus,
    Contribution,
    ContributionState,
    PaymentMethod,
    contribution_id,
)
from cityverse.domain.notifications import Notification, Topic
from cityverse.domain.people import User
from cityverse.domain.places import Location
from cityverse.domain.policy import Action
from cityverse.domain.tax_receipts import Eligibility
from cityverse.errors import (
    AlreadyExists,
    InvalidField,
    NotAllowed,
    NotFound,
    VersionConflict,
    WrongState,
)

PAGE_SIZE = 12
_TRIES = 5
# So many of a team are told of a contribution.
_TEAM_MOST = 20


@dataclass(frozen=True, slots=True)
class Search:
    """What campaigns one looks for."""

    text: str = ""
    arrondissement: int | None = None
    open_only: bool = True
    deductible_only: bool = False
    association_id: str | None = None


@dataclass(frozen=True, slots=True)
class Detail:
    """A campaign as who is signed in sees it; ``team`` says whether they run it."""

    campaign: Campaign
    verified: bool
    team: bool = False


def find(
    store: Store, wanted: Search, now: datetime, *, cursor: str | None = None
) -> Page[Campaign]:
    """Campaigns, the newest first; never a draft.

    A text is looked for among the 200 newest that have its words. Raises InvalidField for a
    text without a word to search for, and StoreError.
    """

    def passes(campaign: Campaign) -> bool:
        return _passes(campaign, wanted, now)

    if wanted.text.strip():
        found = store.search("campaign", wanted.text)
        if found is None:
            raise InvalidField("search", "needs a word of at least three letters")
        campaigns = store.campaigns.find_many(one.item_id for one in found).values()
        passing = [one for one in campaigns if passes(one)]
        return Page(tuple(sorted(passing, key=lambda c: (c.created, c.id), reverse=True)))
    return store.campaigns.page(
        limit=PAGE_SIZE,
        arrondissement=wanted.arrondissement,
        association_id=wanted.association_id,
        cursor=cursor,
        where=passes,
    )


def _passes(campaign: Campaign, wanted: Search, now: datetime) -> bool:
    place = campaign.location
    return (
        campaign.status is not CampaignStatus.DRAFT
        and not is_hidden(campaign)
        and (not wanted.open_only or campaign.takes_contributions(now))
        and (not wanted.deductible_only or campaign.tax_eligible)
        and (
            wanted.arrondissement is None
            or (place is not None and place.arrondissement == wanted.arrondissement)
        )
        and wanted.association_id in {None, campaign.association_id}
    )


def about(store: Store, who: User | None, campaign_id: str) -> Detail | None:
    """A campaign, or None where there is none, or it is a draft of others. Raises StoreError."""
    campaign = store.campaigns.find(campaign_id)
    if campaign is None:
        return None
    association = store.associations.find(campaign.association_id)
    team = association is not None and policy.may(who, Action.RUN_ASSOCIATION, association)
    withheld = campaign.status is CampaignStatus.DRAFT or is_hidden(campaign)
    if withheld and not team:
        return None
    return Detail(campaign, association is not None and association.verified, team)


# --- the association's campaigns --------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class CampaignForm:
    """A campaign as its team typed it; ``id`` is that of the form, so it is made once.

    ``goal`` is cents; ``version`` that of the campaign which is edited, 0 for a new one.
    """

    id: str
    association_id: str
    title: str
    description: str
    goal: int
    ends: datetime | None = None
    link: str | None = None
    tax_eligible: bool = False
    tax_reduction: int = 0
    location: Location | None = None
    media: tuple[str, ...] = ()
    draft: bool = False
    version: int = 0


def teams(store: Store, who: User | None) -> list[Association]:
    """The associations that who is signed in runs, by name."""
    return [one for one in publishers(store, who) if policy.may(who, Action.RUN_ASSOCIATION, one)]


def drafts(store: Store, who: User | None, association_id: str) -> list[Campaign]:
    """The drafts of an association among its hundred latest campaigns, for its team alone.

    Raises NotSignedIn, NotAllowed and NotFound.
    """
    policy.require(who, Action.RUN_ASSOCIATION, store.associations.get(association_id))
    page = store.campaigns.page(
        limit=PAGE_MOST,
        association_id=association_id,
        where=lambda one: one.status is CampaignStatus.DRAFT,
        looked_at=PAGE_MOST,
    )
    return list(page.items)


def save(store: Store, who: User | None, form: CampaignForm, now: datetime) -> Campaign:
    """Open a campaign or keep it as a draft; or edit one.

    Only a verified association opens one, and only one that may issue receipts says that
    gifts are deductible. Raises NotSignedIn, NotAllowed, NotFound, InvalidField,
    VersionConflict, WrongState.
    """
    association = store.associations.get(form.association_id)
    policy.require(who, Action.PUBLISH, association)
    if not form.draft:
        _check_verified(association)
    if form.tax_eligible and not is_eligible(store, association):
        raise InvalidField("tax_eligible", "is for associations that may issue receipts")
    if form.version:
        return _edit(store, form, now)
    if form.ends is not None and form.ends <= now:
        raise InvalidField("ends", "must lie in the future")
    campaign = Campaign(
        id=form.id,
        association_id=association.id,
        association_name=association.name,
        created=now,
        demo=association.demo,
        **_typed(form),
    )
    try:
        return store.campaigns.create(campaign)
    except AlreadyExists:
        # The answer to the first sending was lost.
        stored = store.campaigns.get(form.id)
        if stored.association_id != association.id:
            raise
        return stored


def _check_verified(association: Association) -> None:
    if not association.verified:
        raise NotAllowed(f"association {association.id} is not verified")


def is_eligible(store: Store, association: Association) -> bool:
    """Whether an association may issue receipts for the tax office."""
    issuer = store.tax_receipts.issuer(association.id)
    granted = issuer is not None and issuer.eligibility is Eligibility.GRANTED
    return association.verified and granted


def _typed(form: CampaignForm) -> dict[str, Any]:
    return {
        "title": form.title.strip(),
        "description": form.description.strip(),
        "goal": form.goal,
        "ends": form.ends,
        "link": (form.link or "").strip() or None,
        "tax_eligible": form.tax_eligible,
        "tax_reduction": form.tax_reduction if form.tax_eligible else 0,
        "location": form.location,
        "media": form.media,
        "status": CampaignStatus.DRAFT if form.draft else CampaignStatus.OPEN,
    }


def _edit(store: Store, form: CampaignForm, now: datetime) -> Campaign:
    stored = store.campaigns.get(form.id)
    if stored.association_id != form.association_id:
        raise NotFound(f"association {form.association_id} has no campaign {form.id}")
    typed = _typed(form)
    if stored.status is not CampaignStatus.DRAFT:
        if form.draft:
            raise WrongState("an open campaign is closed, not made a draft again")
        typed["status"] = stored.status
    changed = replace(stored, **typed)
    if stored.version != form.version:
        if changed == stored:
            return stored  # sent twice: it says this already
        raise VersionConflict(f"campaign {form.id} was changed meanwhile")
    opened = stored.status is CampaignStatus.DRAFT and not form.draft
    if form.ends is not None and form.ends <= now and (opened or form.ends != stored.ends):
        raise InvalidField("ends", "must lie in the future")
    return store.campaigns.replace(stored, changed)


def set_open(
    store: Store, who: User | None, campaign_id: str, now: datetime, *, opened: bool
) -> Campaign:
    """Close a campaign, or open it again; what was pledged can still be confirmed.

    Raises NotSignedIn, NotAllowed, NotFound, WrongState for a draft, VersionConflict.
    """
    status = CampaignStatus.OPEN if opened else CampaignStatus.CLOSED
    for _ in range(_TRIES):
        stored, association = _of_team(store, who, campaign_id)
        if opened:
            _check_verified(association)
        if stored.status is CampaignStatus.DRAFT:
            raise WrongState("a draft is opened by its form")
        if stored.status is status:
            return stored
        with contextlib.suppress(VersionConflict):
            return store.campaigns.replace(stored, replace(stored, status=status))
    raise VersionConflict(f"campaign {campaign_id} changes all the time")


def discard(store: Store, who: User | None, campaign_id: str) -> None:
    """Delete a draft; raises WrongState for what was opened, which is closed instead."""
    if store.campaigns.find(campaign_id) is None:
        return
    stored, _ = _of_team(store, who, campaign_id)
    if stored.status is not CampaignStatus.DRAFT:
        raise WrongState("a campaign that was opened is closed, not deleted")
    store.deletion.delete("Donation", campaign_id)


def _of_team(store: Store, who: User | None, campaign_id: str) -> tuple[Campaign, Association]:
    campaign = store.campaigns.get(campaign_id)
    association = store.associations.get(campaign.association_id)
    policy.require(who, Action.RUN_ASSOCIATION, association)
    return campaign, association


# --- giving -----------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class GiftForm:
    """What somebody promises; ``request_id`` is that of the form, so it is one gift.

    Names and address are for the receipt, and asked for where one is wanted only.
    ``anonymous`` hides the donor from the public.
    """

    request_id: str
    cents: int
    anonymous: bool = False
    message: str = ""
    wants_receipt: bool = False
    first_name: str = ""
    surname: str = ""
    address: str = ""


def give(
    store: Store, who: User | None, campaign_id: str, form: GiftForm, now: datetime
) -> Contribution:
    """Promise a gift; the team is told. However often a form is sent, it is one gift.

    Raises NotSignedIn, NotAllowed, InvalidField, NotFound, Closed, RequestDiffers.
    """
    user = policy.require(who, Action.GIVE)
    if form.wants_receipt and not (form.surname.strip() and form.address.strip()):
        raise InvalidField("donor", "a receipt needs the name and the address")
    campaign = store.campaigns.get(campaign_id)
    if campaign.status is CampaignStatus.DRAFT:
        raise NotFound(f"there is no campaign {campaign_id}")
    personal = (form.first_name, form.surname, form.address)
    hidden = form.anonymous and not form.wants_receipt
    names = (user.first_name, user.last_name, "") if not hidden else ("", "", "")
    first, last, address = personal if form.wants_receipt else names
    pledge = Contribution(
        id=form.request_id,
        campaign_id=campaign_id,
        user_id=user.id,
        cents=form.cents,
        created=now,
        first_name=first.strip(),
        surname=last.strip(),
        address=address.strip(),
        message=form.message.strip(),
        anonymous=form.anonymous,
        demo=campaign.demo,
    )
    told = [store.notifications.write_of(one) for one in _told_team(store, pledge, campaign, user)]
    return store.contributions.contribute(pledge, form.request_id, told)


def _told_team(
    store: Store, pledge: Contribution, campaign: Campaign, user: User
) -> Iterator[Notification]:
    association = store.associations.find(campaign.association_id)
    if association is None:
        return
    ids = [association.owner_id] if association.owner_id else []
    ids += sorted(association.editors)
    for member in sorted(set(store.users.find_many(ids[:_TEAM_MOST])) - {user.id}):
        yield Notification(
            id=f"gift:{contribution_id(user.id, pledge.id)}",
            user_id=member,
            topic=Topic.GIFT,
            created=pledge.created,
            target=f"campaign:{campaign.id}",
            actor_name="" if pledge.anonymous else name_of(user),
            text=campaign.title,
        )


def take_back(store: Store, who: User | None, contribution: str) -> None:
    """Undo a promise that the association has not answered; what is gone is no error.

    Raises NotSignedIn, NotAllowed, WrongState once it was answered, VersionConflict.
    """
    user = policy.require(who, Action.GIVE)
    stored = store.contributions.find(contribution)
    if stored is None:
        return
    if stored.user_id != user.id:
        raise NotAllowed(f"{contribution} is another's")
    if stored.state is not ContributionState.PLEDGED:
        raise WrongState("the association has answered already")
    store.contributions.delete(stored)


def mine(store: Store, who: User | None, cursor: str | None = None) -> Page[Contribution]:
    """What who is signed in gave, the latest first. Raises NotSignedIn."""
    user = policy.require(who, Action.GIVE)
    return store.contributions.of_user(user.id, limit=20, cursor=cursor)


@dataclass(frozen=True, slots=True)
class Donor:
    """What the public sees of a gift; ``name`` is empty where the donor hid it."""

    name: str
    cents: int
    message: str
    moment: datetime


def public_donors(store: Store, campaign_id: str) -> list[Donor]:
    """The confirmed gifts among the latest twenty, as everybody may see them."""
    page = store.contributions.of_campaign(campaign_id, limit=20)
    return [
        Donor(
            "" if one.anonymous else f"{one.first_name} {one.surname[:1]}".strip(),
            one.cents,
            one.message,
            one.created,
        )
        for one in page.items
        if one.state is ContributionState.CONFIRMED and one.corrects is None
    ]


# --- what the association does with gifts -----------------------------------------------------


def donors(
    store: Store, who: User | None, campaign_id: str, *, cursor: str | None = None
) -> Page[Contribution]:
    """What was promised and given, the latest first, for the team alone.

    Who hid their name and wants no receipt has none here either. Raises NotSignedIn,
    NotAllowed and NotFound.
    """
    _of_team(store, who, campaign_id)
    return store.contributions.of_campaign(campaign_id, limit=20, cursor=cursor)


def confirm(
    store: Store,
    who: User | None,
    contribution: str,
    received: datetime,
    method: PaymentMethod,
    now: datetime,
) -> Contribution:
    """Say that the money of a gift came, when and how; it counts from then on.

    Raises NotSignedIn, NotAllowed, NotFound, InvalidField, WrongState.
    """
    if received > now:
        raise InvalidField("received", "must not lie in the future")
    told = _answer(store, who, contribution, ContributionState.CONFIRMED, now)
    return store.contributions.move(
        contribution, ContributionState.CONFIRMED, now, told, received=received, method=method
    )


def refuse(store: Store, who: User | None, contribution: str, now: datetime) -> Contribution:
    """Say that a gift is not taken, or never came.

    Raises NotSignedIn, NotAllowed, NotFound, WrongState.
    """
    told = _answer(store, who, contribution, ContributionState.REFUSED, now)
    return store.contributions.move(contribution, ContributionState.REFUSED, now, told)


def refund(store: Store, who: User | None, contribution: str, now: datetime) -> Contribution:
    """Take a confirmed gift back by an entry that cancels it; its receipt becomes void.

    Raises NotSignedIn, NotAllowed, NotFound, WrongState.
    """
    told = _answer(store, who, contribution, ContributionState.REFUNDED, now)
    return store.contributions.move(contribution, ContributionState.REFUNDED, now, told)


def _answer(
    store: Store, who: User | None, contribution: str, state: ContributionState, now: datetime
) -> list[dict[str, Any]]:
    """Look that the team acts; the writes that tell the donor, if there is one to tell."""
    stored = store.contributions.get(contribution)
    campaign, _ = _of_team(store, who, stored.campaign_id)
    if stored.state is state or store.users.find(stored.user_id) is None:
        return []
    told = Notification(
        id=f"gift:{stored.id}:{state}",
        user_id=stored.user_id,
        topic=Topic(f"gift_{state}"),
        created=now,
        target=f"campaign:{campaign.id}",
        actor_name=campaign.association_name,
        text=campaign.title,
    )
    return [store.notifications.write_of(told)]


def donors_csv(
    store: Store, who: User | None, campaign_id: str, word: Callable[[str], str]
) -> bytes:
    """All entries of a campaign as CSV for a spreadsheet, for the team alone.

    ``word`` gives the names of columns and states. Raises NotSignedIn, NotAllowed, NotFound.
    """
    _of_team(store, who, campaign_id)
    out = io.StringIO()
    writer = csv.writer(out, delimiter=";", lineterminator="\r\n")
    writer.writerow([word(f"csv.{name}") for name in CSV_COLUMNS])
    for one in _all(store, campaign_id):
        writer.writerow(map(safe_cell, _cells(one, word)))
    # The mark lets spreadsheets see that it is UTF-8.
    return b"\xef\xbb\xbf" + out.getvalue().encode()


CSV_COLUMNS = (
    *("date", "state", "amount", "name", "address", "message", "received", "method"),
    *("receipt", "entry", "cancels"),
)


def _cells(one: Contribution, word: Callable[[str], str]) -> tuple[str, ...]:
    sign, cents = "-" if one.cents < 0 else "", abs(one.cents)
    return (
        one.created.date().isoformat(),
        word(f"gift_state.{one.state}"),
        f"{sign}{cents // 100},{cents % 100:02}",
        f"{one.first_name} {one.surname}".strip(),
        one.address,
        one.message,
        one.received.date().isoformat() if one.received else "",
        word(f"payment.{one.method}") if one.method else "",
        one.receipt or "",
        one.id,
        one.corrects or "",
    )


def safe_cell(text: str) -> str:
    """A cell that no spreadsheet takes for a formula; a plain amount stays a number."""
    plain = text.lstrip("-").replace(",", "").isdigit()
    return f"'{text}" if text[:1] in "=+-@\t\r\n|%" and text and not plain else text


def _all(store: Store, campaign_id: str) -> Iterator[Contribution]:
    cursor: str | None = None
    while True:
        page = store.contributions.of_campaign(campaign_id, limit=PAGE_MOST, cursor=cursor)
        yield from page.items
        cursor = page.next
        if cursor is None:
            return
