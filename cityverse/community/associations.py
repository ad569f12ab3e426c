"""Associations: the directory, founding and editing one, its team, its verification, its end.

Who acts is who is signed in. Everything may be sent twice: an association has the id its
form was given, all else is a state it is in.
"""

from __future__ import annotations

import contextlib
from collections.abc import Collection
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from cityverse.community.talk import name_of
from cityverse.data.lists import Page
from cityverse.data.removals import Removal
from cityverse.data.repository import claim_id
from cityverse.data.store import Store
from cityverse.data.throttles import Limit
from cityverse.domain import policy
from cityverse.domain.associations import Activity
from cityverse.domain.community import Association
from cityverse.domain.notifications import Notification, Topic
from cityverse.domain.people import User
from cityverse.domain.policy import Action
from cityverse.domain.posting import SECOND_THOUGHTS
from cityverse.domain.teams import Membership, Standing, Verification, VerificationStatus
from cityverse.errors import (
    AlreadyExists,
    NotFound,
    Taken,
    TooManyAttempts,
    VersionConflict,
    WrongState,
)

_TEAM_MOST = 50
_TRIES = 5
_INVITATIONS = Limit("invitations", 30, timedelta(days=1))


@dataclass(frozen=True, slots=True)
class Wanted:
    """What the directory is to show; ``every``: all of the goals and activities, not any."""

    text: str = ""
    goals: Collection[int] = ()
    activities: Collection[Activity] = ()
    every: bool = False

    def lets_through(self, association: Association) -> bool:
        """Whether an association has the goals and activities."""
        asked = [goal in association.goals for goal in self.goals]
        asked += [activity in association.activities for activity in self.activities]
        return not asked or (all(asked) if self.every else any(asked))


def directory(
    store: Store, wanted: Wanted, *, limit: int, cursor: str | None = None
) -> Page[Association]:
    """One page of associations, the newest first; those found by words all at once.

    ``Page.more`` says that a filter met its bound, and the cursor leads further.
    """
    if wanted.text:
        found = store.search("association", wanted.text) or []
        items = store.associations.find_many(one.item_id for one in found)
        passing = [items[f.item_id] for f in found if f.item_id in items]
        return Page(tuple(filter(wanted.lets_through, passing)))
    narrow = wanted.goals or wanted.activities
    where = wanted.lets_through if narrow else None
    return store.associations.page(limit=limit, cursor=cursor, where=where)


def found(store: Store, who: User | None, association: Association, now: datetime) -> Association:
    """Found an association, unverified; the very same again is no second one.

    One that claims a number another has is founded without it, and a manager decides.
    Raises NotSignedIn, NotAllowed, InvalidField.
    """
    user = policy.require(who, Action.FOUND_ASSOCIATION)
    fresh = replace(
        association, created=now, owner_id=user.id, editors=frozenset(), verified=False,
        closing=None, demo=False,
    )  # fmt: skip
    request = _request(fresh, user, now)
    try:
        return store.associations.found(fresh, store.verifications.asking(request))
    except Taken:
        disputed = replace(request, disputed_with=_holder(store, fresh.rna))
        without = replace(fresh, rna=None)
        with contextlib.suppress(AlreadyExists):
            return store.associations.found(without, store.verifications.asking(disputed))
    except AlreadyExists:
        pass
    stored = store.associations.get(fresh.id)
    policy.require(user, Action.HAND_OVER_ASSOCIATION, stored)
    return stored


def _request(association: Association, user: User, now: datetime) -> Verification:
    return Verification(association.id, association.name, now, user.id, association.rna)


def _holder(store: Store, rna: str | None) -> str | None:
    claim = store.dynamo.get("Claim", {"id": claim_id("Association", "rna", rna or "")})
    return None if claim is None else str(claim["owner"])


def edit(
    store: Store, who: User | None, old: Association, new: Association, now: datetime
) -> Association:
    """Change what an association says of itself; another name or number is verified anew.

    Raises NotSignedIn, NotAllowed, InvalidField, VersionConflict. A number that another
    has goes to the managers, and the association keeps its own.
    """
    user = policy.require(who, Action.RUN_ASSOCIATION, store.associations.get(old.id))
    kept = replace(
        new, id=old.id, created=old.created, owner_id=old.owner_id, editors=old.editors,
        verified=old.verified, closing=old.closing, demo=old.demo, version=old.version,
    )  # fmt: skip
    if kept == old:
        return old
    if (kept.name, kept.rna) == (old.name, old.rna):
        return store.associations.replace(old, kept)
    unverified = replace(kept, verified=False)
    request = _request(unverified, user, now)
    try:
        asking = [store.verifications.asking(request)]
        return store.associations.replace_along(old, unverified, asking)
    except Taken:
        disputed = replace(request, disputed_with=_holder(store, kept.rna))
        own = replace(unverified, rna=old.rna)
        return store.associations.replace_along(old, own, [store.verifications.asking(disputed)])


def close(store: Store, who: User | None, association_id: str, now: datetime) -> None:
    """Close an association: in an hour it goes with all it published. Again is no error."""
    association = store.associations.find(association_id)
    if association is None:
        return
    policy.require(who, Action.HAND_OVER_ASSOCIATION, association)
    if association.closing is None:
        due = now + SECOND_THOUGHTS
        going = store.removals.adding(Removal("Association", association_id, due))
        store.associations.replace_along(association, replace(association, closing=due), [going])


def keep_open(store: Store, who: User | None, association_id: str) -> None:
    """Undo ``close``; raises WrongState when it is going already. Again is no error."""
    association = store.associations.get(association_id)
    policy.require(who, Action.HAND_OVER_ASSOCIATION, association)
    if association.closing is not None:
        staying = store.removals.taking_back("Association", association_id)
        opened = replace(association, closing=None)
        store.associations.replace_along(association, opened, [staying])


# --- the team -----------------------------------------------------------------------------


def team(store: Store, who: User | None, association: Association) -> list[Membership]:
    """Editors and those who were asked, for the team alone."""
    policy.require(who, Action.RUN_ASSOCIATION, association)
    return list(store.memberships.of_association(association.id, limit=_TEAM_MOST).items)


def invitations(store: Store, who: User) -> list[Membership]:
    """What a person was asked to become."""
    asked = {Standing.INVITED, Standing.OFFERED}
    mine = store.memberships.of_user(who.id, limit=_TEAM_MOST).items
    return [one for one in mine if one.standing in asked]


def invite(store: Store, who: User | None, association_id: str, email: str, now: datetime) -> None:
    """Ask somebody to edit an association; whether they have an account is told to nobody.

    Raises NotSignedIn, NotAllowed, NotFound, TooManyAttempts.
    """
    association = store.associations.get(association_id)
    user = policy.require(who, Action.HAND_OVER_ASSOCIATION, association)
    if not store.throttles.take(_INVITATIONS, user.id, f"{association_id} {email.strip()}", now):
        raise TooManyAttempts("too many invitations today")
    person = store.users.find_by_email(email)
    if person is None or person.id in {association.owner_id, *association.editors}:
        return
    invited = Membership(
        person.id, association_id, Standing.INVITED, now, name_of(person), association.name
    )
    told = Notification(
        f"team:{association_id}", person.id, Topic.TEAM, now, f"association:{association_id}",
        user.id, name_of(user), association.name,
    )  # fmt: skip
    with contextlib.suppress(AlreadyExists):
        store.memberships.invite(invited, [store.notifications.write_of(told)])


def accept(store: Store, who: User | None, association_id: str) -> None:
    """Become an editor, or the owner, as one was asked to; again is no error.

    Raises NotSignedIn, NotAllowed, NotFound, WrongState when it was taken back.
    """
    user = policy.require(who, Action.FOLLOW)
    for left in reversed(range(_TRIES)):
        member = store.memberships.find(user.id, association_id)
        if member is None:
            if store.associations.get(association_id).owner_id == user.id:
                return
            raise WrongState("this invitation was taken back")
        try:
            return _accept(store, user, member)
        except VersionConflict:
            if not left:
                raise


def _accept(store: Store, user: User, member: Membership) -> None:
    association = store.associations.get(member.association_id)
    if member.standing is Standing.INVITED:
        joined = replace(member, standing=Standing.EDITOR)
        joining = store.memberships.write_of(
            joined,
            "#standing = :invited",
            ExpressionAttributeNames={"#standing": "standing"},
            ExpressionAttributeValues={":invited": str(Standing.INVITED)},
        )
        editors = association.editors | {user.id}
        store.associations.replace_along(
            association, replace(association, editors=editors), [joining]
        )
    elif member.standing is Standing.OFFERED:
        _take_over(store, user, association)


def _take_over(store: Store, user: User, association: Association) -> None:
    """The new owner comes, and the one before stays as an editor."""
    along = [store.memberships.ending(user.id, association.id, Standing.OFFERED)]
    editors = association.editors - {user.id}
    before = store.users.find(association.owner_id) if association.owner_id else None
    if before is not None:
        editors |= {before.id}
        stays = Membership(
            before.id, association.id, Standing.EDITOR, association.created, name_of(before),
            association.name,
        )  # fmt: skip
        along.append(store.memberships.write_of(stays))
    store.associations.replace_along(
        association, replace(association, owner_id=user.id, editors=editors), along
    )


def decline(store: Store, who: User | None, association_id: str) -> None:
    """Not become what one was asked to; an editor stays one. Again is no error."""
    user = policy.require(who, Action.FOLLOW)
    member = store.memberships.find(user.id, association_id)
    if member is not None and member.standing is Standing.INVITED:
        store.memberships.end(user.id, association_id)
    elif member is not None and member.standing is Standing.OFFERED:
        store.memberships.move(replace(member, standing=Standing.EDITOR), Standing.OFFERED)


def leave_out(store: Store, who: User | None, association_id: str, user_id: str) -> None:
    """Take somebody out of a team, or leave it oneself; again is no error.

    Raises NotSignedIn, NotAllowed, NotFound, VersionConflict.
    """
    for left in reversed(range(_TRIES)):
        association = store.associations.get(association_id)
        if who is None or who.id != user_id:
            policy.require(who, Action.HAND_OVER_ASSOCIATION, association)
        try:
            return _leave_out(store, association, user_id)
        except (VersionConflict, WrongState):  # they joined, or somebody else did
            if not left:
                raise


def _leave_out(store: Store, association: Association, user_id: str) -> None:
    editors = association.editors - {user_id}
    if editors == association.editors:
        store.memberships.end(user_id, association.id)
        return
    ending = store.memberships.ending(user_id, association.id)
    store.associations.replace_along(association, replace(association, editors=editors), [ending])


def offer(store: Store, who: User | None, association_id: str, user_id: str) -> None:
    """Ask an editor to become the owner; raises WrongState where they are none."""
    association = store.associations.get(association_id)
    policy.require(who, Action.HAND_OVER_ASSOCIATION, association)
    member = store.memberships.find(user_id, association_id)
    if member is None:
        raise NotFound(f"{user_id} is not in the team of {association_id}")
    store.memberships.move(replace(member, standing=Standing.OFFERED), Standing.EDITOR)


# --- verification -------------------------------------------------------------------------


def to_verify(
    store: Store, who: User | None, *, limit: int, cursor: str | None = None
) -> Page[Verification]:
    """The associations that wait for a manager, the oldest first."""
    policy.require(who, Action.VERIFY_ASSOCIATION)
    return store.verifications.queue(limit=limit, cursor=cursor)


def decide(
    store: Store, who: User | None, request: Verification, now: datetime, *,
    accepted: bool, reason: str,
) -> None:  # fmt: skip
    """Verify an association or decline to, and tell who asked.

    A number in dispute goes from the one that has it to the one that is verified. Raises
    NotSignedIn, NotAllowed, InvalidField without a reason to decline, NotFound, WrongState
    when it was decided or asked anew meanwhile.
    """
    user = policy.require(who, Action.VERIFY_ASSOCIATION)
    status = VerificationStatus.ACCEPTED if accepted else VerificationStatus.DECLINED
    decided = replace(
        request, status=status, reason=reason.strip(), decided_by=user.id, decided_at=now
    )
    decided.check()
    telling = _told_of(store, decided, now)
    if not accepted:
        store.verifications.decline(decided, *telling)
        return
    association = store.associations.get(request.id)
    if request.disputed_with is not None:
        _give_up_number(store, request)
    verified = replace(association, verified=True, rna=request.rna or association.rna)
    along = [store.verifications.deciding(decided), *telling]
    store.associations.replace_along(association, verified, along)


def _told_of(store: Store, decided: Verification, now: datetime) -> list[dict[str, object]]:
    if store.users.find(decided.user_id) is None:
        return []
    told = Notification(
        f"verification:{decided.id}:{decided.created:%Y%m%d%H%M%S}", decided.user_id,
        Topic.VERIFICATION, now, f"association:{decided.id}", text=decided.reason[:300],
    )  # fmt: skip
    return [store.notifications.write_of(told)]


def _give_up_number(store: Store, request: Verification) -> None:
    """The association that has the disputed number keeps all else, unverified."""
    other = store.associations.find(request.disputed_with or "")
    if other is not None and other.rna == request.rna:
        store.associations.replace(other, replace(other, rna=None, verified=False))
