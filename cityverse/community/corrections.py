"""Wrong places: what readers propose, what managers decide, and what is learned from it."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from cityverse.data.store import Store
from cityverse.data.throttles import Limit
from cityverse.domain import policy
from cityverse.domain.corrections import Alias, Proposal, ProposalStatus, proposal_id
from cityverse.domain.news import Article, Correction, corrected, uncorrected
from cityverse.domain.notifications import Notification, Topic
from cityverse.domain.people import User
from cityverse.domain.places import Location
from cityverse.domain.policy import Action
from cityverse.errors import (
    AlreadyExists,
    InvalidField,
    TooManyAttempts,
    VersionConflict,
    WrongState,
)
from cityverse.news.aliases import Places, alias_of
from cityverse.news.tokens import fold_phrase

log = logging.getLogger(__name__)

PROPOSALS_A_DAY = Limit("proposals", 20, timedelta(days=1))
WAITING_MOST = 50
DECIDED_MOST = 20
_TRIES = 5
_EXCERPT = 140


@dataclass(frozen=True, slots=True)
class Draft:
    """What a reader sent: ``request`` is the id of the form, so that it counts once."""

    request: str
    article_id: str
    location: Location | None
    text: str = ""


@dataclass(frozen=True, slots=True)
class Case:
    """A proposal and the article it is about."""

    proposal: Proposal
    article: Article


def mine(store: Store, who: User | None, article_id: str) -> Proposal | None:
    """What who is signed in proposed for an article, or None."""
    return None if who is None else store.proposals.find(proposal_id(who.id, article_id))


def propose(store: Store, who: User | None, draft: Draft, now: datetime) -> Proposal:
    """Say where an article is; while it waits, saying so again changes what one said.

    Raises NotSignedIn, NotAllowed, NotFound when the article is gone, InvalidField when it
    is there already or what is given breaks a rule, TooManyAttempts.
    """
    user = policy.require(who, Action.PROPOSE_PLACE)
    article = store.news.get(draft.article_id)
    if _same_place(article.location, draft.location):
        raise InvalidField("proposal", "the article is there already")
    wanted = Proposal(
        id=proposal_id(user.id, article.id),
        article_id=article.id,
        created=now,
        request=draft.request,
        user_id=user.id,
        location=draft.location,
        text=draft.text.strip(),
        expires_at=article.expires_at,
        demo=article.demo,
    )
    wanted.check()
    if not store.throttles.take(PROPOSALS_A_DAY, user.id, draft.request, now):
        raise TooManyAttempts(f"{PROPOSALS_A_DAY.most} proposals a day")
    return _keep(store, wanted)


def _keep(store: Store, wanted: Proposal) -> Proposal:
    for left in reversed(range(_TRIES)):
        try:
            return store.proposals.create(wanted)
        except AlreadyExists:
            stored = store.proposals.find(wanted.id)
        if stored is None:
            continue
        if stored.request == wanted.request:
            return stored  # the answer to the first sending was lost
        waits = stored.status is ProposalStatus.OPEN
        created = stored.created if waits else wanted.created
        fresh = replace(wanted, created=created, version=stored.version)
        try:
            return store.proposals.replace(stored, fresh)
        except VersionConflict:
            if not left:
                raise
    raise VersionConflict(f"proposal {wanted.id} changes all the time")


def waiting(store: Store, who: User | None) -> list[Case]:
    """The proposals to decide on, the oldest first, at most fifty.

    Raises NotSignedIn and NotAllowed, as all that follows does.
    """
    return _cases(store, who, ProposalStatus.OPEN, WAITING_MOST)


def accepted(store: Store, who: User | None) -> list[Case]:
    """The newest proposals that were accepted and whose correction stands, at most twenty."""
    cases = _cases(store, who, ProposalStatus.ACCEPTED, DECIDED_MOST)
    return [
        case
        for case in cases
        if case.article.correction and case.article.correction.proposal_id == case.proposal.id
    ]


def _cases(store: Store, who: User | None, status: ProposalStatus, most: int) -> list[Case]:
    policy.require(who, Action.DECIDE_PLACES)
    found = store.proposals.queue(status, limit=most).items
    articles: Mapping[str, Article] = store.news.find_many(p.article_id for p in found)
    return [Case(p, articles[p.article_id]) for p in found if p.article_id in articles]


@dataclass(frozen=True, slots=True)
class Decision:
    """On a proposal as a manager saw it; ``alias``: words of the article to be learned."""

    proposal_id: str
    version: int
    reason: str = ""
    alias: str | None = None


def accept(
    store: Store, who: User | None, decision: Decision, places: Places, now: datetime
) -> None:
    """Put an article where its reader said; that stands whatever its feed says later.

    Raises NotFound when article or proposal are gone, WrongState when it was decided
    already, VersionConflict when it was changed meanwhile, InvalidField when the words of
    ``alias`` are none of the article's or name something already.
    """
    user = policy.require(who, Action.DECIDE_PLACES)
    for left in reversed(range(_TRIES)):
        proposal = _open(store, decision)
        article = store.news.get(proposal.article_id)
        alias = _alias(decision, proposal, article, places, now)
        moved = corrected(article, proposal.location, Correction(proposal.id, now))
        decided = _decided(proposal, ProposalStatus.ACCEPTED, decision, now)
        told = _told(store, decided, article, Topic.PLACE_ACCEPTED)
        try:
            store.proposals.accept(proposal, decided, (article, moved), told, alias)
        except VersionConflict:
            # A poll may have changed the article; a decision is seen when it is read again.
            if not left:
                raise
        else:
            log.info("%s accepted proposal %s", user.id, proposal.id)
            return


def decline(store: Store, who: User | None, decision: Decision, now: datetime) -> None:
    """Leave an article where it is; raises as ``accept`` does, and InvalidField without reason."""
    user = policy.require(who, Action.DECIDE_PLACES)
    if not decision.reason.strip():
        raise InvalidField("reason", "must not be empty")
    proposal = _open(store, decision)
    article = store.news.find(proposal.article_id)
    decided = _decided(proposal, ProposalStatus.DECLINED, decision, now)
    store.proposals.decline(proposal, decided, _told(store, decided, article, Topic.PLACE_DECLINED))
    log.info("%s declined proposal %s", user.id, proposal.id)


def undo(store: Store, who: User | None, article_id: str) -> None:
    """Put an article back where its own words put it; what is done already is no error."""
    policy.require(who, Action.DECIDE_PLACES)
    for left in reversed(range(_TRIES)):
        article = store.news.get(article_id)
        if article.correction is None:
            return
        try:
            store.news.replace(article, uncorrected(article))
            return
        except VersionConflict:
            if not left:
                raise


def aliases(store: Store, who: User | None) -> list[Alias]:
    """The names that were learned."""
    policy.require(who, Action.DECIDE_PLACES)
    return store.aliases.all()


def forget_alias(store: Store, who: User | None, words: str) -> None:
    """Take a learned name back; articles that are placed by it stay."""
    policy.require(who, Action.DECIDE_PLACES)
    store.aliases.forget(words)


def _open(store: Store, decision: Decision) -> Proposal:
    proposal = store.proposals.get(decision.proposal_id)
    if proposal.status is not ProposalStatus.OPEN:
        raise WrongState(f"proposal {proposal.id} was decided already")
    if proposal.version != decision.version:
        raise VersionConflict(f"proposal {proposal.id} was changed meanwhile")
    return proposal


def _decided(
    proposal: Proposal, status: ProposalStatus, decision: Decision, now: datetime
) -> Proposal:
    return replace(
        proposal,
        status=status,
        decided_at=now,
        reason=decision.reason.strip(),
        version=proposal.version + 1,
    )


def _alias(
    decision: Decision, proposal: Proposal, article: Article, places: Places, now: datetime
) -> Alias | None:
    if decision.alias is None:
        return None
    place = places.of(proposal.location) if proposal.location else None
    if place is None:
        raise InvalidField("alias", "needs a place of the gazetteer")
    alias = alias_of(decision.alias, place, now)
    said = f" {fold_phrase(article.title)} | {fold_phrase(article.summary)} "
    if not alias.words or f" {alias.words} " not in said:
        raise InvalidField("alias", "must be words of the article")
    if places.names(alias.words):
        raise InvalidField("alias", "names something already")
    return alias


def _told(
    store: Store, decided: Proposal, article: Article | None, topic: Topic
) -> Notification | None:
    """What to tell who proposed, if they still have an account."""
    if decided.user_id is None or store.users.find(decided.user_id) is None:
        return None
    title = article.title[:_EXCERPT] if article else ""
    words = (title, decided.reason[:_EXCERPT])
    return Notification(
        id=f"place:{decided.id}:{decided.version}",
        user_id=decided.user_id,
        topic=topic,
        created=decided.decided_at or decided.created,
        target=f"news:{decided.article_id}",
        text=" — ".join(word for word in words if word),
    )


def _same_place(one: Location | None, other: Location | None) -> bool:
    if one is None or other is None:
        return one is other
    return (one.place, one.lat, one.lon) == (other.place, other.lat, other.lon)
