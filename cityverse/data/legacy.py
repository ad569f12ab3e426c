"""Items of the earlier prototype to items of today.

It kept passwords as they were typed, comments and reactions inside their post, and
numbers as text; it had no index of what belongs to whom. Everything is read and
converted first, so that counters can be counted, then written: each item only where
there is none, so that a repetition finishes what was interrupted. Nothing readable is
dropped in silence: what has no place today, and what cannot be read, is a line of the
report. No password is ever stored or reported; its owner sets a new one.
"""

from __future__ import annotations

import dataclasses
import json
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from io import BufferedReader
from pathlib import Path
from typing import Any

from cityverse.data import codec, folders, scan
from cityverse.data import legacy_values as read
from cityverse.data.applications import ApplicationRepository
from cityverse.data.associations import AssociationRepository
from cityverse.data.badges import BadgeRepository
from cityverse.data.campaigns import CampaignRepository
from cityverse.data.client import ConditionFailed, Dynamo, decode, delete_write, put_write
from cityverse.data.comments import CommentRepository
from cityverse.data.contributions import ContributionRepository
from cityverse.data.cursors import Cursors
from cityverse.data.missions import MissionRepository
from cityverse.data.posts import PostRepository
from cityverse.data.products import ProductRepository
from cityverse.data.registry import TABLES
from cityverse.data.repository import Repository
from cityverse.data.timeline import order_of
from cityverse.data.users import UserRepository
from cityverse.domain.applications import Application, ApplicationState, application_id
from cityverse.domain.comments import COMMENT_LONGEST, Comment
from cityverse.domain.community import (
    LINKS_MOST,
    NAME_LONGEST,
    TEXT_LONGEST,
    Association,
    AuthorKind,
    Mission,
    Post,
)
from cityverse.domain.giving import Campaign, Contribution
from cityverse.domain.people import Follow, Role, SocialLinks, Status, User, normalised_email
from cityverse.domain.points import CAUSES, ONCE, Award, Badge
from cityverse.domain.products import POINTS_MOST, Product, name_key
from cityverse.domain.reactions import Reaction, ReactionKind, counter_of
from cityverse.errors import AlreadyExists, InputError, InvalidField, Taken

Told = Callable[[str, int, int], None]

EARLIER = (
    *("User", "Association", "Mission", "Application", "Posts", "Post", "Product"),
    *("Event", "Badge", "Donation", "Donations", "Blacklist"),
)
"""The tables of the earlier prototype."""

REPORT = "import-report.jsonl"
_ASIDE = "set-aside"
_ITEMS_MOST = 500_000
_NOBODY = "unknown"
# A number out of range, too many layers.
_TOO_MUCH = (ArithmeticError, RecursionError)
_SECRET = {"password", "token"}
_TYPES = {"S", "N", "BOOL", "NULL", "M", "L", "SS", "NS", "B", "BS"}
_BADGES = {"mission": "mission", "donation": "donation", "troca": "city_in_3d"}


@dataclass(slots=True)
class Report:
    """How many items were written or there already, and what to know about the others."""

    file: Path
    written: int = 0
    known: int = 0
    problems: list[dict[str, Any]] = field(default_factory=list)

    def note(self, table: str, item: Any, name: str, remark: str, value: Any = None) -> None:
        """One remark; ``value`` is what would be lost otherwise."""
        item_id = item.get("id", "?") if isinstance(item, dict) else item
        line = {"table": table, "id": str(item_id), "field": name, "remark": remark}
        if value not in (None, "", [], {}):
            line["value"] = _without_secrets(value)
        self.problems.append(line)

    def save(self) -> None:
        """Write all remarks, one a line, for the operator's eyes only."""
        lines = [json.dumps(p, ensure_ascii=False, default=str) for p in self.problems]
        with folders.writing(self.file.parent, self.file.name) as file:
            # Half a character becomes its escape, which JSON reads as the same.
            file.writelines(f"{line}\n".encode(errors="backslashreplace") for line in lines)


def _without_secrets(value: Any) -> Any:
    if isinstance(value, dict):
        return {n: _without_secrets(part) for n, part in value.items() if n not in _SECRET}
    return [_without_secrets(part) for part in value] if isinstance(value, list) else value


def set_aside(dynamo: Dynamo, folder: Path, *, told: Told = lambda *_: None) -> None:
    """Copy the items of the earlier prototype out of this store's own tables.

    ``import_earlier(…, in_place=True)`` then replaces them. What was copied is not copied
    again: once replacing has begun, the folder alone has all of them.
    """
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        raise InputError(f"{folder} cannot be used: {error.strerror}") from error
    if (folder / _ASIDE).exists():
        return
    existing = {name for name in EARLIER if _exists(dynamo, name)}
    for name in sorted(existing):
        count = 0
        # Passwords as they were typed lie in it.
        with folders.writing(folder, f"{name}.jsonl") as file:
            for page in scan.pages(dynamo, name, units=500):
                for item in page.items:
                    plain = decode(item)
                    if "schema_version" not in plain:
                        file.write(json.dumps(plain, default=_jsonable).encode() + b"\n")
                        count += 1
                told(name, count, 0)
            folders.keep(file)
    folders.write_whole(folder, _ASIDE, b"")


def _exists(dynamo: Dynamo, name: str) -> bool:
    return name in {one.name for one in TABLES} or name in dynamo.client.list_tables()["TableNames"]


def _jsonable(value: Any) -> Any:
    return sorted(value, key=str) if isinstance(value, set) else str(value)


def import_earlier(
    dynamo: Dynamo, folder: Path, *, in_place: bool = False, told: Told = lambda *_: None
) -> Report:
    """Convert the tables in ``folder`` (``<Table>.jsonl``) into this store.

    A line is an item, plain or in DynamoDB's typed JSON. The report lies in the folder as
    well. With ``in_place``, items of the same id that lack a ``schema_version`` make room.
    Raises InputError when the folder holds none of the tables.
    """
    report = Report(folder / REPORT)
    tables = {name: list(_items(folder, name, report)) for name in EARLIER}
    if not any(tables.values()):
        raise InputError(f"{folder} holds no items of the earlier prototype")
    city = _City(tables, report)
    city.convert()
    writer = _Writer(dynamo, report, in_place)
    writer.write(city, told)
    report.save()
    return report


def _items(folder: Path, name: str, report: Report) -> Iterator[dict[str, Any]]:
    file = _opened(folder, f"{name}.jsonl") or _opened(folder, f"tables/{name}.jsonl")
    if file is None:
        return
    with file:
        for number, line in enumerate(_lines(file), 1):
            if number > _ITEMS_MOST:
                raise InputError(f"{folder}: {name} has more than {_ITEMS_MOST} items")
            try:
                yield _item(line, name)
            except (ValueError, TypeError, AttributeError, KeyError, *_TOO_MUCH) as error:
                report.note(name, f"line {number}", "", f"cannot be read: {error}")


def _opened(folder: Path, name: str) -> BufferedReader | None:
    try:
        return folders.reading(folder, name)
    except InputError as error:
        if isinstance(error.__cause__, FileNotFoundError):
            return None
        raise


def _lines(file: BufferedReader) -> Iterator[bytes]:
    """The lines of a file; of one that is too long only its beginning, which is no item."""
    while line := file.readline(folders.LINE_MOST):
        yield line
        while len(line) == folders.LINE_MOST and not line.endswith(b"\n"):
            line = file.readline(folders.LINE_MOST)


def _item(line: bytes, table: str) -> dict[str, Any]:
    item = json.loads(line)
    item = _plain(item["Item"] if set(item) == {"Item"} else item)
    if not isinstance(item, dict):
        raise ValueError("no item")
    if table != "Blacklist":
        item["id"] = read.text(item.get("id"))
        if not item["id"]:
            raise ValueError("no item with an id")
    return item


def _plain(item: dict[str, Any]) -> dict[str, Any]:
    """The plain item, whichever of the two forms a line has."""
    typed = item and all(
        isinstance(v, dict) and len(v) == 1 and set(v) <= _TYPES for v in item.values()
    )
    return decode(item) if typed else item


class _City:
    """Everything converted, with counters that equal what was converted."""

    def __init__(self, tables: dict[str, list[dict[str, Any]]], report: Report) -> None:
        self._tables = tables
        self._report = report
        self._now = datetime.now(UTC)
        self._emails: set[str] = set()
        self._rna: set[str] = set()
        self._names: set[str] = set()
        self.users: dict[str, User] = {}
        self.associations: dict[str, Association] = {}
        self.missions: dict[str, Mission] = {}
        self.applications: dict[str, Application] = {}
        self.posts: dict[str, Post] = {}
        self.comments: list[Comment] = []
        self.reactions: list[Reaction] = []
        self.products: dict[str, Product] = {}
        self.campaigns: dict[str, Campaign] = {}
        self.contributions: dict[str, Contribution] = {}
        self.badges: dict[str, Badge] = {}
        self.follows: list[Follow] = []
        self.awards: list[Award] = []

    def convert(self) -> None:
        """Convert all tables, those first that others refer to."""
        self._each("User", self._user)
        self._each("Association", self._association)
        self._each("User", self._ties_of_user)
        self._each("Mission", self._mission)
        self._each("Application", self._application)
        self._each("Product", self._product)
        self._each("Posts", self._post)
        self._each("Post", self._post)
        self._each("Donation", self._campaign)
        self._each("Donations", self._contribution)
        self._each("Badge", self._badge)
        for name, remark in (
            ("Event", "has no time, without which there are no events today"),
            ("Blacklist", "not needed: every session ends"),
        ):
            for item in self._tables[name]:
                self._note(name, item, "", remark, item if name == "Event" else None)
        self._count()

    def _each(self, table: str, convert: Callable[[str, dict[str, Any]], None]) -> None:
        for item in self._tables[table]:
            try:
                convert(table, item)
            except (InvalidField, TypeError, ValueError, AttributeError) as error:
                self._note(table, item, "", f"cannot be read: {error}", item)

    def _note(self, table: str, item: Any, name: str, remark: str, value: Any = None) -> None:
        self._report.note(table, item, name, remark, value)

    def _text(self, table: str, item: dict[str, Any], name: str, longest: int) -> str:
        value = read.text(item.get(name))
        if len(value) > longest:
            self._note(table, item, name, f"was cut to {longest} characters", value)
        elif not value and item.get(name) not in (None, "", [], {}):
            self._note(table, item, name, "is no text", item[name])
        return value[:longest].strip()

    def _moment(
        self, table: str, item: dict[str, Any], name: str, instead: datetime | None = None
    ) -> datetime:
        found = read.moment(item.get(name))
        if found is None:
            if item.get(name) or instead is None:
                self._note(table, item, name, "is no time that can be read", item.get(name))
            return instead or self._now
        return found

    def _whole(self, table: str, item: dict[str, Any], name: str) -> int:
        found = read.whole(item.get(name))
        if found is None and item.get(name) not in (None, ""):
            self._note(table, item, name, "is no whole number", item[name])
        elif found is not None and found < 0:
            self._note(table, item, name, "is below zero", item[name])
        return max(0, found or 0)

    def _link(self, table: str, item: dict[str, Any], name: str, value: Any) -> str | None:
        if value in (None, ""):
            return None
        found = read.link(value)
        if found is None:
            self._note(table, item, name, "is no address one can open", value)
        return found

    def _pictures(self, table: str, item: dict[str, Any]) -> None:
        for name in ("profile_image", "banner_image"):
            value = read.text(item.get(name))
            if value and "blank-profile-picture" not in value:
                self._note(table, item, name, "is to be uploaded again", value)

    def _place(self, table: str, item: dict[str, Any], address: str, coordinates: str) -> Any:
        found = read.location(item.get(address), item.get(coordinates))
        if found is None and (item.get(address) or item.get(coordinates)):
            lost = {address: item.get(address), coordinates: item.get(coordinates)}
            self._note(table, item, address, "is no point on the map", lost)
        return found

    def _user(self, table: str, item: dict[str, Any]) -> None:
        email: str | None = read.text(item.get("email"))
        try:
            normalised = normalised_email(email or "")
            problem = "belongs to another account" if normalised in self._emails else ""
            self._emails.add(normalised)
        except InvalidField as error:
            problem = error.rule
        status = Status.ACTIVE
        if problem:
            self._note(table, item, "email", f"{problem}: the account is closed", email)
            email, status = None, Status.CLOSED
        links = item.get("social_links")
        social = links if isinstance(links, dict) else next(read.rows(links), {})
        first_name = self._text(table, item, "first_name", 80)
        self._pictures(table, item)
        for lost in ("events", "products_created", "admin", "role"):
            if item.get(lost):
                self._note(table, item, lost, "has no place today", item[lost])
        if item.get("password"):
            self._note(table, item, "password", "was not stored: a new one must be set")
        user = User(
            id=item["id"],
            created=self._moment(table, item, "created_on"),
            email=email,
            first_name=first_name or (email or "").partition("@")[0][:80],
            last_name=self._text(table, item, "last_name", 80),
            role=Role.CREATOR if read.truth(item.get("is_creator")) else Role.RESIDENT,
            status=status,
            description=self._text(table, item, "description", 2000),
            # The address of a YouTube channel was kept under another name.
            links=SocialLinks(
                facebook=self._link(table, item, "facebook", social.get("facebook")),
                instagram=self._link(table, item, "instagram", social.get("instagram")),
                x=self._link(table, item, "twitter", social.get("twitter")),
                youtube=self._link(table, item, "tiktok", social.get("tiktok")),
            ),
            goals=read.goals(item.get("sdg")),
            address=self._place(table, item, "address", "address_coordinates"),
            score=self._whole(table, item, "score"),
            hours=self._whole(table, item, "hours_spent"),
            last_seen=read.moment(item.get("last_login")),
        )
        user.check()
        self.users[user.id] = user

    def _ties_of_user(self, table: str, item: dict[str, Any]) -> None:
        user = self.users.get(item["id"])
        if user is None:
            return
        for association_id in read.distinct(map(str, item.get("followings") or [])):
            if association_id in self.associations:
                self.follows.append(Follow(user.id, association_id, user.created))
            else:
                self._note(table, item, "followings", "is not there any more", association_id)
        for address in read.distinct(map(str, item.get("badge") or [])):
            cause = next((c for sign, c in _BADGES.items() if sign in address.lower()), None)
            if cause is None:
                self._note(table, item, "badge", "is no badge that is known", address)
                continue
            # Its points are in the score already.
            known = CAUSES[cause]
            award = Award(user.id, f"{ONCE}{cause}", known.points, user.created, known.badge_id)
            if award not in self.awards[-3:]:
                self.awards.append(award)

    def _association(self, table: str, item: dict[str, Any]) -> None:
        rna: str | None = read.text(item.get("rna")).upper()
        wrong = "" if not rna or _is_rna(rna) else "is no number of the register"
        if rna and not wrong and rna in self._rna:
            wrong = "belongs to another association"
        if wrong:
            self._note(table, item, "rna", wrong, rna)
        if wrong or not rna:
            rna = None
        else:
            self._rna.add(rna)
        links: list[Any] = item["links"] if isinstance(item.get("links"), list) else []
        x, facebook, instagram, youtube = [*links[:4], *[None] * 4][:4]
        for address in filter(None, links[4:]):
            self._note(table, item, "links", "has no place today", address)
        labels = [read.label(part) for part in item.get("activity") or []]
        for label in labels:
            if label not in read.ACTIVITIES:
                self._note(table, item, "activity", "is no activity that is known", label)
        self._pictures(table, item)
        association = Association(
            id=item["id"],
            name=self._text(table, item, "name", NAME_LONGEST) or item["id"],
            created=self._moment(table, item, "created_on"),
            description=self._text(table, item, "description", TEXT_LONGEST),
            goals=read.goals(item.get("sdg") or item.get("sgd")),
            location=self._place(table, item, "siege", "siege_coordinates"),
            rna=rna,
            owner_id=read.text(item.get("user_id") or item.get("created_by")) or None,
            activities=frozenset(
                read.ACTIVITIES[label] for label in labels if label in read.ACTIVITIES
            ),
            links=SocialLinks(
                x=self._link(table, item, "links", x),
                facebook=self._link(table, item, "links", facebook),
                instagram=self._link(table, item, "links", instagram),
                youtube=self._link(table, item, "links", youtube),
            ),
        )
        association.check()
        self.associations[association.id] = association

    def _name_of(self, table: str, item: dict[str, Any], association_id: str) -> str:
        association = self.associations.get(association_id)
        if association is not None:
            return association.name
        self._note(table, item, "creator_id", "is not there any more", association_id)
        return association_id

    def _option(self, table: str, item: dict[str, Any], name: str, options: dict[str, Any]) -> Any:
        label = read.label(item.get(name))
        if label and label not in options:
            self._note(table, item, name, "is no option that is known", item[name])
        if "," in label and label in options:
            self._note(table, item, name, "named two: the first was taken", item[name])
        return options.get(label)

    def _mission(self, table: str, item: dict[str, Any]) -> None:
        description = self._text(table, item, "description", TEXT_LONGEST)
        created = self._moment(table, item, "created_on")
        kind = "mission_type" if item.get("mission_type") else "type"
        places = self._whole(table, item, "number_of_participants")
        association_id = str(item.get("creator_id") or _NOBODY)
        if not 1 <= places <= 10_000:
            self._note(table, item, "number_of_participants", "was set within 1 to 10000", places)
        mission = Mission(
            id=item["id"],
            association_id=association_id,
            association_name=self._name_of(table, item, association_id),
            # Missions had no title: the beginning of what they say.
            title=description.partition("\n")[0][:120].strip()
            or read.text(read.label(item.get(kind)))[:120]
            or "Mission",
            description=description,
            created=created,
            starts=self._moment(table, item, "start_date", created),
            places=min(max(places, 1), 10_000),
            duration=self._option(table, item, "duration", read.DURATIONS),
            mission_type=self._option(table, item, kind, read.MISSION_TYPES),
            qualification=self._option(table, item, "volunteer_qualifications", read.QUALIFICATIONS)
            or read.QUALIFICATIONS["open to all"],
        )
        mission.check()
        self.missions[mission.id] = mission

    def _application(self, table: str, item: dict[str, Any]) -> None:
        mission = self.missions.get(str(item.get("mission_id")))
        if mission is None:
            self._note(table, item, "mission_id", "is not there: not imported", item)
            return
        age = read.whole(item.get("age"))
        if item.get("age") not in (None, "") and not (age and 1 <= age <= 130):
            self._note(table, item, "age", "is no age", item["age"])
            age = None
        approved = read.text(item.get("status")).lower() == "approved"
        user_id = str(item.get("user_id") or _NOBODY)
        application = Application(
            id=application_id(mission.id, user_id),
            mission_id=mission.id,
            user_id=user_id,
            created=self._moment(table, item, "created_on", mission.created),
            state=ApplicationState.APPROVED if approved else ApplicationState.PENDING,
            first_name=self._text(table, item, "first_name", 100),
            surname=self._text(table, item, "surname", 100),
            age=age or None,
            address=self._text(table, item, "address", 300),
            interests=self._text(table, item, "interests", 2000),
            has_car=read.truth(item.get("has_a_car")),
            has_licence=read.truth(item.get("permit")),
        )
        application.check()
        there = self.applications.get(application.id)
        if there is not None:
            kept_first = there.state is ApplicationState.APPROVED or not approved
            self._note(table, item, "", "a second one of the same person and mission", item)
            if kept_first:
                return
        self.applications[application.id] = application

    def _product(self, table: str, item: dict[str, Any]) -> None:
        points = [
            found
            for part in read.rows(item.get("coordinate"))
            if (found := read.location(part.get("diff_address"), part)) is not None
        ]
        name = self._text(table, item, "nom", NAME_LONGEST) or self._text(
            table, item, "name", NAME_LONGEST
        )
        if not points:
            self._note(table, item, "coordinate", "has no point on the map: not imported", item)
            return
        base, number = name, 1
        while name_key(name) in self._names:
            number += 1
            name = f"{base[: NAME_LONGEST - 8]} ({number})"
        if name != base:
            self._note(table, item, "nom", f"is taken: became {name}", base)
        self._pictures(table, item)
        maker = str(item.get("created_by") or _NOBODY)
        known = self.associations.get(maker) or self.users.get(maker)
        if len(points) > POINTS_MOST:
            self._note(table, item, "coordinate", f"only {POINTS_MOST} were kept",
                       item["coordinate"])  # fmt: skip
        product = Product(
            id=item["id"],
            association_id=maker,
            association_name=_named(known) or maker,
            name=name,
            created=self._moment(table, item, "created_on"),
            points=tuple(points[:POINTS_MOST]),
        )
        product.check()
        self._names.add(name_key(name))
        self.products[product.id] = product

    def _post(self, table: str, item: dict[str, Any]) -> None:
        created = self._moment(table, item, "created_on")
        edited = read.moment(item.get("modified_on"))
        links = [self._link(table, item, "links", part) for part in item.get("links") or []]
        usable = read.distinct(filter(None, links))
        for address in usable[LINKS_MOST:]:
            self._note(table, item, "links", f"only {LINKS_MOST} were kept", address)
        author = str(item.get("created_by") or _NOBODY)
        common: dict[str, Any] = {
            "id": item["id"],
            "text": self._text(table, item, "description", TEXT_LONGEST) or "—",
            "created": created,
            "user_id": author,
            "links": usable[:LINKS_MOST],
            "edited": edited if edited is not None and edited > created else None,
        }
        association_id = item.get("creator_id")
        if association_id:
            name = self._name_of(table, item, str(association_id))
            post = Post(association_id=str(association_id), association_name=name, **common)
        else:
            name = _named(self.users.get(author)) or author
            post = Post(
                association_id=None,
                association_name="",
                author_kind=AuthorKind.RESIDENT,
                user_name=name,
                **common,
            )
        post.check()
        self.posts[post.id] = dataclasses.replace(post, product_id=self._product_of(post.id))
        self._comments_of(table, item, post)
        self._reactions_of(table, item, post)

    def _product_of(self, post_id: str) -> str | None:
        return next(
            (
                item["id"]
                for item in self._tables["Product"]
                if item["id"] in self.products and post_id in (item.get("posts") or [])
            ),
            None,
        )

    def _comments_of(self, table: str, item: dict[str, Any], post: Post) -> None:
        for number, part in enumerate(item.get("comments") or []):
            words = read.text(part.get("text")) if isinstance(part, dict) else ""
            if not words:
                self._note(table, item, "comments", "cannot be read", part)
                continue
            if len(words) > COMMENT_LONGEST:
                self._note(table, item, "comments", "was cut", words)
            comment = Comment(
                id=str(part.get("id") or read.derived_id(post.id, number)),
                post_id=post.id,
                # It was never kept who wrote a comment, only, at best, a name.
                user_id=_NOBODY,
                user_name=read.text(part.get("user_name"))[:NAME_LONGEST] or "?",
                text=words[:COMMENT_LONGEST],
                created=read.moment(part.get("post_date")) or post.created,
                edited_at=read.moment(part.get("edit_date")),
            )
            try:
                comment.check()
            except InvalidField as error:
                self._note(table, item, "comments", str(error), part)
                continue
            self.comments.append(comment)

    def _reactions_of(self, table: str, item: dict[str, Any], post: Post) -> None:
        """One reaction a person: the latest, or the first of the menu."""
        if isinstance(item.get("reactions"), dict):
            self._note(table, item, "reactions", "are counts without people", item["reactions"])
            return
        chosen: dict[str, Reaction] = {}
        for part in read.rows(item.get("reactions")):
            name = read.text(part.get("type")).lower()
            people = read.distinct(map(str, part.get("reacted_by") or []))
            if name not in set(ReactionKind):
                if people:
                    self._note(table, item, "reactions", "is no reaction that is known", part)
                continue
            when = read.moment(part.get("date")) or post.created
            for user_id in people:
                new = Reaction(post.id, user_id, ReactionKind(name), when)
                try:
                    new.check()
                except InvalidField as error:
                    self._note(table, item, "reactions", str(error), part)
                    continue
                old = chosen.get(user_id)
                kept = new if old is None or new.created > old.created else old
                chosen[user_id] = kept
                if old is not None:
                    lost = old if kept is new else new
                    self._note(
                        table, item, "reactions", f"a person has one: {kept.reaction} was kept",
                        {"user_id": user_id, "reaction": str(lost.reaction)},
                    )  # fmt: skip
        self.reactions += chosen.values()

    def _campaign(self, table: str, item: dict[str, Any]) -> None:
        association_id = str(item.get("creator_id") or _NOBODY)
        reduction = self._whole(table, item, "tax_reduction")
        eligible = bool(read.truth(item.get("is_reduction_eligible")))
        if reduction and not (eligible and reduction <= 100):
            self._note(table, item, "tax_reduction", "is not one", item["tax_reduction"])
            reduction = 0
        for address in item.get("links") or []:
            self._note(table, item, "links", "is to be uploaded again", address)
        campaign = Campaign(
            id=item["id"],
            association_id=association_id,
            association_name=self._name_of(table, item, association_id),
            title=self._text(table, item, "name", 200) or item["id"],
            description=self._text(table, item, "purpose", TEXT_LONGEST),
            created=self._moment(table, item, "created_on"),
            goal=100,  # there were no goals: raised below to what was promised
            link=self._link(table, item, "link", item.get("link")),
            tax_eligible=eligible,
            tax_reduction=reduction,
        )
        campaign.check()
        self.campaigns[campaign.id] = campaign

    def _contribution(self, table: str, item: dict[str, Any]) -> None:
        campaign = self.campaigns.get(str(item.get("donation_id")))
        amount = read.number(item.get("amount"))
        if campaign is None or amount is None or amount * 100 < 1:
            missing = "donation_id" if campaign is None else "amount"
            self._note(table, item, missing, "is none: not imported", item)
            return
        contribution = Contribution(
            id=item["id"],
            campaign_id=campaign.id,
            user_id=str(item.get("user_id") or _NOBODY),
            # It was said, not paid: the association confirms what it received.
            cents=int((amount * 100).to_integral_value()),
            created=self._moment(table, item, "created_on", campaign.created),
            first_name=self._text(table, item, "first_name", 100),
            surname=self._text(table, item, "surname", 100),
            address=self._text(table, item, "address", 300),
        )
        contribution.check()
        if read.whole(item.get("age")):
            self._note(table, item, "age", "has no place today", item["age"])
        self.contributions[contribution.id] = contribution

    def _badge(self, table: str, item: dict[str, Any]) -> None:
        badge = Badge(
            item["id"],
            self._text(table, item, "nom", 80) or item["id"],
            self._moment(table, item, "created_on"),
        )
        badge.check()
        if item.get("coordinate"):
            self._note(table, item, "coordinate", "has no place today", item["coordinate"])
        self.badges[badge.id] = badge

    def _count(self) -> None:
        """Give every counter the number of what was converted."""
        following = Counter(f.user_id for f in self.follows)
        followers = Counter(f.association_id for f in self.follows)
        approved = Counter(
            a.mission_id for a in self.applications.values() if a.state is ApplicationState.APPROVED
        )
        comments = Counter(c.post_id for c in self.comments)
        reactions = Counter((r.post_id, counter_of(r.reaction)) for r in self.reactions)
        promised: Counter[str] = Counter()
        for gift in self.contributions.values():
            promised[gift.campaign_id] += gift.cents
        _replace(self.users, lambda u: {"following": following[u.id]})
        _replace(self.associations, lambda a: {"followers": followers[a.id]})
        _replace(self.posts, lambda p: {"comments": comments[p.id]})
        _replace(self.campaigns, lambda c: {"goal": max(c.goal, promised[c.id])})
        for (post_id, counter), number in reactions.items():
            changed: Any = {counter: number}
            self.posts[post_id] = dataclasses.replace(self.posts[post_id], **changed)
        for mission in list(self.missions.values()):
            taken = approved[mission.id]
            if taken > mission.places:
                remark = f"{taken} were approved: the places were raised"
                self._note("Mission", mission.id, "number_of_participants", remark, mission.places)
            places = max(mission.places, taken)
            counted = dataclasses.replace(mission, approved=taken, places=places)
            self.missions[mission.id] = counted.settled()


def _is_rna(text: str) -> bool:
    return len(text) == 10 and text[0] == "W" and text[1:].isascii() and text[1:].isdigit()


def _named(known: Association | User | None) -> str:
    if isinstance(known, User):
        return f"{known.first_name} {known.last_name}".strip()[:NAME_LONGEST]
    return known.name if known is not None else ""


def _replace(entities: dict[str, Any], changes: Callable[[Any], dict[str, Any]]) -> None:
    for item_id, entity in entities.items():
        entities[item_id] = dataclasses.replace(entity, **changes(entity))


class _Writer:
    """Writes what was converted, each item where there is none of its key."""

    def __init__(self, dynamo: Dynamo, report: Report, in_place: bool) -> None:
        self._dynamo = dynamo
        self._report = report
        self._in_place = in_place

    def write(self, city: _City, told: Told) -> None:
        """Parents first, so that an interruption leaves no child without its parent."""
        dynamo, cursors = self._dynamo, Cursors(b"no list is read")
        kinds: list[tuple[Repository[Any], dict[str, Any]]] = [
            (UserRepository(dynamo), city.users),
            (AssociationRepository(dynamo, cursors), city.associations),
            (BadgeRepository(dynamo), city.badges),
            (MissionRepository(dynamo, cursors), city.missions),
            (ApplicationRepository(dynamo, cursors), city.applications),
            (ProductRepository(dynamo, cursors), city.products),
            (PostRepository(dynamo, cursors), city.posts),
            (CommentRepository(dynamo, cursors), {c.id: c for c in city.comments}),
            (CampaignRepository(dynamo, cursors), city.campaigns),
            (ContributionRepository(dynamo, cursors), city.contributions),
        ]
        for repository, entities in kinds:
            for number, entity in enumerate(entities.values()):
                self._create(repository, entity)
                told(repository.table, number + 1, len(entities))
        for follow in city.follows:
            self._put("Follow", "user_id", follow, order_of(follow.created, follow.user_id))
        for reaction in city.reactions:
            self._put("Reaction", "post_id", reaction)
        for award in city.awards:
            self._put("Award", "user_id", award)

    def _create(self, repository: Repository[Any], entity: Any) -> None:
        if self._in_place:
            self._make_room(repository.table, entity.id)
        try:
            # What happened then need not be allowed today, and is counted already.
            repository.adopt(entity)
        except Taken as error:
            self._report.note(repository.table, entity.id, error.field, "is taken: not imported",
                              codec.to_item(entity))  # fmt: skip
        except AlreadyExists:
            self._known(repository.table, entity.id)
        else:
            self._report.written += 1

    def _known(self, table: str, item_id: str) -> None:
        item = self._dynamo.get(table, {"id": item_id})
        if item is not None and "schema_version" not in item:
            self._report.note(
                table, item_id, "", "an item of the earlier prototype is in its place"
            )
        self._report.known += 1

    def _make_room(self, table: str, item_id: str) -> None:
        """Delete the item as the earlier prototype left it; the folder has a copy."""
        gone = delete_write(
            table, {"id": item_id}, ConditionExpression="attribute_not_exists(schema_version)"
        )
        try:
            self._dynamo.transact([gone])
        except ConditionFailed:
            return  # converted already

    def _put(self, table: str, partition: str, entity: Any, order: str | None = None) -> None:
        item = codec.to_item(entity) | ({} if order is None else {"order": order})
        put = put_write(
            table,
            item,
            ConditionExpression="attribute_not_exists(#key)",
            ExpressionAttributeNames={"#key": partition},
        )
        try:
            self._dynamo.transact([put])
            self._report.written += 1
        except ConditionFailed:
            self._report.known += 1
