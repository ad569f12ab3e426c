"""Teams of associations and their verification: tables Membership and Verification."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from cityverse.data import codec
from cityverse.data.client import ConditionFailed, Dynamo, Item, delete_write, put_write
from cityverse.data.cursors import Cursors
from cityverse.data.lists import Page, PartitionList
from cityverse.data.registry import ASSOCIATION_INDEX
from cityverse.data.ties import living
from cityverse.data.timeline import order_of
from cityverse.domain.teams import Membership, Standing, Verification, VerificationStatus
from cityverse.errors import AlreadyExists, NotFound, WrongState

_STATUS_INDEX = "status-index"


class MembershipRepository:
    """Who edits which association beside its owner, and who was asked to."""

    table = "Membership"

    def __init__(self, dynamo: Dynamo, cursors: Cursors) -> None:
        self.dynamo = dynamo
        self._of_user = PartitionList(dynamo, cursors, self.table, _member, newest_first=False)
        self._of_association = PartitionList(
            dynamo, cursors, self.table, _member, ASSOCIATION_INDEX.name, newest_first=False
        )

    def invite(self, invited: Membership, telling: Sequence[dict[str, Any]] = ()) -> None:
        """Ask a person to edit an association, with writes that tell them.

        Raises AlreadyExists when they were asked or are in the team, NotFound when the
        person or the association is not there, or is going.
        """
        put = self.write_of(invited, "attribute_not_exists(user_id)")
        ties = [living("User", invited.user_id), living("Association", invited.association_id)]
        try:
            self.dynamo.transact([put, *(tie.write for tie in ties), *telling])
        except ConditionFailed as failure:
            if 0 in failure.failed or failure.failed[0] > len(ties):
                raise AlreadyExists(f"{invited.user_id} was asked already") from failure
            raise NotFound(ties[failure.failed[0] - 1].missing) from failure

    def move(self, member: Membership, before: Standing, *along: dict[str, Any]) -> None:
        """Give a member another standing, where it is ``before``; again is no error.

        Raises WrongState.
        """
        condition = "#standing = :before OR #standing = :after"
        put = self.write_of(
            member,
            condition,
            ExpressionAttributeNames={"#standing": "standing"},
            ExpressionAttributeValues={":before": str(before), ":after": str(member.standing)},
        )
        try:
            self.dynamo.transact([put, *along])
        except ConditionFailed as failure:
            raise WrongState(f"{member.user_id} is no {before} any more") from failure

    def end(self, user_id: str, association_id: str) -> None:
        """Forget that a person was invited; what is gone is no error.

        Raises WrongState when they are in the team by now.
        """
        ending = delete_write(
            self.table,
            {"user_id": user_id, "association_id": association_id},
            ConditionExpression="attribute_not_exists(user_id) OR #standing = :invited",
            ExpressionAttributeNames={"#standing": "standing"},
            ExpressionAttributeValues={":invited": str(Standing.INVITED)},
        )
        try:
            self.dynamo.transact([ending])
        except ConditionFailed as failure:
            raise WrongState(f"{user_id} is in the team of {association_id}") from failure

    def write_of(self, member: Membership, condition: str = "", **more: Any) -> dict[str, Any]:
        """The write that makes somebody a member of a team."""
        member.check()
        order = order_of(member.created, member.user_id)
        asked = {"ConditionExpression": condition, **more} if condition else {}
        return put_write(self.table, codec.to_item(member) | {"order": order}, **asked)

    def ending(self, user_id: str, association_id: str, standing: Standing | None = None) -> Any:
        """The write by which a person is a member no more; fails where they are no ``standing``."""
        asked: dict[str, Any] = {}
        if standing is not None:
            asked = {
                "ConditionExpression": "#standing = :standing",
                "ExpressionAttributeNames": {"#standing": "standing"},
                "ExpressionAttributeValues": {":standing": str(standing)},
            }
        key = {"user_id": user_id, "association_id": association_id}
        return delete_write(self.table, key, **asked)

    def find(self, user_id: str, association_id: str) -> Membership | None:
        """What a person is to an association, or None."""
        item = self.dynamo.get(self.table, {"user_id": user_id, "association_id": association_id})
        return None if item is None else _member(item)

    def of_user(self, user_id: str, *, limit: int, cursor: str | None = None) -> Page[Membership]:
        """The teams a person is in or was asked into, by the ids of the associations."""
        return self._of_user.page(user_id, limit=limit, cursor=cursor)

    def of_association(
        self, association_id: str, *, limit: int, cursor: str | None = None
    ) -> Page[Membership]:
        """The team of an association, in the order in which they were asked."""
        return self._of_association.page(association_id, limit=limit, cursor=cursor)


class VerificationRepository:
    """Associations that managers look at, in the order in which they came."""

    table = "Verification"

    def __init__(self, dynamo: Dynamo, cursors: Cursors) -> None:
        self.dynamo = dynamo
        self._queue = PartitionList(
            dynamo, cursors, self.table, _request, _STATUS_INDEX, newest_first=False
        )

    def asking(self, request: Verification) -> dict[str, Any]:
        """The write that puts an association into the queue, as new."""
        request.check()
        return put_write(self.table, _item(request))

    def deciding(self, decided: Verification) -> dict[str, Any]:
        """The write that decides on a pending request; fails where it is none."""
        decided.check()
        return put_write(
            self.table,
            _item(decided),
            ConditionExpression="#status = :pending AND #created = :created",
            ExpressionAttributeNames={"#status": "status", "#created": "created"},
            ExpressionAttributeValues={
                ":pending": str(VerificationStatus.PENDING),
                ":created": codec.time_text(decided.created),
            },
        )

    def decline(self, decided: Verification, *telling: dict[str, Any]) -> None:
        """Decide without a change of the association; raises WrongState when it is decided."""
        try:
            self.dynamo.transact([self.deciding(decided), *telling])
        except ConditionFailed as failure:
            raise WrongState(f"{decided.id} waits for no decision") from failure

    def find(self, association_id: str) -> Verification | None:
        """What was asked for an association last, or None."""
        item = self.dynamo.get(self.table, {"id": association_id})
        return None if item is None else _request(item)

    def queue(self, *, limit: int, cursor: str | None = None) -> Page[Verification]:
        """Those that wait for a decision, the oldest first."""
        return self._queue.page(str(VerificationStatus.PENDING), limit=limit, cursor=cursor)


def _item(request: Verification) -> Item:
    return codec.to_item(request) | {"order": order_of(request.created, request.id)}


def _request(item: Item) -> Verification:
    return codec.from_item(Verification, item)


def _member(item: Item) -> Membership:
    return codec.from_item(Membership, item)
