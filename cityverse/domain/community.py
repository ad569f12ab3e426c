"""Associations and what they publish: posts, volunteering missions, events."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Protocol

from cityverse.domain.associations import Activity, check_activities, check_editors, check_rna
from cityverse.domain.media import MediaKind
from cityverse.domain.moderation import Moderated
from cityverse.domain.people import (
    ANONYMOUS,
    NO_LINKS,
    SocialLinks,
    check_goals,
    check_optional_id,
    check_whole,
)
from cityverse.domain.places import Location
from cityverse.domain.reactions import ReactionKind, counter_of
from cityverse.domain.rules import (
    check_between,
    check_id,
    check_link,
    check_text,
    check_time,
)
from cityverse.errors import InvalidField

NAME_LONGEST = 120
TEXT_LONGEST = 5000
LINKS_MOST = 10
MEDIA_MOST = 10
PLACES_MOST = 10_000
ATTENDING_MOST = 10_000_000


@dataclass(frozen=True, slots=True)
class Association:
    """A body that publishes, in the name of its owner and editors (ids of people).

    ``rna`` is its number in the national register, which no other association here has;
    ``goals`` are numbers of Sustainable Development Goals, 1 to 17; ``followers`` is
    counted by the follows themselves. ``closing`` is when it goes with all it published.
    """

    id: str
    name: str
    created: datetime
    description: str = ""
    website: str | None = None
    goals: frozenset[int] = frozenset()
    location: Location | None = None
    verified: bool = False
    rna: str | None = None
    owner_id: str | None = None
    editors: frozenset[str] = frozenset()
    activities: frozenset[Activity] = frozenset()
    links: SocialLinks = NO_LINKS
    profile_media_id: str | None = None
    banner_media_id: str | None = None
    followers: int = field(default=0, metadata={"counter": True})
    closing: datetime | None = None
    moderation: Moderated | None = None
    demo: bool = False
    version: int = 0

    def check(self) -> None:
        """Raise InvalidField when a field breaks its rule."""
        check_id("id", self.id)
        check_text("name", self.name, longest=NAME_LONGEST)
        check_text("description", self.description, longest=TEXT_LONGEST, required=False)
        check_link("website", self.website)
        check_time("created", self.created)
        check_time("closing", self.closing)
        check_goals(self.goals)
        check_rna(self.rna)
        check_editors(self.editors)
        check_activities(self.activities)
        for name in ("owner_id", "profile_media_id", "banner_media_id"):
            check_optional_id(name, getattr(self, name))
        self.links.check()
        check_whole("followers", self.followers)
        if self.location is not None:
            self.location.check()


@dataclass(frozen=True, slots=True)
class LinkPreview:
    """What a page elsewhere says of itself, shown below a post that links to it."""

    url: str
    title: str
    text: str = ""
    site: str = ""

    def check(self) -> None:
        """Raise InvalidField when a field breaks its rule."""
        check_link("previews.url", self.url)
        check_text("previews.title", self.title, longest=200)
        check_text("previews.text", self.text, longest=400, required=False)
        check_text("previews.site", self.site, longest=100, required=False)


class AuthorKind(StrEnum):
    """As whom a post was published."""

    ASSOCIATION = "association"
    RESIDENT = "resident"


@dataclass(frozen=True, slots=True)
class Post:
    """What an association publishes as itself, or a resident.

    ``user_id`` is the person who wrote it: always known of a resident, whose post has no
    association; ``ANONYMOUS``, without a name, when that account was deleted. The
    ``reactions_…`` and ``comments`` count rows of Reaction and Comment. ``media_kinds``
    says of each file what it is. A post that was ``removed`` stands in no list and can be
    restored until it goes.
    """

    id: str
    text: str
    created: datetime
    association_id: str | None = None
    association_name: str = ""
    title: str = ""
    location: Location | None = None
    author_kind: AuthorKind = AuthorKind.ASSOCIATION
    user_id: str | None = None
    user_name: str = ""
    links: tuple[str, ...] = ()
    media: tuple[str, ...] = ()
    media_kinds: tuple[MediaKind, ...] = ()
    previews: tuple[LinkPreview, ...] = ()
    product_id: str | None = None
    edited: datetime | None = None
    removed: datetime | None = None
    moderation: Moderated | None = None
    reactions_like: int = field(default=0, metadata={"counter": True})
    reactions_love: int = field(default=0, metadata={"counter": True})
    reactions_haha: int = field(default=0, metadata={"counter": True})
    reactions_wow: int = field(default=0, metadata={"counter": True})
    reactions_sad: int = field(default=0, metadata={"counter": True})
    reactions_angry: int = field(default=0, metadata={"counter": True})
    comments: int = field(default=0, metadata={"counter": True})
    demo: bool = False
    version: int = 0
    kind: str = field(default="post", init=False)

    @property
    def author_id(self) -> str:
        """The id of the association, or of the resident."""
        return self.association_id or self.user_id or ""

    @property
    def author_name(self) -> str:
        """The name under which it was published."""
        return self.association_name or self.user_name

    @property
    def reactions(self) -> dict[ReactionKind, int]:
        """How many people reacted in which way, in the order of the menu."""
        return {kind: getattr(self, counter_of(kind)) for kind in ReactionKind}

    def check(self) -> None:
        """Raise InvalidField when a field breaks its rule."""
        check_id("id", self.id)
        self._check_author()
        check_text("title", self.title, longest=200, required=False)
        check_text("text", self.text, longest=TEXT_LONGEST)
        check_time("created", self.created)
        check_time("edited", self.edited)
        check_links("links", self.links)
        check_ids("media", self.media, most=MEDIA_MOST)
        check_attachments(self.media, self.media_kinds, self.previews)
        check_time("removed", self.removed)
        if self.product_id is not None:
            check_id("product_id", self.product_id)
        if self.location is not None:
            self.location.check()

    def _check_author(self) -> None:
        if self.author_kind is AuthorKind.ASSOCIATION:
            check_id("association_id", self.association_id or "")
            check_text("association_name", self.association_name, longest=NAME_LONGEST)
        elif self.association_id is not None or self.association_name:
            raise InvalidField("association_id", "a resident's post has no association")
        else:
            named = self.user_id != ANONYMOUS
            check_text("user_name", self.user_name, longest=NAME_LONGEST, required=named)
        if self.user_id is not None or self.author_kind is AuthorKind.RESIDENT:
            check_id("user_id", self.user_id or "")


class MissionStatus(StrEnum):
    """Whether one can still apply; between open and full it follows from the places.

    A draft is seen by its association alone.
    """

    DRAFT = "draft"
    OPEN = "open"
    FULL = "full"
    CLOSED = "closed"
    DONE = "done"
    CANCELLED = "cancelled"


class MissionDuration(StrEnum):
    """How long a mission takes."""

    ONE_DAY = "one_day"
    SEVERAL_DAYS = "several_days"
    SEVERAL_WEEKS = "several_weeks"
    SEVERAL_MONTHS = "several_months"


class MissionType(StrEnum):
    """What a mission is about."""

    FOOD_AID = "food_aid"
    SOCIAL_SUPPORT = "social_support"
    TEACHING = "teaching"
    ENVIRONMENT = "environment"
    HOMELESS_SUPPORT = "homeless_support"
    MEDICAL_SUPPORT = "medical_support"
    CULTURE = "culture"
    ADMINISTRATION = "administration"
    VOCATIONAL_TRAINING = "vocational_training"
    LEGAL_SUPPORT = "legal_support"
    PREVENTION = "prevention"


class Qualification(StrEnum):
    """Who can take part in a mission."""

    OPEN_TO_ALL = "open_to_all"
    PROFESSIONAL = "professional"


@dataclass(frozen=True, slots=True)
class Mission:
    """A volunteering offer with a number of places; ``approved`` of them are taken.

    ``waiting`` counts the applications in the waiting list. ``goals`` are numbers of
    Sustainable Development Goals. The missions of one series share ``series_id``.
    """

    id: str
    association_id: str
    association_name: str
    title: str
    description: str
    created: datetime
    starts: datetime
    places: int
    approved: int = field(default=0, metadata={"counter": True})
    waiting: int = field(default=0, metadata={"counter": True})
    status: MissionStatus = MissionStatus.OPEN
    location: Location | None = None
    ends: datetime | None = None
    duration: MissionDuration | None = None
    mission_type: MissionType | None = None
    qualification: Qualification = Qualification.OPEN_TO_ALL
    goals: frozenset[int] = frozenset()
    needs_car: bool = False
    needs_licence: bool = False
    series_id: str | None = None
    media: tuple[str, ...] = ()
    moderation: Moderated | None = None
    demo: bool = False
    version: int = 0
    kind: str = field(default="mission", init=False)

    @property
    def places_left(self) -> int:
        """How many more people can be approved."""
        return max(0, self.places - self.approved)

    @property
    def over(self) -> datetime:
        """When it ends, or begins where no end is known."""
        return self.ends or self.starts

    def settled(self) -> Mission:
        """The same, open or full as the places say; closed and the like stay."""
        if self.status not in OPEN_STATUSES:
            return self
        status = MissionStatus.OPEN if self.places_left else MissionStatus.FULL
        return dataclasses.replace(self, status=status)

    def takes_applications(self, now: datetime) -> bool:
        """Whether one can apply: neither closed, done nor cancelled, nor over."""
        hidden = self.moderation is Moderated.HIDDEN
        return self.status in OPEN_STATUSES and self.over > now and not hidden

    def check(self) -> None:
        """Raise InvalidField when a field breaks its rule."""
        _check_offer(self)
        check_between("places", self.places, 1, PLACES_MOST)
        check_between("approved", self.approved, 0, self.places)
        check_whole("waiting", self.waiting)
        check_goals(self.goals)
        check_optional_id("series_id", self.series_id)
        check_ids("media", self.media, most=MEDIA_MOST)


# The statuses of a mission that one can apply to.
OPEN_STATUSES = frozenset({MissionStatus.OPEN, MissionStatus.FULL})


@dataclass(frozen=True, slots=True)
class Event:
    """Something that happens at a time and a place.

    ``attending`` counts rows of Attendance; ``places`` bounds it, None means no bound.
    """

    id: str
    association_id: str
    association_name: str
    title: str
    description: str
    created: datetime
    starts: datetime
    ends: datetime
    location: Location | None = None
    places: int | None = None
    attending: int = field(default=0, metadata={"counter": True})
    cancelled: bool = False
    link: str | None = None
    goals: frozenset[int] = frozenset()
    series_id: str | None = None
    media: tuple[str, ...] = ()
    moderation: Moderated | None = None
    demo: bool = False
    version: int = 0
    kind: str = field(default="event", init=False)

    @property
    def places_left(self) -> int | None:
        """How many more people can come; None without a bound."""
        return None if self.places is None else max(0, self.places - self.attending)

    def check(self) -> None:
        """Raise InvalidField when a field breaks its rule."""
        _check_offer(self)
        check_link("link", self.link)
        check_ids("media", self.media, most=MEDIA_MOST)
        if self.places is not None:
            check_between("places", self.places, 1, PLACES_MOST)
        check_goals(self.goals)
        check_optional_id("series_id", self.series_id)
        check_between("attending", self.attending, 0, self.places or ATTENDING_MOST)


def check_links(name: str, links: tuple[str, ...]) -> None:
    """At most ten addresses, none twice."""
    if len(links) > LINKS_MOST or len(set(links)) < len(links):
        raise InvalidField(name, f"at most {LINKS_MOST} different addresses are allowed")
    for link in links:
        check_link(name, link)


def check_attachments(
    media: tuple[str, ...], kinds: tuple[MediaKind, ...], previews: tuple[LinkPreview, ...]
) -> None:
    """A kind for each file, or for none, and no more previews than links can be."""
    if kinds and len(kinds) != len(media):
        raise InvalidField("media_kinds", "must say of each file what it is")
    if len(previews) > LINKS_MOST:
        raise InvalidField("previews", f"at most {LINKS_MOST} are allowed")
    for preview in previews:
        preview.check()


def check_ids(name: str, ids: tuple[str, ...], *, most: int) -> None:
    """At most ``most`` ids, none twice."""
    if len(ids) > most or len(set(ids)) < len(ids):
        raise InvalidField(name, f"at most {most} different ids are allowed")
    for one in ids:
        check_id(name, one)


def check_published(entity: Published) -> None:
    """The fields that all things published by an association share."""
    check_id("id", entity.id)
    check_id("association_id", entity.association_id)
    check_text("association_name", entity.association_name, longest=NAME_LONGEST)
    check_text("description", entity.description, longest=TEXT_LONGEST, required=False)
    check_time("created", entity.created)
    if entity.location is not None:
        entity.location.check()


class Published(Protocol):
    """What an association publishes."""

    @property
    def id(self) -> str:
        """The key."""

    @property
    def association_id(self) -> str:
        """Who publishes it."""

    @property
    def association_name(self) -> str:
        """Its name at that time."""

    @property
    def description(self) -> str:
        """What it is, in words."""

    @property
    def created(self) -> datetime:
        """When it was published."""

    @property
    def location(self) -> Location | None:
        """Where it is."""


def _check_offer(offer: Mission | Event) -> None:
    check_published(offer)
    check_text("title", offer.title, longest=200)
    check_time("starts", offer.starts)
    check_time("ends", offer.ends)
    if offer.ends is not None and offer.ends < offer.starts:
        raise InvalidField("ends", "must not lie before the start")
