"""Contributions to campaigns: table Donations, with what the campaign has raised."""

from __future__ import annotations

import dataclasses
import hashlib
import json
from datetime import datetime, timedelta
from typing import Any

from cityverse.data import codec
from cityverse.data.campaigns import CampaignRepository
from cityverse.data.client import (
    ConditionFailed,
    Dynamo,
    Item,
    check_write,
    put_write,
    update_write,
)
from cityverse.data.cursors import Cursors
from cityverse.data.lists import Page, PartitionList
from cityverse.data.parents import LIVING, TRIES, counting, read_living
from cityverse.data.repository import Repository
from cityverse.data.timeline import order_of
from cityverse.domain.giving import (
    Contribution,
    ContributionState,
    check_transition,
    contribution_id,
    correction_id,
)
from cityverse.domain.people import check_choice
from cityverse.domain.rules import check_id
from cityverse.errors import AlreadyExists, Conflict, VersionConflict

# A request that is repeated after this time meets the contribution itself instead.
RECEIPT_KEPT = timedelta(days=400)
_S = ContributionState


class ContributionRepository(Repository[Contribution]):
    """Contributions, each made once however often its request is repeated.

    What a campaign has raised is the sum of its entries that were ever confirmed, those
    that cancel others among them.
    """

    table = "Donations"
    entity = Contribution

    def __init__(self, dynamo: Dynamo, cursors: Cursors) -> None:
        super().__init__(dynamo)
        self._campaigns = CampaignRepository(dynamo, cursors)
        self._of_campaign = PartitionList(
            dynamo, cursors, self.table, self._decode, "campaign-index"
        )
        self._of_user = PartitionList(dynamo, cursors, self.table, self._decode, "user-index")

    def keys_of(self, entity: Contribution) -> Item:
        """Its place among the contributions to the campaign, and of the person."""
        return {"order": order_of(entity.created, entity.id)}

    def contribute(self, contribution: Contribution, request_id: str) -> Contribution:
        """Pledge a contribution, at the time ``created``; its ``id`` follows from the request.

        ``request_id`` is made with the form. A repetition of the request answers with
        what the first one wrote; raises Conflict when its content differs, or when the
        campaign is closed or over, NotFound without the campaign.
        """
        check_id("request_id", request_id)
        fresh = dataclasses.replace(
            contribution,
            id=contribution_id(contribution.user_id, request_id),
            state=_S.PLEDGED,
            changed=None,
            corrects=None,
            version=1,
        )
        fresh.check()
        for _ in range(TRIES):
            done = self._done_before(fresh)
            if done is not None:
                return done
            try:
                self.dynamo.transact(self._pledge(fresh))
            except ConditionFailed:
                continue  # the next look says why
            return fresh
        raise VersionConflict(f"campaign {fresh.campaign_id} changes all the time")

    def create(self, entity: Contribution) -> Contribution:
        """Pledge a contribution once; its id is the id of the request.

        Raises AlreadyExists when it was made before, else as ``contribute``.
        """
        if self.find(contribution_id(entity.user_id, entity.id)) is not None:
            raise AlreadyExists(f"the contribution of request {entity.id} is there already")
        return self.contribute(entity, entity.id)

    def move(self, contribution: str, state: ContributionState, now: datetime) -> Contribution:
        """Confirm, refuse or refund the contribution of this id; a repetition changes nothing.

        Confirming counts for the campaign. Refunding writes an entry of the opposite
        amount. Raises NotFound, and Conflict when that state may not follow.
        """
        check_choice("state", state, ContributionState)
        for _ in range(TRIES):
            stored = self.get(contribution)
            if stored.state is state:
                return stored
            if stored.corrects is not None:
                raise Conflict(f"{stored.id} cancels another contribution and stays")
            check_transition(stored.state, state)
            try:
                self.dynamo.transact(self._moved(stored, state, now))
            except ConditionFailed:
                read_living(self._campaigns, stored.campaign_id)
                continue
            return dataclasses.replace(stored, state=state, changed=now, version=stored.version + 1)
        raise VersionConflict(f"contribution {contribution} changes all the time")

    def erase(self, contribution: Contribution) -> Contribution:
        """Empty what is personal in a contribution as it was read; raises VersionConflict."""
        return self.replace(contribution, contribution.erased())

    def replace(self, old: Contribution, new: Contribution) -> Contribution:
        """Write ``new`` where ``old`` was read; raises Conflict when the money differs."""
        if _money(old) != _money(new):
            raise Conflict("what was given never changes; refund it instead")
        return super().replace(old, new)

    def delete(self, entity: Contribution) -> None:
        """Delete a contribution as it was read; raises Conflict when it was ever confirmed."""
        if entity.state not in {_S.PLEDGED, _S.REFUSED}:
            raise Conflict(f"contribution {entity.id} was confirmed; refund it instead")
        super().delete(entity)

    def of_campaign(
        self, campaign_id: str, *, limit: int, cursor: str | None = None
    ) -> Page[Contribution]:
        """The contributions to a campaign, newest first."""
        return self._of_campaign.page(campaign_id, limit=limit, cursor=cursor)

    def of_user(self, user_id: str, *, limit: int, cursor: str | None = None) -> Page[Contribution]:
        """What a person gave, newest first."""
        return self._of_user.page(user_id, limit=limit, cursor=cursor)

    def _done_before(self, fresh: Contribution) -> Contribution | None:
        """What an earlier sending of the same request wrote, if any."""
        receipt = self.dynamo.get("Receipt", {"id": _receipt_id(fresh)})
        if receipt is not None and receipt["content"] != _content(fresh):
            raise Conflict("this request was sent before, with another content")
        stored = self.find(fresh.id) if receipt is None else self.get(fresh.id)
        if stored is not None and _money(stored) != _money(fresh):
            raise Conflict("this request was sent before, with another content")
        return stored

    def _pledge(self, fresh: Contribution) -> list[dict[str, Any]]:
        campaign = read_living(self._campaigns, fresh.campaign_id)
        if not campaign.takes_contributions(fresh.created):
            raise Conflict(f"campaign {campaign.id} is closed or over")
        receipt = {
            "id": _receipt_id(fresh),
            "content": _content(fresh),
            "expires": int((fresh.created + RECEIPT_KEPT).timestamp()),
        }
        unchanged = check_write(
            "Donation",
            {"id": campaign.id},
            ConditionExpression=f"{LIVING} AND #version = :read",
            ExpressionAttributeNames={"#version": "version"},
            ExpressionAttributeValues={":read": campaign.version},
        )
        return [
            put_write("Receipt", receipt, ConditionExpression="attribute_not_exists(id)"),
            self._put(fresh),
            unchanged,
            *self._also(fresh),
        ]

    def _put(self, fresh: Contribution) -> dict[str, Any]:
        item = codec.to_item(fresh) | self.keys_of(fresh)
        return put_write(self.table, item, ConditionExpression="attribute_not_exists(id)")

    def _moved(
        self, stored: Contribution, state: ContributionState, now: datetime
    ) -> list[dict[str, Any]]:
        """The writes that bring a contribution into another state."""
        changes = {
            "state": str(state),
            "changed": codec.time_text(now),
            "version": stored.version + 1,
        }
        moved = update_write(
            self.table,
            {"id": stored.id},
            changes,
            condition="#version = :read",
            names={"#version": "version"},
            values={":read": stored.version},
        )
        if state is _S.REFUSED:
            return [moved]
        step = 1 if state is _S.CONFIRMED else -1
        added = {"raised": step * stored.cents, "gifts": step}
        writes = [moved, counting("Donation", stored.campaign_id, added).write]
        if state is _S.REFUNDED:
            cancelling = _cancelling(stored, now)
            writes += [self._put(cancelling), *self._also(cancelling)]
        return writes

    @staticmethod
    def _decode(item: Item) -> Contribution:
        return codec.from_item(Contribution, item)


def _cancelling(stored: Contribution, now: datetime) -> Contribution:
    """The entry that takes a confirmed contribution back."""
    return dataclasses.replace(
        stored.erased(),
        id=correction_id(stored.id),
        cents=-stored.cents,
        created=now,
        state=_S.CONFIRMED,
        changed=now,
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
