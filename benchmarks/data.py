"""What each access pattern costs at 1,000 and 100,000 posts, beside reading the whole table.

``docs/data.md`` names the patterns; the tests of the data module run the same ones.
Units are counted by ``cityverse.data.meter``. The comparison is the earlier design: every
page of a Scan, filtered and sorted in Python.
"""

from __future__ import annotations

import json
import statistics
import tempfile
from collections.abc import Callable, Iterable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from time import perf_counter
from typing import Any

from cityverse.data import codec, provision
from cityverse.data.applications import ApplicationRepository
from cityverse.data.attendance import AttendanceRepository
from cityverse.data.awards import AwardRepository
from cityverse.data.campaigns import CampaignRepository
from cityverse.data.client import Dynamo, decode, dynamodb_client, put_write
from cityverse.data.comments import CommentRepository
from cityverse.data.contributions import ContributionRepository
from cityverse.data.cursors import Cursors, Direction, Position
from cityverse.data.deletion import OF_PERSON, Rows
from cityverse.data.follows import FollowRepository
from cityverse.data.letters import Letter
from cityverse.data.links import LinkRepository
from cityverse.data.media import MediaRepository
from cityverse.data.messages import MessageRepository
from cityverse.data.meter import Bill, metered
from cityverse.data.missions import MissionRepository
from cityverse.data.notifications import NotificationRepository
from cityverse.data.posts import PostRepository
from cityverse.data.products import ProductRepository
from cityverse.data.reactions import ReactionRepository
from cityverse.data.registry import table as table_of
from cityverse.data.removals import Removal
from cityverse.data.reports import (
    AppealRepository,
    AuditRepository,
    CaseRepository,
    DecisionRepository,
    ReportRepository,
    month_of,
)
from cityverse.data.repository import Window
from cityverse.data.revoked import RevokedTokens
from cityverse.data.rollups import RollupRepository
from cityverse.data.store import Store, over
from cityverse.data.terms import LOOKED_AT_MOST
from cityverse.data.timeline import order_of
from cityverse.data.users import UserRepository
from cityverse.domain.applications import Application, ApplicationState, application_id
from cityverse.domain.attendance import Attendance
from cityverse.domain.comments import Comment
from cityverse.domain.community import Association, Event, Mission, MissionStatus, Post
from cityverse.domain.corrections import Alias, Proposal, ProposalStatus
from cityverse.domain.digests import Digest, Pace
from cityverse.domain.giving import Campaign, Contribution
from cityverse.domain.media import Media, MediaKind, MediaPlace
from cityverse.domain.messages import Message
from cityverse.domain.moderation import (
    Act,
    Appeal,
    AppealStatus,
    Case,
    CaseStatus,
    Decision,
    Ground,
    Measure,
    Reason,
    Report,
    ReportStatus,
)
from cityverse.domain.news import Article, Source, SourceStatus
from cityverse.domain.notifications import Notification, Topic
from cityverse.domain.people import Follow, Link, Purpose, User
from cityverse.domain.places import Evidence, Location, Precision
from cityverse.domain.points import HOUR, Award
from cityverse.domain.posting import Draft, DraftState
from cityverse.domain.products import Product
from cityverse.domain.reactions import ReactionKind
from cityverse.domain.tax_receipts import Gift, Issuer, TaxReceipt, number_of
from cityverse.domain.teams import Membership, Standing, Verification
from cityverse.engine.launch import start
from cityverse.engine.store import Changes
from cityverse.engine.store import Store as EngineFile
from cityverse.settings import read

SMALL, LARGE = 1_000, 100_000
OTHERS_LARGE = 1_000  # other kinds at 100,000 posts: theirs are the same lists
RATIO_BUDGET = 1.05
ROUNDS = 2
PAGE = 20
_DAY = timedelta(days=1)
# The end of the day, which is not always the same: the engine drops what has expired.
NOW = datetime.now(UTC).replace(hour=23, minute=59, second=59, microsecond=0)
A_DAY = 150
# One item of so many lies in the neighbourhood and is of the association and has the word
# that are read, so that their lists grow with the store.
HOT = 16
# Of a whole table so many items are scanned, and the rest is reckoned from these.
_SCANNED_MOST = 5_000
SECRET = Cursors(b"a secret of benchmarks, 32 bytes")
CENTRE = (48.8779, 2.3403)  # the middle of a cell
ASSOCIATIONS, SOURCES = 120, 50
FOLLOWED = tuple(f"association-{n:03}" for n in range(100))

Row = dict[str, Any]


@dataclass(frozen=True)
class Pattern:
    """One way in which pages read: ``read`` answers with how many items it gave.

    ``table`` is the one that the earlier design read whole for it.
    """

    name: str
    read: Callable[[Store], int]
    least: int = 1
    table: str | None = None


def patterns() -> list[Pattern]:
    """Every access pattern, in the order of the documentation."""
    return [*_lists(), *_searches(), *_single(), *_of_people(), *_of_deeds(), *_of_the_leaving()]


def _lists() -> Iterator[Pattern]:
    kinds: dict[str, tuple[str, Callable[[Store], Any]]] = {
        "posts": ("Posts", lambda store: store.posts),
        "articles": ("News", lambda store: store.news),
        "missions": ("Mission", lambda store: store.missions),
        "events": ("Event", lambda store: store.events),
    }

    def page(of: Callable[[Store], Any], **wanted: Any) -> Callable[[Store], int]:
        return lambda store: len(of(store).page(limit=PAGE, **wanted).items)

    for kind, (table, of) in kinds.items():
        yield Pattern(f"{kind} of the city", page(of), PAGE, table)
        yield Pattern(f"{kind} of an arrondissement", page(of, arrondissement=9), PAGE, table)
        yield Pattern(f"{kind} near a place", _near(of), PAGE, table)
        if kind != "articles":
            of_one = page(of, association_id=FOLLOWED[0])
            yield Pattern(f"{kind} of an association", of_one, PAGE, table)
    for kind in ("missions", "events"):
        table, of = kinds[kind]
        yield Pattern(f"{kind} under way", _under_way(of), PAGE, table)
    yield Pattern(
        "articles of a source",
        lambda s: len(s.news.from_source("source-001", limit=5, where=bool).items),
        5,
        "News",
    )
    near = _near(lambda store: store.campaigns)
    yield Pattern("campaigns near a place", near, 1, "Donation")
    yield Pattern("associations", page(lambda s: s.associations), PAGE, "Association")

    def of_posts(name: str, read: Callable[[Store], int], least: int = PAGE) -> Pattern:
        return Pattern(name, read, least, "Posts")

    posts = kinds["posts"][1]
    yield of_posts("posts of a day", page(posts, window=Window(NOW - _DAY, NOW)))
    yield of_posts("next page", _turned("next"))
    yield of_posts("previous page", _turned("previous"))
    yield of_posts("posts of followed associations", _home)
    yield of_posts("combined filter", page(posts, where=lambda post: post.id.endswith("7")))
    nothing = page(posts, where=lambda _: False)
    yield of_posts("combined filter that nothing passes", nothing, 0)


def _searches() -> Iterator[Pattern]:
    def search(text: str) -> Callable[[Store], int]:
        def found(store: Store) -> int:
            ids = store.search("post", text) or []
            return len(store.posts.find_many(one.item_id for one in ids[:PAGE]))

        return found

    yield Pattern("search for a frequent word", search("jardin"), PAGE, "Posts")
    yield Pattern("search for words few items have", search("jardin jardinage"), 0, "Posts")


def _single() -> Iterator[Pattern]:
    known = [f"article-{n:06}" for n in range(500)]
    active = SourceStatus.ACTIVE

    def count(read: Callable[[Store], Any]) -> Callable[[Store], int]:
        return lambda store: len(read(store))

    yield Pattern("one item", lambda store: int(store.posts.find("post-000001") is not None))
    yield Pattern("which articles are known", count(lambda s: s.news.known(known)), 200)
    newest = count(lambda s: s.news.of_source("source-001", most=5))
    yield Pattern("newest articles of a source", newest, 5)
    yield Pattern("sources that are due", count(lambda s: s.sources.due(NOW)), SOURCES)
    yield Pattern("sources of a status", count(lambda s: s.sources.listed(active)), SOURCES)
    yield Pattern("demo items", count(lambda s: s.demo_ids("Association", most=500)), ASSOCIATIONS)
    yield Pattern("a fact about the store", lambda store: int(store.meta("demo") is None))
    yield Pattern("deletions that were cut off", lambda s: len(s.deletion.unfinished()), 0)


def _of_people() -> Iterator[Pattern]:
    """Lists of what ties people to the city; the hottest partition of each grows with it."""

    def follows(store: Store) -> FollowRepository:
        return FollowRepository(store.dynamo, SECRET)

    def reports(store: Store) -> ReportRepository:
        return ReportRepository(store.dynamo, SECRET)

    def over_page(make: Callable[[Store], Any], name: str, value: object) -> Callable[[Store], int]:
        return lambda store: len(getattr(make(store), name)(value, limit=PAGE).items)

    def made(kind: Callable[..., Any]) -> Callable[[Store], Any]:
        return lambda store: kind(store.dynamo, SECRET)

    def users(store: Store) -> UserRepository:
        return UserRepository(store.dynamo)

    found = "person-0@example.org"
    yield Pattern("a person by e-mail", lambda s: int(users(s).find_by_email(found) is not None))
    yield Pattern(
        "who is signed in",
        lambda s: int(users(s).find_unless_revoked("person-0", "token-9") is not None),
    )
    yield Pattern("a link for one use", lambda s: int(s.links.find("link-0") is not None))
    yield Pattern("what a person follows", over_page(follows, "of_user", "person-0"), PAGE)
    yield Pattern(
        "followers of an association", over_page(follows, "of_association", "body-0"), PAGE
    )
    asked = [f"body-{n}" for n in range(PAGE)]
    yield Pattern("whether a person follows", lambda s: len(follows(s).followed("person-0", asked)))
    yield Pattern("awards of a person", over_page(made(AwardRepository), "hours", "person-0"), PAGE)
    told = made(NotificationRepository)
    yield Pattern("notifications", over_page(told, "page", "person-0"), PAGE)
    reader = _user(0)
    yield Pattern("unread notifications", lambda s: told(s).unread(reader), 100)
    yield Pattern("reports of a status", over_page(reports, "queue", ReportStatus.OPEN), PAGE)
    yield Pattern("reports of an item", over_page(reports, "of_target", "post:item-0"), PAGE)
    decided = over_page(made(DecisionRepository), "of_target", "post:item-0")
    yield Pattern("decisions on an item", decided, PAGE)
    of_person = over_page(made(DecisionRepository), "of_subject", "person-0")
    yield Pattern("decisions on a person", of_person, PAGE)
    of_month = over_page(made(DecisionRepository), "of_month", month_of(NOW))
    yield Pattern("decisions of a month", of_month, PAGE)
    cases = made(CaseRepository)
    yield Pattern("cases of a status", over_page(cases, "queue", CaseStatus.OPEN), PAGE)
    one_case = "post:reported-0"
    yield Pattern("the open case of an item", lambda s: cases(s).open_of(one_case) is not None, 1)
    judged = over_page(made(AppealRepository), "queue", AppealStatus.OPEN)
    yield Pattern("appeals of a status", judged, PAGE)
    acts = over_page(made(AuditRepository), "of_month", month_of(NOW))
    yield Pattern("audit trail of a month", acts, PAGE)
    yield Pattern("letters that are due", lambda s: len(s.letters.due(NOW)), PAGE)
    first, last = (NOW - timedelta(days=29)).date(), NOW.date()
    yield Pattern(
        "figures of a month",
        lambda s: len(RollupRepository(s.dynamo).between("posts#city", first, last)),
        30,
    )
    yield Pattern(
        "whether a token is revoked",
        lambda s: int(RevokedTokens(s.dynamo).is_revoked("token-0")),
    )


def _of_deeds() -> Iterator[Pattern]:
    """Lists of what people do; the hottest partition of each grows with the store."""

    def page(kind: Callable[..., Any], name: str, value: str) -> Callable[[Store], int]:
        return lambda s: len(getattr(kind(s.dynamo, SECRET), name)(value, limit=PAGE).items)

    def listed(kind: Callable[..., Any]) -> Callable[[Store], int]:
        return lambda s: len(kind(s.dynamo, SECRET).page(limit=PAGE).items)

    yield Pattern("campaigns of the city", listed(CampaignRepository), PAGE, "Donation")
    yield Pattern("products of the city", listed(ProductRepository), PAGE, "Product")
    posts, comments, reactions = PostRepository, CommentRepository, ReactionRepository
    yield Pattern("posts of a product", page(posts, "of_product", "product-0"), PAGE)
    yield Pattern("posts of a person", page(posts, "of_user", "person-0"), PAGE)
    yield Pattern("comments of a person", page(comments, "of_user", "person-0"), PAGE)
    yield Pattern("reactions of a person", page(reactions, "given", "person-0"), PAGE)
    yield Pattern("comments of a post", page(CommentRepository, "of_post", "item-0"), PAGE)
    yield Pattern("reactions to a post", page(ReactionRepository, "of_post", "item-0"), PAGE)
    asked = [f"item-{n}" for n in range(PAGE)]
    yield Pattern(
        "how a person reacted",
        lambda s: len(ReactionRepository(s.dynamo, SECRET).of_user("person-0", asked)),
    )
    yield Pattern("drafts of a person", lambda s: len(s.drafts.of_user("person-0")), PAGE)
    yield Pattern("drafts that are due", lambda s: len(s.drafts.due(NOW)), 50)
    yield Pattern("digests that are due", lambda s: len(s.digests.due(NOW)), 50)
    yield Pattern("a digest of a person", lambda s: int(s.digests.find("person-0") is not None))
    yield Pattern("items to be deleted by now", lambda s: len(s.removals.due(NOW)), 50)
    yield Pattern(
        "teams of a person", lambda s: len(s.memberships.of_user("person-0", limit=PAGE).items), 1
    )
    yield Pattern(
        "team of an association",
        lambda s: len(s.memberships.of_association("body-0", limit=PAGE).items),
        PAGE,
    )
    yield Pattern(
        "associations a person owns",
        lambda s: len(s.associations.of_owner("person-0", limit=PAGE).items),
        PAGE,
    )
    yield Pattern(
        "associations to verify", lambda s: len(s.verifications.queue(limit=PAGE).items), PAGE
    )
    yield Pattern(
        "places to check",
        lambda s: len(s.proposals.queue(ProposalStatus.OPEN, limit=PAGE).items),
        PAGE,
    )
    yield Pattern("names learned", lambda s: len(s.aliases.all()), PAGE)
    applications, gifts = ApplicationRepository, ContributionRepository
    yield Pattern("applications to a mission", page(applications, "of_mission", "item-0"), PAGE)
    yield Pattern("applications of a person", page(applications, "of_user", "person-0"), PAGE)
    last_in_line = Application(application_id("item-0", "person-0"), "item-0", "person-0", NOW)
    yield Pattern(
        "place in the waiting list",
        lambda s: s.applications.place_in_line(last_in_line) or PAGE,
    )
    yield Pattern("thread of an application", page(MessageRepository, "page", "thread-0"), PAGE)
    yield Pattern("drafts of an association", page(MissionRepository, "drafts", "body-0"), PAGE)
    yield Pattern(
        "what is to be erased", lambda s: len(s.applications.to_erase(NOW, limit=PAGE)), PAGE
    )
    yield Pattern("contributions to a campaign", page(gifts, "of_campaign", "item-0"), PAGE)
    yield Pattern("contributions of a person", page(gifts, "of_user", "person-0"), PAGE)
    yield Pattern(
        "receipts of a year",
        lambda s: len(s.tax_receipts.of_year("body-0", NOW.year, limit=PAGE).items),
        PAGE,
    )
    yield Pattern(
        "who asks to issue receipts", lambda s: len(s.tax_receipts.asked(limit=PAGE)), PAGE
    )
    yield Pattern("who comes to an event", page(AttendanceRepository, "of_event", "item-0"), PAGE)
    yield Pattern("what a person comes to", page(AttendanceRepository, "of_user", "person-0"), PAGE)


def _of_the_leaving() -> Iterator[Pattern]:
    """What a deletion finds of a person, some at a time."""

    def found(rows: Rows) -> Callable[[Store], int]:
        return lambda s: len(s.deletion.rows(rows, "person-0"))

    for rows in OF_PERSON:
        least = 1 if rows.table == "Digest" else 2 * PAGE  # a person has but one
        yield Pattern(f"to be deleted: {rows.table} by {rows.field}", found(rows), least)


def _near(of: Callable[[Store], Any]) -> Callable[[Store], int]:
    return lambda store: len(of(store).near(*CENTRE, metres=500, limit=PAGE).items)


def _under_way(of: Callable[[Store], Any]) -> Callable[[Store], int]:
    """The days ahead are as crowded as those in which they look back."""
    days = Window(NOW, NOW + 2 * _DAY)

    def read(store: Store) -> int:
        return len(of(store).latest(days, limit=PAGE, where=lambda one: one.id.endswith("7")))

    return read


def _home(store: Store) -> int:
    return len(store.posts.home(FOLLOWED, limit=PAGE).items)


def _turned(way: Direction) -> Callable[[Store], int]:
    """A page from the middle of the newest day on."""
    midday = Position(order_of(NOW - _DAY / 2, "post"), way)
    cursor = SECRET.write("Posts//", midday)
    return lambda store: len(store.posts.page(limit=PAGE, cursor=cursor).items)


# The stock: items whose days are as crowded at any size.


def fill(store: Store, posts: int, others: int) -> None:
    """Write ``posts`` posts and ``others`` of each other kind through the repositories."""
    for n in range(ASSOCIATIONS):
        store.associations.create(_association(n))
    for n in range(SOURCES):
        store.sources.create(
            Source(id=f"source-{n:03}", name=f"Le Journal {n}", url="https://example.org/feed")
        )
    for n in range(posts):
        store.posts.create(_post(n))
    for n in range(others):
        store.news.create(_article(n))
        store.missions.create(_mission(n))
        store.events.create(_event(n))
    for n in range(PAGE):
        words, place = f"chez nous {n}", "Rue des Martyrs"
        learned = Alias(words, words, place, "street", *CENTRE, (9,), 950, NOW)
        item = codec.to_item(learned) | {"gazetteer": "paris"}
        store.dynamo.transact([put_write("Alias", item)])
    _fill_ties(store, others)
    for n in range(others):
        due = NOW - _offset(n)
        store.digests.keep(Digest(f"person-{n}", Pace.DAILY, due, due, "fr"))
    _fill_receipts(store, others)


def _association(n: int) -> Association:
    return Association(
        id=f"association-{n:03}",
        name=f"Les Semeurs {n}",
        created=NOW - timedelta(hours=n),
        description="Un jardin partagé. " * 10,
        owner_id=f"person-{n % 2}",
        demo=True,
    )


def _post(n: int) -> Post:
    return Post(
        id=f"post-{n:06}",
        **_author(n),
        title=_words(n),
        text="Ce. " * 75,  # words too short to be searched for
        created=NOW - _offset(n),
        location=_location(n),
        user_id=f"person-{n % 4}",
        product_id=f"product-{n % 8}",
    )


def _article(n: int) -> Article:
    return Article(
        id=f"article-{n:06}",
        source_id=f"source-{n % SOURCES:03}",
        source_name="Le Journal",
        title=_words(n),
        summary="Ce. " * 75,
        link=f"https://example.org/{n}",
        published=NOW - _offset(n),
        location=_location(n),
    )


def _mission(n: int) -> Mission:
    return Mission(
        id=f"mission-{n:06}",
        **_author(n),
        title=_words(n),
        description="Ce. " * 75,
        created=NOW,
        starts=NOW + _offset(n),
        places=10,
        location=_location(n),
    )


def _event(n: int) -> Event:
    return Event(
        id=f"event-{n:06}",
        **_author(n),
        title=_words(n),
        description="Ce. " * 75,
        created=NOW,
        starts=NOW + _offset(n),
        ends=NOW + _offset(n) + timedelta(hours=2),
        location=_location(n),
    )


def _author(n: int) -> dict[str, str]:
    number = 1 + n % (ASSOCIATIONS - 1) if n % HOT else 0
    return {"association_id": f"association-{number:03}", "association_name": "Les Semeurs"}


def _words(n: int) -> str:
    """The word that is searched for stands in more of the newest than a search looks at."""
    return "Un chantier" if n % HOT and n >= LOOKED_AT_MOST else "Un jardin"


def _offset(n: int) -> timedelta:
    """From now on, as many a day whatever their number."""
    return _DAY * (n + 0.5) / A_DAY


def _location(n: int) -> Location:
    lat, lon = CENTRE
    away = 0.02 + n % HOT * 0.002 if n % HOT else 0.0
    return Location(
        place="Rue des Martyrs",
        lat=round(lat - away + n % 7 * 0.0001, 4),
        lon=round(lon + n % 11 * 0.0001, 4),
        precision=Precision.STREET,
        arrondissement=20 if n % HOT else 9,
        evidence=(Evidence("title", 0, 3, "mot"),),
    )


def _proposal(n: int, who: str) -> Proposal:
    lasts = NOW + timedelta(days=3650)
    then, where = NOW - _offset(n), _location(n)
    return Proposal(f"place-{n}", f"article-{n}", then, "r", who, where, expires_at=lasts)


def _fill_queues(store: Store, n: int, who: str) -> None:
    """What waits for the worker or a manager."""
    then = NOW - _offset(n)
    going = store.removals.adding(Removal("Posts", f"gone-{n}", then))
    asked = Verification(f"body-{n}", "Les Semeurs", then, who)
    store.dynamo.transact([going, store.verifications.asking(asked)])
    store.proposals.create(_proposal(n, who))


def _fill_ties(store: Store, count: int) -> None:
    """``count`` of everything that ties a person to an item."""
    dynamo = store.dynamo
    follows, awards = FollowRepository(dynamo, SECRET), AwardRepository(dynamo, SECRET)
    reports = ReportRepository(dynamo, SECRET)
    notifications, users = NotificationRepository(dynamo, SECRET), UserRepository(dynamo)
    comments, reactions = CommentRepository(dynamo, SECRET), ReactionRepository(dynamo, SECRET)
    campaigns, products = CampaignRepository(dynamo, SECRET), ProductRepository(dynamo, SECRET)
    applications = ApplicationRepository(dynamo, SECRET)
    messages, missions = MessageRepository(dynamo, SECRET), MissionRepository(dynamo, SECRET)
    lasts = NOW + timedelta(days=3650)
    contributions, files = ContributionRepository(dynamo, SECRET), MediaRepository(dynamo)
    name, words = "Les Semeurs", "Ce. " * 75
    for n in range(count):
        # The first item has many people, the first person many items.
        item, person = 0 if n % 4 == 0 else n, 0 if n % 4 == 1 else n
        post, who, then = f"item-{item}", f"person-{person}", NOW - _offset(n)
        target = f"post:{post}"
        users.create(_user(n))
        follows.follow(Follow(who, f"body-{item}", then))
        awards.give(Award(who, f"{HOUR}{n:06}", 1, then, hours=1))
        told = Notification(f"told-{n}", who, Topic.COMMENT, then, target, who, text=words)
        notifications.tell(told)
        # Of a size that no number of digits brings over a boundary of 4 kB a page.
        report = Report(f"report-{n}", target, Reason.SPAM, then, reporter_id=who)
        reports.create(replace(report, text=words[:60]))
        _moderated(store, n, target, who)
        comments.create(Comment(f"comment-{n}", post, who, "Camille", words, then))
        reactions.react(post, who, ReactionKind.LIKE, then)
        files.create(_file(n, who))
        due = then if n % 2 else None
        state = DraftState.SCHEDULED if n % 2 else DraftState.WRITING
        store.drafts.keep(Draft(f"draft-{n:06}", who, then, text=words, state=state, due=due))
        store.memberships.invite(Membership(who, f"body-{item}", Standing.EDITOR, then))
        _fill_queues(store, n, who)
        campaigns.create(
            Campaign(
                f"campaign-{n}",
                f"body-{n}",
                name,
                "Une serre",
                words,
                then,
                goal=250_000,
                location=_location(n),
            )
        )
        place = (_location(n),)
        products.create(
            Product(f"product-{n}", f"body-{n}", name, f"Panier {n}", then, place, words)
        )
        # Their own ways to create look at the mission and the campaign first.
        applications.adopt(
            Application(
                application_id(post, who),
                post,
                who,
                then,
                state=ApplicationState.WAITING,
                interests="Le jardinage",
                erase_at=NOW - _DAY,
            )
        )
        thread = f"thread-{item}"
        messages.say(Message(f"said-{n:06}", thread, who, "Camille", words, then, lasts))
        draft = {"id": f"draft-{n}", "association_id": f"body-{item}", "created": then}
        missions.create(replace(_mission(n), status=MissionStatus.DRAFT, **draft))
        contributions.adopt(Contribution(f"gift-{n}", post, who, 2_000, then))
        attendance = {"event_id": post, "user_id": who, "order": order_of(then, post)}
        fields = codec.to_item(Attendance(post, who, then))
        dynamo.transact([put_write("Attendance", fields | attendance)])
    for n in range(30):
        day = (NOW - timedelta(days=n)).date().isoformat()
        dynamo.transact([put_write("Rollup", {"series": "posts#city", "day": day, "amount": n})])
    RevokedTokens(dynamo).revoke("token-0", NOW + _DAY)
    LinkRepository(dynamo).issue(Link("link-0", Purpose.RESET, NOW, lasts, user_id="person-0"))


def _fill_receipts(store: Store, count: int) -> None:
    """As many receipts, a quarter of them of one association, and as many that ask."""
    for n in range(count):
        issuer = Issuer(
            f"body-{n}", "Les Semeurs", "1 rue Monge", "Jardiner. " * 30, "Zoé", rna="W751234567"
        )
        store.tax_receipts.keep_issuer(issuer, read=0)
        receipt = codec.to_item(_receipt(n, 0 if n % 4 == 0 else n))
        store.dynamo.transact([put_write("TaxReceipt", receipt)])


def _receipt(n: int, item: int) -> TaxReceipt:
    body, gift = f"body-{item}", Gift(f"gift-{n}", 2_000, NOW)
    issuer = Issuer(body, "Les Semeurs", "1 rue Monge", "Jardiner", "Zoé", rna="W751234567")
    number = number_of(NOW.year, n)
    return TaxReceipt(body, number, NOW.year, NOW, "Camille", "2 rue Monge", issuer, (gift,))


def _file(n: int, owner: str) -> Media:
    return Media(
        f"m{n:032x}", owner, MediaKind.IMAGE, MediaPlace.POST, "image/webp", 9, NOW - _offset(n)
    )


def _user(n: int) -> User:
    return User(
        id=f"person-{n}",
        created=NOW,
        email=f"person-{n}@example.org",
        first_name="Camille",
        last_name="Roche",
    )


def _moderated(store: Store, n: int, target: str, who: str) -> None:
    then = NOW - _offset(n)
    store.decisions.decide(_decision(n, target, who))
    reported = f"post:reported-{n}"
    case = Case(f"case-{n}", reported, Reason.SPAM, then, then, "Montres", who)
    store.cases.create(case)
    appeal = Appeal(f"appeal-{n}", f"decision-{n}", reported, "manager", then, "Non", who, who)
    store.appeals.create(appeal)
    act = Act(f"act-{n}", then, "manager", "decide", reported)
    letter = Letter(f"letter-{n}", "decision", then, user_id=who)
    store.dynamo.transact([store.audit.write_of(act), store.letters.write_of(letter)])


def _decision(n: int, target: str, who: str) -> Decision:
    return Decision(
        id=f"decision-{n}",
        target=target,
        moderator_id="manager",
        measure=Measure.REMOVAL,
        created=NOW - _offset(n),
        facts="The post sells watches.",
        ground=Ground.TERMS,
        rule="No advertising",
        explanation="It advertises goods of its author.",
        redress="Answer within six months.",
        subject_id=who,
    )


class _Kept(Dynamo):
    """Takes the writes of repositories and keeps the items instead of sending them."""

    def __init__(self) -> None:
        self.items: dict[str, list[dict[str, Any]]] = {}

    def transact(self, writes: Any, *, token: str | None = None) -> None:
        for write in writes:
            if "Put" in write:
                put = write["Put"]
                self.items.setdefault(put["TableName"], []).append(put["Item"])

    def get(self, table: str, key: dict[str, Any], *, consistent: bool = True) -> None:
        """Nothing is there before."""

    def update(self, table: str, key: dict[str, Any], **request: Any) -> dict[str, Any]:
        """Only buckets are entered outside a transaction while items are created."""
        values = request["ExpressionAttributeValues"]
        item = {name: {"S": text} for name, text in key.items()}
        item["expires"] = {"N": str(values[":expires"])}
        self.items.setdefault(table, []).append(item)
        return key


@contextmanager
def stocked(
    folder: Path, filling: Callable[[Store], None] | None = None, *, posts: int, others: int
) -> Iterator[Store]:
    """A store in ``folder`` with so many items, written into the engine's file at once.

    ``filling`` may write further items through the repositories of the store it is given.
    """
    settings = read({"CITYVERSE_DATA_DIR": str(folder)})
    engine = start(folder)
    try:
        provision.apply(settings)
    finally:
        engine.stop()
    kept = _Kept()
    imagined = over(kept, SECRET)
    fill(imagined, posts, others)
    if filling is not None:
        filling(imagined)
    _write(folder / "engine" / "store.sqlite3", kept.items)
    kept.items.clear()
    engine = start(folder, timeout=120)
    try:
        with closing(dynamodb_client(settings)) as client:
            yield over(Dynamo(client), SECRET)
    finally:
        engine.stop()


def _write(path: Path, items: dict[str, list[dict[str, Any]]]) -> None:
    with closing(EngineFile(path)) as file:
        refs = {key[2]: ref for ref, key, _ in file.tables()}
        for name, rows in items.items():
            table = table_of(name)
            put = [
                (
                    refs[name],
                    json.dumps(row[table.partition]["S"]),
                    json.dumps(row[table.sort]["S"] if table.sort else "__no_sort__"),
                    json.dumps(row),
                )
                for row in rows
            ]
            file.write(Changes(put=put))


# The measurement.


@dataclass(frozen=True)
class _Cost:
    units: float
    milliseconds: float


def run() -> list[Row]:
    """Measure in temporary folders; rows as `bench --json` prints them."""
    small, _ = _at(SMALL, SMALL)
    large, whole = _at(LARGE, OTHERS_LARGE)
    rows: list[Row] = []
    for pattern in patterns():
        before, now = small[pattern.name], large[pattern.name]
        rows += [
            _row(pattern.name, SMALL, "read_units", before.units),
            _row(pattern.name, SMALL, "ms", before.milliseconds),
            _against(pattern.name, "read_units", now.units, before.units, budget=RATIO_BUDGET),
            _against(pattern.name, "ms", now.milliseconds, before.milliseconds),
        ]
        if pattern.table is not None:
            earlier = whole[pattern.table]
            rows += [
                _row(pattern.name, LARGE, "read_units", now.units, "whole table", earlier.units),
                _row(
                    pattern.name, LARGE, "ms", now.milliseconds, "whole table", earlier.milliseconds
                ),
            ]
    return rows


def _at(posts: int, others: int) -> tuple[dict[str, _Cost], dict[str, _Cost]]:
    """The cost of each pattern by its name, and of reading whole tables by theirs."""
    with (
        tempfile.TemporaryDirectory(prefix="cityverse-bench-") as folder,
        stocked(Path(folder), posts=posts, others=others) as store,
    ):
        for pattern in patterns():  # the first query after a start builds the engine's indexes
            pattern.read(store)
        tables = {pattern.table for pattern in patterns() if pattern.table is not None}
        return (
            {pattern.name: _measure(store, pattern) for pattern in patterns()},
            {table: _measure_whole(store, table) for table in sorted(tables)},
        )


def _measure(store: Store, pattern: Pattern) -> _Cost:
    units = cost(store, pattern).reads
    times = [_seconds(lambda: pattern.read(store)) for _ in range(ROUNDS)]
    return _Cost(units, 1000 * statistics.median(times))


def _measure_whole(store: Store, table: str) -> _Cost:
    """Reading a whole table; from its first pages, since each costs the same."""
    client = store.dynamo.client
    pages = client.get_paginator("scan").paginate(
        TableName=table, PaginationConfig={"MaxItems": _SCANNED_MOST}
    )
    with metered(store.dynamo) as bill:
        seconds = _seconds(lambda: _newest(pages))
    share = store.dynamo.count(table) / max(1, sum(line.items for line in bill.lines()))
    return _Cost(bill.reads * share, 1000 * seconds * share)


def _newest(pages: Iterable[Any]) -> list[dict[str, Any]]:
    """A page of the arrondissement as the earlier design made it: all items, then Python."""
    items = [decode(item) for page in pages for item in page["Items"]]
    wanted = [item for item in items if item.get("arrondissement") == "09"]
    return sorted(wanted, key=lambda item: str(item["order"]), reverse=True)[:PAGE]


def _seconds(work: Callable[[], object]) -> float:
    began = perf_counter()
    work()
    return perf_counter() - began


def cost(store: Store, pattern: Pattern) -> Bill:
    """What one reading of a pattern costs; RuntimeError when it gives too few items."""
    with metered(store.dynamo) as bill:
        given = pattern.read(store)
    if given < pattern.least:
        raise RuntimeError(f"{pattern.name}: {given} items instead of {pattern.least}")
    return bill


def _against(name: str, metric: str, value: float, base: float, budget: float | None = None) -> Row:
    return _row(name, LARGE, metric, value, f"{SMALL} posts", base, budget)


def _row(
    case: str,
    size: int,
    metric: str,
    value: float,
    compared_with: str | None = None,
    base: float = 0.0,
    budget: float | None = None,
) -> Row:
    ratio = value / base if base else None
    return {
        "bench": "data",
        "case": case,
        "size": size,
        "metric": metric,
        "value": round(value, 3),
        "compared_with": compared_with,
        "ratio": None if ratio is None else round(ratio, 6),
        "budget": budget,
        "held": None if budget is None or ratio is None else ratio <= budget,
    }
