"""Every way to write, once: what must be there before, and the call that is broken."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import timedelta
from types import SimpleNamespace
from typing import Any

from doing_helpers import a_campaign, a_comment, a_contribution, a_product, an_application
from helpers import LATER, NOW, article, association, event, location, mission, post, source
from people_helpers import decision, follow, notification, report, user

from cityverse.data.applications import ApplicationRepository
from cityverse.data.associations import AssociationRepository
from cityverse.data.attendance import AttendanceRepository
from cityverse.data.awards import AwardRepository
from cityverse.data.badges import BadgeRepository
from cityverse.data.campaigns import CampaignRepository
from cityverse.data.client import put_write
from cityverse.data.comments import CommentRepository
from cityverse.data.contributions import ContributionRepository
from cityverse.data.cursors import Cursors
from cityverse.data.deletion import Deletion
from cityverse.data.digests import DigestRepository
from cityverse.data.drafts import DraftRepository
from cityverse.data.events import EventRepository
from cityverse.data.follows import FollowRepository
from cityverse.data.letters import Letter, LetterRepository
from cityverse.data.links import LinkRepository
from cityverse.data.media import MediaRepository
from cityverse.data.messages import MessageRepository
from cityverse.data.missions import MissionRepository
from cityverse.data.news import NewsRepository
from cityverse.data.notifications import NotificationRepository
from cityverse.data.posts import PostRepository
from cityverse.data.products import ProductRepository
from cityverse.data.proposals import AliasRepository, ProposalRepository
from cityverse.data.reactions import ReactionRepository
from cityverse.data.removals import Removal, RemovalRepository
from cityverse.data.reports import (
    AppealRepository,
    AuditRepository,
    CaseRepository,
    DecisionRepository,
    ReportRepository,
)
from cityverse.data.repository import LeafRepository
from cityverse.data.revoked import RevokedTokens
from cityverse.data.rollups import RollupRepository
from cityverse.data.sources import SourceRepository
from cityverse.data.tax_receipts import TaxReceiptRepository
from cityverse.data.teams import MembershipRepository, VerificationRepository
from cityverse.data.throttles import Limit, Throttles
from cityverse.data.users import UserRepository
from cityverse.domain.applications import ApplicationState
from cityverse.domain.community import AuthorKind
from cityverse.domain.corrections import Alias, Proposal, ProposalStatus
from cityverse.domain.digests import Digest, Pace
from cityverse.domain.giving import ContributionState
from cityverse.domain.media import Media, MediaKind, MediaPlace
from cityverse.domain.messages import Message
from cityverse.domain.moderation import Act, Appeal, AppealStatus, Case, Reason
from cityverse.domain.news import TopicName
from cityverse.domain.people import Link, Purpose
from cityverse.domain.points import Award, Badge
from cityverse.domain.posting import Draft, DraftState
from cityverse.domain.reactions import ReactionKind
from cityverse.domain.tax_receipts import Eligibility, Issuer, TaxReceipt
from cityverse.domain.teams import Membership, Standing, Verification, VerificationStatus

Have = Callable[[type[Any]], Any]


@dataclass(frozen=True)
class Scenario:
    """``prepare`` writes what must be there; ``act`` is the write, given what it answered.

    ``have`` gives the repository of a class, over a connection that works.
    """

    kind: type[Any]
    method: str
    prepare: Callable[[Have], Any]
    act: Callable[[Any, Any], Any]

    def __str__(self) -> str:
        return f"{self.kind.__name__}.{self.method}"


SCENARIOS: list[Scenario] = []


def scenario(
    kind: type[Any],
    method: str,
    act: Callable[[Any, Any], Any],
    prepare: Callable[[Have], Any] = lambda have: None,
) -> None:
    SCENARIOS.append(Scenario(kind, method, prepare, act))


def _life(kind: type[Any], entity: Any, changed: Any, before: Callable[[Have], Any]) -> None:
    """Creating, replacing and deleting as all repositories do, if they delete by themselves."""

    def existing(have: Have) -> Any:
        before(have)
        return have(kind).create(entity)

    def replaced(repository: Any, old: Any) -> Any:
        return repository.replace(old, replace(old, **changed))

    def moderated(repository: Any, old: Any) -> Any:
        return repository.moderate(old, replace(old, **changed), [])

    scenario(kind, "create", lambda repository, _: repository.create(entity), before)
    scenario(kind, "adopt", lambda repository, _: repository.adopt(entity), _nothing)
    scenario(kind, "replace", replaced, existing)
    scenario(
        kind, "moderate", lambda r, old: r.moderate(old, replace(old, **changed), []), existing
    )
    if issubclass(kind, LeafRepository):
        scenario(kind, "delete", lambda repository, old: repository.delete(old), existing)


def _nothing(have: Have) -> None:
    """Nothing must be there before."""


def _with(*wanted: tuple[type[Any], Any]) -> Callable[[Have], Any]:
    """These items must be there; answers with the last one."""

    def prepare(have: Have) -> Any:
        return [have(kind).create(entity) for kind, entity in wanted][-1]

    return prepare


def decided(proposal: Proposal, status: ProposalStatus) -> Proposal:
    return replace(proposal, status=status, decided_at=NOW, version=proposal.version + 1)


def _learned(have: Have) -> None:
    _with(A_USER, (ProposalRepository, A_PROPOSAL))(have)
    old = have(ProposalRepository).get("w1")
    news = have(NewsRepository).create(article(expires_at=LATER))
    accepted = decided(old, ProposalStatus.ACCEPTED)
    have(ProposalRepository).accept(old, accepted, (news, news), None, AN_ALIAS)


AN_ASSOCIATION = (
    AssociationRepository,
    association(name="Les Semeurs", rna="W751234567", demo=True),
)
A_USER = (UserRepository, user())
A_FILE = (
    MediaRepository,
    Media("m" + "0" * 32, "u1", MediaKind.IMAGE, MediaPlace.POST, "image/webp", 9, NOW),
)
A_POST = (PostRepository, post(demo=True, location=location()))
A_MISSION = (MissionRepository, mission(starts=LATER, places=1, location=location()))
AN_EVENT = (EventRepository, event(starts=LATER, ends=LATER, location=location()))
A_CAMPAIGN = (CampaignRepository, a_campaign(id="c1"))
A_PRODUCT = (ProductRepository, a_product(id="pr1", name="Panier"))
A_PROPOSAL = Proposal("w1", "n1", NOW, "q1", "u1", location(18), expires_at=LATER)
AN_ALIAS = Alias(
    "stade bouin", "Stade Bouin", "Stade Jean-Bouin", "stadium", 48.84, 2.25, (16,), 100, NOW
)
AN_APPLICATION = (ApplicationRepository, an_application("m1"))
A_COMMENT = (CommentRepository, a_comment("p1", id="k1"))
A_GIFT = (ContributionRepository, a_contribution("c1", id="g1"))

_life(*AN_ASSOCIATION, {"name": "Les Autres", "rna": "W759999999", "demo": False}, _nothing)
_life(*A_USER, {"email": "other@example.org"}, _nothing)
_life(BadgeRepository, Badge("b1", "Premier pas", NOW), {"name": "Second pas"}, _nothing)
_life(*A_POST, {"title": "Courges", "created": LATER, "location": None}, _with(AN_ASSOCIATION))
ILLUSTRATED = replace(A_POST[1], media=(A_FILE[1].id,))
_life(PostRepository, ILLUSTRATED, {"media": ()}, _with(AN_ASSOCIATION, A_USER, A_FILE))
_life(*A_MISSION, {"title": "Couper la haie", "places": 3}, _with(AN_ASSOCIATION))
_life(*AN_EVENT, {"title": "Troc de livres"}, _with(AN_ASSOCIATION))
_life(*A_CAMPAIGN, {"title": "Un puits"}, _with(AN_ASSOCIATION))
_life(*A_PRODUCT, {"name": "Corbeille"}, _with(AN_ASSOCIATION))
_life(NewsRepository, article(expires_at=LATER), {"title": "Autre titre"}, _nothing)
scenario(
    NewsRepository,
    "withdraw",
    lambda r, a: r.withdraw(a, LATER),
    _with((NewsRepository, article(expires_at=LATER, location=location()))),
)
_life(ProposalRepository, A_PROPOSAL, {"text": "Encore"}, _with(A_USER))
scenario(
    ProposalRepository,
    "decline",
    lambda r, p: r.decline(p, decided(p, ProposalStatus.DECLINED), notification()),
    _with(A_USER, (ProposalRepository, A_PROPOSAL)),
)
scenario(
    ProposalRepository,
    "accept",
    lambda r, pair: r.accept(
        pair[0],
        decided(pair[0], ProposalStatus.ACCEPTED),
        (pair[1], replace(pair[1], location=location(18))),
        notification(),
        AN_ALIAS,
    ),
    lambda have: (
        _with(A_USER, (ProposalRepository, A_PROPOSAL))(have),
        have(NewsRepository).create(article(expires_at=LATER)),
    ),
)
scenario(AliasRepository, "forget", lambda r, _: r.forget("stade bouin"), _learned)
_life(SourceRepository, source(), {"name": "La Gazette"}, _nothing)
_life(ReportRepository, report(), {"text": "Encore"}, _with(A_USER))
_life(*A_COMMENT, {"text": "Merci !"}, _with(A_USER, AN_ASSOCIATION, A_POST))
_life(*AN_APPLICATION, {"phone": ""}, _with(A_USER, AN_ASSOCIATION, A_MISSION))
_life(*A_GIFT, {"message": "Bon courage"}, _with(A_USER, AN_ASSOCIATION, A_CAMPAIGN))

scenario(
    SourceRepository, "lease", lambda r, s: r.lease(s, NOW), _with((SourceRepository, source()))
)
scenario(UserRepository, "seen", lambda r, _: r.seen("u1", NOW), _with(A_USER))
scenario(UserRepository, "notified", lambda r, _: r.notified("u1", NOW), _with(A_USER))
scenario(FollowRepository, "follow", lambda r, _: r.follow(follow()), _with(A_USER, AN_ASSOCIATION))


def _following(have: Have) -> None:
    _with(A_USER, AN_ASSOCIATION)(have)
    have(FollowRepository).follow(follow())


scenario(FollowRepository, "unfollow", lambda r, _: r.unfollow("u1", "a1"), _following)
scenario(
    AwardRepository,
    "give",
    lambda r, _: r.give(Award("u1", "once:first", 5, NOW, hours=1)),
    _with(A_USER),
)
scenario(NotificationRepository, "tell", lambda r, _: r.tell(notification()), _with(A_USER))
scenario(
    NotificationRepository,
    "read",
    lambda r, _: r.read(notification(), LATER),
    lambda have: (_with(A_USER)(have), have(NotificationRepository).tell(notification())),
)
scenario(
    DecisionRepository,
    "decide",
    lambda r, reported: r.decide(decision(), [reported]),
    _with(A_USER, (ReportRepository, report())),
)
A_CASE = Case("k1", "post:p1", Reason.SPAM, NOW, LATER, "Un mot", "u1")
AN_APPEAL = Appeal("k2", "d1", "post:p1", "manager", NOW, "Non", "u1", "u1")
A_LETTER = Letter("k3", "decision", NOW, user_id="u1")
AN_ACT = Act("k4", NOW, "manager", "decide", "post:p1")


def _letter_waits(have: Have) -> None:
    letters = have(LetterRepository)
    letters.dynamo.transact([letters.write_of(A_LETTER)])


def _noted(have: Have) -> Any:
    return have(AuditRepository).write_of(AN_ACT)


_life(CaseRepository, A_CASE, {"assigned_to": "manager"}, _nothing)
_life(AppealRepository, AN_APPEAL, {"named": "u2"}, _nothing)
scenario(AppealRepository, "open_telling", lambda r, act: r.open_telling(AN_APPEAL, [act]), _noted)
scenario(
    AppealRepository,
    "settle",
    lambda r, a: r.settle(
        a,
        replace(a, status=AppealStatus.UPHELD, decided_by="u2", decided_at=NOW, reason="Si"),
        [],
    ),
    _with((AppealRepository, AN_APPEAL)),
)
scenario(
    ReportRepository,
    "file",
    lambda r, act: r.file(report(case_id="k1"), [act]),
    lambda have: (_with(A_USER, (CaseRepository, A_CASE))(have), _noted(have))[1],
)
scenario(
    ReportRepository,
    "close",
    lambda r, reported: r.close(reported, "d1", []),
    _with(A_USER, (ReportRepository, report())),
)
scenario(
    DecisionRepository,
    "record",
    lambda r, act: r.record([r.adding(decision()), act]),
    _noted,
)
scenario(
    DecisionRepository,
    "disown",
    lambda r, _: r.disown("d1", "u1"),
    lambda have: have(DecisionRepository).decide(decision(subject_id="u1")),
)
scenario(LetterRepository, "sent", lambda r, _: r.sent(A_LETTER), _letter_waits)
scenario(LetterRepository, "take", lambda r, _: r.take(A_LETTER, NOW), _letter_waits)
scenario(RollupRepository, "add", lambda r, _: r.add("posts#city", NOW.date(), 3, "p1", NOW))
scenario(RevokedTokens, "revoke", lambda r, _: r.revoke("token", LATER))
A_LINK = Link(
    "l1", Purpose.RESET, NOW, LATER, user_id="u1", session_version=1, email="u1@example.org"
)
A_CLAIM = Link("l2", Purpose.CLAIM, NOW, LATER)
A_LIMIT = Limit("sign-in", 3, timedelta(hours=1))


def _linked(have: Have) -> Any:
    have(LinkRepository).issue(A_LINK)
    return have(UserRepository).create(user()), have(LinkRepository).use(A_LINK)


def _counted(have: Have) -> None:
    for attempt in ("t1", "t2"):
        have(Throttles).take(A_LIMIT, "ada", attempt, NOW)


scenario(LinkRepository, "issue", lambda r, _: r.issue(A_LINK))
scenario(LinkRepository, "offer_first_admin", lambda r, _: r.offer_first_admin(A_CLAIM))
scenario(
    UserRepository,
    "replace_along",
    lambda r, c: r.replace_along(c[0], replace(c[0], first_name="Augusta"), [c[1]]),
    _linked,
)
ALONG = put_write("Demo", {"table": "News", "id": "n1"})
scenario(
    NewsRepository,
    "replace_along",
    lambda r, old: r.replace_along(old, replace(old, title="Corrigé"), [ALONG]),
    lambda have: have(NewsRepository).create(article(expires_at=LATER, location=location())),
)
scenario(Throttles, "take", lambda r, _: r.take(A_LIMIT, "ada", "t3", NOW), _counted)
scenario(Throttles, "give_back", lambda r, _: r.give_back(A_LIMIT, "ada", "t1", NOW), _counted)
scenario(Throttles, "clear", lambda r, _: r.clear(A_LIMIT, "ada", NOW), _counted)


def _answer(have: Have) -> dict[str, Any]:
    """What is told of an answer to the post."""
    _with(A_USER, AN_ASSOCIATION, A_POST)(have)
    written: dict[str, Any] = have(NotificationRepository).write_of(notification())
    return written


scenario(
    CommentRepository,
    "create_telling",
    lambda r, told: r.create_telling(A_COMMENT[1], told),
    _answer,
)
scenario(
    CommentRepository,
    "edit",
    lambda r, old: r.edit(old, "Mieux dit", LATER),
    _with(A_USER, AN_ASSOCIATION, A_POST, A_COMMENT),
)


def _reacted(have: Have) -> None:
    _with(A_USER, AN_ASSOCIATION, A_POST)(have)
    have(ReactionRepository).react("p1", "u1", ReactionKind.WOW, NOW)


scenario(
    ReactionRepository,
    "react",
    lambda r, _: r.react("p1", "u1", ReactionKind.LIKE, NOW),
    _reacted,
)
scenario(ReactionRepository, "withdraw", lambda r, _: r.withdraw("p1", "u1"), _reacted)
scenario(
    ApplicationRepository,
    "move",
    lambda r, one: r.move(one.id, ApplicationState.APPROVED, NOW),
    _with(A_USER, AN_ASSOCIATION, A_MISSION, AN_APPLICATION),
)
scenario(
    ApplicationRepository,
    "erase",
    lambda r, one: r.erase(one),
    _with(A_USER, AN_ASSOCIATION, A_MISSION, AN_APPLICATION),
)

A_MESSAGE = Message("q1", AN_APPLICATION[1].id, "u1", "Camille", "Bonjour", NOW, LATER)
scenario(
    MessageRepository,
    "say",
    lambda r, _: r.say(A_MESSAGE),
    _with(A_USER, AN_ASSOCIATION, A_MISSION, AN_APPLICATION),
)


def _in_line(have: Have) -> Any:
    """The only place is taken; two wait, the first one accepted. Answers with who has it."""
    applications = have(ApplicationRepository)
    _with(A_USER, (UserRepository, user("u2")), (UserRepository, user("u3")))(have)
    _with(AN_ASSOCIATION, A_MISSION, AN_APPLICATION)(have)
    has_it = applications.move(AN_APPLICATION[1].id, ApplicationState.APPROVED, NOW)
    first = applications.create(an_application("m1", "u2"))
    applications.create(an_application("m1", "u3", created=LATER - timedelta(days=1)))
    applications.move(first.id, ApplicationState.WAITING, NOW, accepted=True)
    return has_it


def _a_place_added(have: Have) -> None:
    _in_line(have)
    missions = have(MissionRepository)
    mission = missions.get("m1")
    missions.replace(mission, replace(mission, places=2))


scenario(
    ApplicationRepository,
    "move",
    lambda r, one: r.move(one.id, ApplicationState.WITHDRAWN, NOW),
    _in_line,
)
scenario(ApplicationRepository, "delete", lambda r, one: r.delete(one, NOW), _in_line)
scenario(ApplicationRepository, "advance", lambda r, _: r.advance("m1", NOW), _a_place_added)


def _approved(have: Have) -> Any:
    one = _with(A_USER, AN_ASSOCIATION, A_MISSION, AN_APPLICATION)(have)
    return have(ApplicationRepository).move(one.id, ApplicationState.APPROVED, NOW)


scenario(ApplicationRepository, "delete", lambda r, one: r.delete(one), _approved)
scenario(
    ContributionRepository,
    "contribute",
    lambda r, _: r.contribute(a_contribution("c1"), "request"),
    _with(A_USER, AN_ASSOCIATION, A_CAMPAIGN),
)
scenario(
    ContributionRepository,
    "move",
    lambda r, one: r.move(one.id, ContributionState.CONFIRMED, NOW),
    _with(A_USER, AN_ASSOCIATION, A_CAMPAIGN, A_GIFT),
)


def _confirmed(have: Have) -> Any:
    one = _with(A_USER, AN_ASSOCIATION, A_CAMPAIGN, A_GIFT)(have)
    return have(ContributionRepository).move(one.id, ContributionState.CONFIRMED, NOW)


scenario(
    ContributionRepository,
    "move",
    lambda r, one: r.move(one.id, ContributionState.REFUNDED, NOW),
    _confirmed,
)
AN_ISSUER = Issuer(
    "a1",
    "Les Semeurs",
    "1 rue Monge",
    "Jardiner",
    "Zoé, présidente",
    rna="W751234567",
    eligibility=Eligibility.GRANTED,
)


def _may_issue(have: Have) -> Any:
    _confirmed(have)
    issuer = have(TaxReceiptRepository).keep_issuer(AN_ISSUER, read=0)
    return have(AssociationRepository).get("a1"), issuer


def _issued(repository: Any, there: Any) -> Any:
    association, issuer = there
    gifts = ContributionRepository(repository.dynamo, Cursors(b"-" * 32))

    def found() -> list[Any]:
        page = gifts.of_user("u1", limit=10)
        stored = gifts.find_many(one.id for one in page.items).values()
        return [one for one in stored if one.receipt is None]

    draft = TaxReceipt("a1", "", 2026, NOW, "Camille", "12 rue des Martyrs", issuer, ())
    repository.issue(draft, association, found)


scenario(
    TaxReceiptRepository,
    "keep_issuer",
    lambda r, _: r.keep_issuer(AN_ISSUER, read=0),
    _with(AN_ASSOCIATION),
)
scenario(TaxReceiptRepository, "issue", _issued, _may_issue)
scenario(
    ContributionRepository,
    "erase",
    lambda r, one: r.erase(one),
    _with(A_USER, AN_ASSOCIATION, A_CAMPAIGN, A_GIFT),
)
scenario(
    AttendanceRepository,
    "attend",
    lambda r, _: r.attend("e1", "u1", NOW),
    _with(A_USER, AN_ASSOCIATION, AN_EVENT),
)


def _coming(have: Have) -> None:
    _with(A_USER, AN_ASSOCIATION, AN_EVENT)(have)
    have(AttendanceRepository).attend("e1", "u1", NOW)


scenario(AttendanceRepository, "leave", lambda r, _: r.leave("e1", "u1"), _coming)


def _family(have: Have) -> Any:
    """A post with what belongs to it, of an association that is followed."""
    _following(have)
    _with(A_POST, A_COMMENT)(have)
    have(ReactionRepository).react("p1", "u1", ReactionKind.LIKE, NOW)
    return SimpleNamespace()


def _anonymised(kind: type[Any], *wanted: tuple[type[Any], Any], name: str = "anonymise") -> None:
    scenario(kind, name, lambda r, one: getattr(r, name)(one), _with(A_USER, *wanted))


A_DRAFT = Draft("d1", "u1", NOW, text="Qui vient ?", files=(A_FILE[1].id,))
A_REMOVAL = Removal("Posts", "p1", LATER)


def _drafted(have: Have) -> Draft:
    _with(A_USER, AN_ASSOCIATION, A_FILE)(have)
    return have(DraftRepository).keep(A_DRAFT)


def _removed(have: Have) -> Any:
    written = _with(AN_ASSOCIATION, A_POST)(have)
    return have(PostRepository).remove(written, NOW, have(RemovalRepository).adding(A_REMOVAL))


def _published(repository: Any, draft: Draft) -> Any:
    ending = DraftRepository(repository.dynamo).becoming(draft)
    return repository.publish(replace(ILLUSTRATED, id=draft.id, demo=False), ending)


scenario(DraftRepository, "keep", lambda r, _: r.keep(A_DRAFT), _with(A_USER, A_FILE))
scenario(
    DraftRepository,
    "hold",
    lambda r, one: r.hold(replace(one, state=DraftState.WRITING, due=None)),
    lambda have: have(DraftRepository).keep(
        replace(_drafted(have), state=DraftState.SCHEDULED, due=LATER)
    ),
)
scenario(DraftRepository, "discard", lambda r, one: r.discard(one), _drafted)
scenario(PostRepository, "publish", _published, _drafted)
scenario(
    PostRepository,
    "remove",
    lambda r, one: r.remove(one, NOW, RemovalRepository(r.dynamo).adding(A_REMOVAL)),
    _with(AN_ASSOCIATION, A_POST),
)
scenario(
    PostRepository,
    "restore",
    lambda r, one: r.restore(one, RemovalRepository(r.dynamo).taking_back("Posts", "p1")),
    _removed,
)
A_DIGEST = Digest("u1", Pace.DAILY, NOW, NOW, "fr", (9, 18), (TopicName.SPORT,))


def _wanted(have: Have) -> Digest:
    _with(A_USER)(have)
    return have(DigestRepository).keep(A_DIGEST)


scenario(DigestRepository, "keep", lambda r, _: r.keep(A_DIGEST), _with(A_USER))
scenario(DigestRepository, "stop", lambda r, one: r.stop(one.user_id), _wanted)
scenario(DigestRepository, "postpone", lambda r, one: r.postpone(one, LATER), _wanted)
scenario(DigestRepository, "told", lambda r, one: r.told(one, LATER), _wanted)
scenario(RemovalRepository, "begin", lambda r, _: r.begin(A_REMOVAL), _removed)
scenario(RemovalRepository, "end", lambda r, _: r.end(A_REMOVAL), _removed)

A_MEMBER = Membership("u1", "a1", Standing.INVITED, NOW, "Camille", "Les Semeurs")
A_REQUEST = Verification("a1", "Les Semeurs", NOW, "u1", "W751234567")
DECIDED = replace(A_REQUEST, status=VerificationStatus.DECLINED, reason="?", decided_at=NOW)


def _invited(have: Have) -> Any:
    association = _with(A_USER, AN_ASSOCIATION)(have)
    have(MembershipRepository).invite(A_MEMBER)
    return association


def _asked(have: Have) -> Any:
    asking = have(VerificationRepository).asking(A_REQUEST)
    return have(AssociationRepository).found(AN_ASSOCIATION[1], asking)


def _joined(repository: Any, old: Any) -> Any:
    team = MembershipRepository(repository.dynamo, Cursors(b"-" * 32))
    joining = [team.write_of(replace(A_MEMBER, standing=Standing.EDITOR))]
    return repository.replace_along(old, replace(old, editors=frozenset({"u1"})), joining)


scenario(MembershipRepository, "invite", lambda r, _: r.invite(A_MEMBER),
         _with(A_USER, AN_ASSOCIATION))  # fmt: skip
scenario(
    MembershipRepository,
    "move",
    lambda r, _: r.move(replace(A_MEMBER, standing=Standing.EDITOR), Standing.INVITED),
    _invited,
)
scenario(MembershipRepository, "end", lambda r, _: r.end("u1", "a1"), _invited)
scenario(VerificationRepository, "decline", lambda r, _: r.decline(DECIDED), _asked)
scenario(
    AssociationRepository,
    "found",
    lambda r, _: r.found(
        AN_ASSOCIATION[1], VerificationRepository(r.dynamo, Cursors(b"-" * 32)).asking(A_REQUEST)
    ),
)
scenario(AssociationRepository, "replace_along", _joined, _invited)

A_RESIDENTS_POST = (
    PostRepository,
    replace(
        A_POST[1], author_kind=AuthorKind.RESIDENT, association_id=None, association_name="",
        user_id="u1", user_name="Camille", media=(A_FILE[1].id,),
    ),
)  # fmt: skip
_anonymised(PostRepository, A_FILE, A_RESIDENTS_POST)
_anonymised(CommentRepository, AN_ASSOCIATION, A_POST, A_COMMENT)
_anonymised(ContributionRepository, AN_ASSOCIATION, A_CAMPAIGN, A_GIFT)
_anonymised(ReportRepository, (ReportRepository, report()))
_anonymised(CaseRepository, (CaseRepository, A_CASE))
_anonymised(AppealRepository, (AppealRepository, AN_APPEAL))
OWNED = (AssociationRepository, replace(AN_ASSOCIATION[1], owner_id="u1"))
_anonymised(AssociationRepository, OWNED, name="disown")


def _everything(have: Have) -> Any:
    """All that one person can leave behind."""
    gift = _with(
        A_USER, OWNED, A_FILE, A_RESIDENTS_POST, A_COMMENT, A_MISSION, AN_EVENT, A_CAMPAIGN,
        AN_APPLICATION, A_GIFT,
    )(have)  # fmt: skip
    have(ContributionRepository).move(gift.id, ContributionState.CONFIRMED, NOW)
    have(ApplicationRepository).move(AN_APPLICATION[1].id, ApplicationState.APPROVED, NOW)
    have(FollowRepository).follow(follow())
    have(ReactionRepository).react("p1", "u1", ReactionKind.LIKE, NOW)
    have(AttendanceRepository).attend("e1", "u1", NOW)
    have(AwardRepository).give(Award("u1", "once:first", 5, NOW, hours=1))
    have(ReportRepository).create(report())
    have(UserRepository).create(user("u2"))
    have(NotificationRepository).tell(notification())
    have(NotificationRepository).tell(notification("n2", user_id="u2", actor_id="u1"))
    return SimpleNamespace()


def _closed(have: Have) -> Any:
    deletion = have(Deletion)
    deletion.dynamo.transact([deletion.closing("u1")])
    return _everything(have)


scenario(Deletion, "delete_person", lambda r, _: r.delete_person("u1"), _everything)
scenario(Deletion, "delete_person", lambda r, _: r.delete_person("u1", words_too=True), _everything)
scenario(Deletion, "finish_closed", lambda r, _: r.finish_closed("u1"), _closed)
scenario(Deletion, "delete", lambda r, _: r.delete("Posts", "p1"), _family)
scenario(Deletion, "delete", lambda r, _: r.delete("Association", "a1"), _family)
