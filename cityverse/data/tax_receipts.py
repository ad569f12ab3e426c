"""Receipts for the tax office, and who may issue them: table TaxReceipt.

The partition of an association holds its receipts by number, for each year how many there
are, and what a receipt says of the association. What was issued stays when the
association goes: it must be kept for six years (LPF article L102 B).
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Any

from cityverse.data import codec
from cityverse.data.client import (
    ConditionFailed,
    Dynamo,
    Item,
    check_write,
    delete_write,
    put_write,
    update_write,
)
from cityverse.data.cursors import Cursors
from cityverse.data.lists import LAST, Page, PartitionList
from cityverse.data.ties import TRIES, living, unchanged
from cityverse.domain.community import Association
from cityverse.domain.giving import Contribution, ContributionState
from cityverse.domain.tax_receipts import Eligibility, Gift, Issuer, TaxReceipt, number_of
from cityverse.errors import NotFound, VersionConflict

TABLE = "TaxReceipt"
# No number looks like these.
_ISSUER = "issuer"
_ASKED = "_asked"


class TaxReceiptRepository:
    """Receipts in sequence without a gap, each contribution on one that is valid."""

    def __init__(self, dynamo: Dynamo, cursors: Cursors) -> None:
        self.dynamo = dynamo
        self._receipts = PartitionList(dynamo, cursors, TABLE, _receipt)
        self._asked = PartitionList(dynamo, cursors, TABLE, _id_of, newest_first=False)

    def issuer(self, association_id: str) -> Issuer | None:
        """What receipts say of an association, if it ever said so."""
        item = self.dynamo.get(TABLE, {"association_id": association_id, "number": _ISSUER})
        return None if item is None else codec.from_item(Issuer, item)

    def keep_issuer(self, issuer: Issuer, *, read: int) -> Issuer:
        """Write what receipts say of an association, over version ``read`` (0: none).

        Raises VersionConflict, and NotFound without the association.
        """
        kept = dataclasses.replace(issuer, version=read + 1)
        kept.check()
        condition: dict[str, Any] = {"ConditionExpression": "attribute_not_exists(association_id)"}
        if read:
            condition = {
                "ConditionExpression": "#version = :read",
                "ExpressionAttributeNames": {"#version": "version"},
                "ExpressionAttributeValues": {":read": read},
            }
        there = living("Association", kept.association_id)
        asked = {"association_id": _ASKED, "number": kept.association_id}
        waits = kept.eligibility is Eligibility.ASKED
        try:
            self.dynamo.transact(
                [
                    put_write(TABLE, codec.to_item(kept) | {"number": _ISSUER}, **condition),
                    there.write,
                    put_write(TABLE, asked) if waits else delete_write(TABLE, asked),
                ]
            )
        except ConditionFailed as failure:
            if 1 in failure.failed:
                raise NotFound(there.missing) from failure
            raise VersionConflict("what receipts say was changed meanwhile") from failure
        return kept

    def asked(self, *, limit: int) -> tuple[str, ...]:
        """The ids of associations that ask to issue receipts."""
        return self._asked.page(_ASKED, limit=limit).items

    def find(self, association_id: str, number: str) -> TaxReceipt | None:
        """The receipt of this number, or None."""
        key = {"association_id": association_id, "number": number}
        item = self.dynamo.get(TABLE, key)
        return None if item is None or "gifts" not in item else _receipt(item)

    def find_many(self, keys: Sequence[tuple[str, str]]) -> list[TaxReceipt]:
        """The receipts of these associations and numbers that are there."""
        wanted = [{"association_id": one, "number": number} for one, number in dict.fromkeys(keys)]
        return [_receipt(item) for item in self.dynamo.get_many(TABLE, wanted)]

    def of_year(
        self, association_id: str, year: int, *, limit: int, cursor: str | None = None
    ) -> Page[TaxReceipt]:
        """The receipts of an association in a year, the latest first."""
        return self._receipts.page(
            association_id, limit=limit, cursor=cursor, low=f"{year}-", high=f"{year}-{LAST}"
        )

    def issue(
        self,
        draft: TaxReceipt,
        association: Association,
        gifts: Callable[[], Sequence[Contribution]],
    ) -> TaxReceipt | None:
        """Issue ``draft`` for these gifts under the next number; None when there is no gift.

        ``gifts`` are read again at each try. In one transaction the number is taken, the
        receipt written, and each contribution, confirmed and as it was read, bears its
        number; association and issuer are as they were read. Raises VersionConflict.
        """
        for _ in range(TRIES):
            found = gifts()
            if not found:
                return None
            place = self._issued(draft.association_id, draft.year) + 1
            receipt = dataclasses.replace(
                draft,
                number=number_of(draft.year, place),
                gifts=tuple(
                    Gift(g.id, g.cents, g.received or g.changed or g.created, g.method)
                    for g in found
                ),
            )
            receipt.check()
            try:
                self.dynamo.transact(
                    [
                        _taking(receipt, place),
                        put_write(
                            TABLE,
                            codec.to_item(receipt),
                            ConditionExpression="attribute_not_exists(association_id)",
                        ),
                        unchanged("Association", association.id, association.version),
                        _issuer_unchanged(draft.issuer),
                        *(_numbering(gift, receipt.number) for gift in found),
                    ]
                )
            except ConditionFailed as failure:
                if failure.failed[0] in {2, 3}:
                    raise VersionConflict("the association was changed meanwhile") from failure
                continue
            return receipt
        raise VersionConflict(f"receipts of {draft.association_id} change all the time")

    def _issued(self, association_id: str, year: int) -> int:
        """How many receipts of a year there are."""
        row = self.dynamo.get(TABLE, _count_key(association_id, year))
        return 0 if row is None else int(row["last"])


def voiding(association_id: str, number: str, now: datetime) -> dict[str, Any]:
    """The write by which a receipt becomes void."""
    return update_write(
        TABLE,
        {"association_id": association_id, "number": number},
        {"voided": codec.time_text(now)},
        condition="attribute_exists(association_id)",
    )


def _count_key(association_id: str, year: int) -> Item:
    return {"association_id": association_id, "number": f"count-{year}"}


def _taking(receipt: TaxReceipt, place: int) -> dict[str, Any]:
    """The write that takes a place in the sequence, which nobody else can take."""
    condition = "attribute_not_exists(association_id)" if place == 1 else "#last = :before"
    return update_write(
        TABLE,
        _count_key(receipt.association_id, receipt.year),
        {"last": place},
        condition=condition,
        names={} if place == 1 else {"#last": "last"},
        values={} if place == 1 else {":before": place - 1},
    )


def _issuer_unchanged(issuer: Issuer) -> dict[str, Any]:
    return check_write(
        TABLE,
        {"association_id": issuer.association_id, "number": _ISSUER},
        ConditionExpression="#version = :read",
        ExpressionAttributeNames={"#version": "version"},
        ExpressionAttributeValues={":read": issuer.version},
    )


def _numbering(gift: Contribution, number: str) -> dict[str, Any]:
    return update_write(
        "Donations",
        {"id": gift.id},
        {"receipt": number, "version": gift.version + 1},
        condition="#version = :read AND #state = :confirmed",
        names={"#version": "version", "#state": "state"},
        values={":read": gift.version, ":confirmed": str(ContributionState.CONFIRMED)},
    )


def _receipt(item: Item) -> TaxReceipt:
    return codec.from_item(TaxReceipt, item)


def _id_of(item: Item) -> str:
    return str(item["number"])
