"""Contributions to campaigns: table Donations, with what the campaign has raised."""

from __future__ import annotations

import dataclasses
import hashlib
import json
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

from cityverse.data import codec
from cityverse.data.campaigns import CampaignRepository
from cityverse.data.client import ConditionFailed, Dynamo, put_write
from cityverse.data.cursors import Cursors
from cityverse.data.dealings import DealingRepository
from cityverse.data.lists import Page
from cityverse.data.parents import read_living
from cityverse.data.tax_receipts import voiding
from cityverse.data.ties import TRIES, counting, living, unchanged
from cityverse.domain.giving import (
    Contribution,
    ContributionState,
    check_transition,
    contribution_id,
    correction_id,
)
from cityverse.domain.people import check_choice
from cityverse.domain.rules import check_id
from cityverse.errors import (
    AlreadyExists,
    Closed,
    NotFound,
    RequestDiffers,
    VersionConflict,
    WrongState,
)

# A request that is repeated after this time meets the contribution itself instead.
RECEIPT_KEPT = timedelta(days=400)
_S = ContributionState


class ContributionRepository(DealingRepository[Contribution]):
    """Contributions, each made once however often its request is repeated.

    What a campaign has raised is the sum of its entries that were ever confirmed, those
    that cancel others among them.
    """

    table = "Donations"
    entity = Contribution
    item_index = "campaign-index"

    def __init__(self, dynamo: Dynamo, cursors: Cursors) -> None:
        super().__init__(dynamo, cursors)
        self._campaigns = CampaignRepository(dynamo, cursors)

    def contribute(
        self, contribution: Contribution, request_id: str, told: Sequence[dict[str, Any]] = ()
    ) -> Contribution:
        """Pledge a contribution, at the time ``created``; its ``id`` follows from the request.

        ``request_id`` is made with the form. A repetition of the request answers with
        what the first one wrote; raises RequestDiffers when its content differs, Closed
        when the campaign is closed or over, NotFound without the campaign or the person.
        ``told`` are writes of notifications that go with it.
        """
        check_id("request_id", request_id)
        fresh = dataclasses.replace(
            contribution,
            id=contribution_id(contribution.user_id, request_id),
            state=_S.PLEDGED,
            changed=None,
            received=None,
            method=None,
            receipt=None,
            deductible=False,
            corrects=None,
            campaign_title="",
            association_id=None,
            association_name="",
            version=1,
        )
        fresh.check()
        for _ in range(TRIES):
            done = self._done_before(fresh)
            if done is not None:
                return done
            person = living("User", fresh.user_id)
            pledged, writes = self._pledge(fresh)
            try:
                self.dynamo.transact([person.write, *writes, *told])
            except ConditionFailed as failure:
                if 0 in failure.failed:
                    raise NotFound(person.missing) from failure
                continue  # the next look says why
            return pledged
        raise VersionConflict(f"campaign {fresh.campaign_id} changes all the time")

    def create(self, entity: Contribution) -> Contribution:
        """Pledge a contribution once; its id is the id of the request.

        Raises AlreadyExists when it was made before, else as ``contribute``.
        """
        if self.find(contribution_id(entity.user_id, entity.id)) is not None:
            raise AlreadyExists(f"the contribution of request {entity.id} is there already")
        return self.contribute(entity, entity.id)

    def move(
        self,
        contribution: str,
        state: ContributionState,
        now: datetime,
        told: Sequence[dict[str, Any]] = (),
        **said: Any,
    ) -> Contribution:
        """Confirm, refuse or refund the contribution of this id; a repetition changes nothing.

        Confirming counts for the campaign. Refunding writes an entry of the opposite
        amount, and makes the tax receipt that lists it void. ``told`` are writes of
        notifications that go with it; ``said`` is what is said of it when it is confirmed
        (``received``, ``method``). Raises NotFound, and WrongState when that state may not
        follow.
        """
        check_choice("state", state, ContributionState)
        for _ in range(TRIES):
            stored = self.get(contribution)
            if stored.state is state:
                return stored
            if stored.corrects is not None:
                raise WrongState(f"{stored.id} cancels another contribution and stays")
            check_transition(stored.state, state)
            write, moved = self._moved(stored, state, now, **said)
            moved.check()
            try:
                self.dynamo.transact([write, *self._counting(stored, state, now), *told])
            except ConditionFailed:
                read_living(self._campaigns, stored.campaign_id)
                continue
            return moved
        raise VersionConflict(f"contribution {contribution} changes all the time")

    def erase(self, contribution: Contribution) -> Contribution:
        """Empty what is personal in a contribution as it was read; raises VersionConflict."""
        return self.replace(contribution, contribution.erased())

    def anonymise(self, contribution: Contribution) -> Contribution:
        """Take the name of who gave from a contribution as it was read; raises VersionConflict."""
        return super().replace(contribution, contribution.anonymised())

    def replace(self, old: Contribution, new: Contribution) -> Contribution:
        """Write ``new`` where ``old`` was read; raises WrongState when the money differs."""
        if _money(old) != _money(new):
            raise WrongState("what was given never changes; refund it instead")
        return super().replace(old, new)

    def delete(self, entity: Contribution) -> None:
        """Delete a contribution as it was read; raises WrongState if ever confirmed."""
        if entity.state not in {_S.PLEDGED, _S.REFUSED}:
            raise WrongState(f"contribution {entity.id} was confirmed; refund it instead")
        super().delete(entity)

    def of_campaign(
        self, campaign_id: str, *, limit: int, cursor: str | None = None
    ) -> Page[Contribution]:
        """The contributions to a campaign, newest first."""
        return self._of_item.page(campaign_id, limit=limit, cursor=cursor)

    def _done_before(self, fresh: Contribution) -> Contribution | None:
        """What an earlier sending of the same request wrote, if any."""
        receipt = self.dynamo.get("Receipt", {"id": _receipt_id(fresh)})
        if receipt is not None and receipt["content"] != _content(fresh):
            raise RequestDiffers("this request was sent before, with another content")
        stored = self.find(fresh.id) if receipt is None else self.get(fresh.id)
        if stored is not None and _money(stored) != _money(fresh):
            raise RequestDiffers("this request was sent before, with another content")
        return stored

    def _pledge(self, fresh: Contribution) -> tuple[Contribution, list[dict[str, Any]]]:
        """The contribution with the names of its campaign, and the writes that make it."""
        campaign = read_living(self._campaigns, fresh.campaign_id)
        if not campaign.takes_contributions(fresh.created):
            raise Closed(f"campaign {campaign.id} is closed or over")
        pledged = dataclasses.replace(
            fresh,
            campaign_title=campaign.title,
            association_id=campaign.association_id,
            association_name=campaign.association_name,
            deductible=campaign.tax_eligible,
        )
        receipt = {
            "id": _receipt_id(fresh),
            "content": _content(fresh),
            "expires": int((fresh.created + RECEIPT_KEPT).timestamp()),
        }
        return pledged, [
            put_write("Receipt", receipt, ConditionExpression="attribute_not_exists(id)"),
            self._put(pledged),
            unchanged("Donation", campaign.id, campaign.version),
            *self._also(pledged),
        ]

    def _counting(
        self, stored: Contribution, state: ContributionState, now: datetime
    ) -> list[dict[str, Any]]:
        """What a change of state means for the campaign, as writes."""
        if state is _S.REFUSED:
            return []
        step = 1 if state is _S.CONFIRMED else -1
        added = {"raised": step * stored.cents, "gifts": step}
        writes = [counting("Donation", stored.campaign_id, added).write]
        if state is _S.REFUNDED:
            cancelling = _cancelling(stored, now)
            writes += [self._put(cancelling), *self._also(cancelling)]
            if stored.receipt is not None and stored.association_id is not None:
                writes.append(voiding(stored.association_id, stored.receipt, now))
        return writes


def _cancelling(stored: Contribution, now: datetime) -> Contribution:
    """The entry that takes a confirmed contribution back."""
    return dataclasses.replace(
        stored.erased(),
        id=correction_id(stored.id),
        cents=-stored.cents,
        created=now,
        state=_S.CONFIRMED,
        changed=now,
        received=now,
        receipt=None,
        corrects=stored.id,
        version=1,
    )


def _money(contribution: Contribution) -> tuple[object, ...]:
    """What of a contribution never changes."""
    return (
        contribution.campaign_id,
        contribution.user_id,
        contribution.cents,
        contribution.currency,
        contribution.corrects,
    )


def _receipt_id(contribution: Contribution) -> str:
    return f"contribution#{contribution.id}"


def _content(contribution: Contribution) -> str:
    """What the form said, as a digest: a repetition may come later, but not say otherwise."""
    said = codec.to_item(dataclasses.replace(contribution, demo=False))
    said.pop("created")
    text = json.dumps(said, sort_keys=True, default=str)
    return hashlib.sha256(text.encode()).hexdigest()
