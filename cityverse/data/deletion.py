"""Deleting an item or an account with all that belongs to it, restartably, without orphans.

First the item is marked, so that it gets no new children, and its files are shown no
more; then its children go, some at a time; then the item itself with its search rows,
claims and demo mark. Whatever interrupts this, calling again finishes it; two callers
do not disturb each other. Each write has the condition that the item is still marked, or
gone: what was created anew under its id meanwhile is another item, and left alone.

What was given and confirmed stays where its campaign goes: the accounts need it, and it
names campaign and association itself.

With an account goes what is only its person's: follows, reactions, awards, notifications, digests,
attendances, applications and what they proposed for articles, with all counters and places.
What others need, or the law, stays without their name: contributions, reports, posts,
comments, associations.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from cityverse.data.applications import ApplicationRepository
from cityverse.data.associations import AssociationRepository
from cityverse.data.attachments import detached, files_of, forgetting
from cityverse.data.attendance import AttendanceRepository
from cityverse.data.campaigns import CampaignRepository
from cityverse.data.client import (
    ConditionFailed,
    Dynamo,
    Item,
    check_write,
    delete_write,
    encode,
    update_write,
)
from cityverse.data.comments import CommentRepository
from cityverse.data.contributions import ContributionRepository
from cityverse.data.cursors import Cursors
from cityverse.data.events import EventRepository
from cityverse.data.follows import FollowRepository
from cityverse.data.media import MediaRepository
from cityverse.data.missions import MissionRepository
from cityverse.data.posts import PostRepository
from cityverse.data.products import ProductRepository
from cityverse.data.proposals import ProposalRepository
from cityverse.data.reactions import ReactionRepository
from cityverse.data.registry import (
    ACTOR_INDEX,
    ASSOCIATION_INDEX,
    DRAFT_INDEX,
    OWNER_INDEX,
    PRODUCT_INDEX,
    REPORTER_INDEX,
    SUBJECT_INDEX,
    USER_INDEX,
    table,
)
from cityverse.data.reports import (
    AppealRepository,
    CaseRepository,
    DecisionRepository,
    ReportRepository,
)
from cityverse.data.repository import Repository
from cityverse.data.ties import MARK, TRIES, take_away
from cityverse.data.users import UserRepository
from cityverse.domain.applications import Application
from cityverse.domain.community import AuthorKind, Post
from cityverse.domain.media import Media
from cityverse.errors import InputError, VersionConflict

# Accounts that were closed, and are to be deleted with all that is their person's.
_CLOSING: tuple[str, Item] = ("Meta", {"id": "closing"})
# Rows deleted by one transaction, each with its demo mark; DynamoDB takes 100 writes.
_AT_ONCE = 40


@dataclass(frozen=True, slots=True)
class Rows:
    """Rows that name an item in ``field``, found by ``index`` (None: by the table)."""

    table: str
    field: str
    index: str | None = None


_MESSAGES = Rows("Message", "application_id")
_OF_ASSOCIATION = ("association_id", ASSOCIATION_INDEX.name)
_CHILDREN: Mapping[str, tuple[Rows, ...]] = {
    "Posts": (Rows("Comment", "post_id", "post-index"), Rows("Reaction", "post_id")),
    "Mission": (Rows("Application", "mission_id", "mission-index"),),
    "Donation": (),  # contributions: see ``_delete_contributions``
    "Application": (_MESSAGES,),
    "Event": (Rows("Attendance", "event_id"),),
    "Product": (Rows("Posts", "product_id", PRODUCT_INDEX.name),),
    "Association": (
        Rows("Posts", *_OF_ASSOCIATION),
        Rows("Mission", *_OF_ASSOCIATION),
        Rows("Mission", "draft_of", DRAFT_INDEX.name),
        Rows("Event", *_OF_ASSOCIATION),
        Rows("Donation", *_OF_ASSOCIATION),
        Rows("Product", *_OF_ASSOCIATION),
        Rows("Follow", *_OF_ASSOCIATION),
        Rows("Membership", *_OF_ASSOCIATION),
        Rows("Verification", "id"),
    ),
}

_POSTS_OF_PERSON = Rows("Posts", "user_id", USER_INDEX.name)
# The indexes of the seed hold every application and contribution, those of an older program too.
OF_PERSON: tuple[Rows, ...] = (
    Rows("Follow", "user_id"),
    Rows("Award", "user_id"),
    Rows("Notification", "user_id"),
    Rows("Notification", "actor_id", ACTOR_INDEX.name),
    Rows("Attendance", "user_id", USER_INDEX.name),
    Rows("Reaction", "user_id", "user-index"),
    Rows("Application", "user_id", "user_id-index"),
    Rows("Message", "user_id", USER_INDEX.name),
    Rows("Donations", "user_id", "user_id-index"),
    Rows("Report", "reporter_id", REPORTER_INDEX.name),
    Rows("Case", "subject_id", SUBJECT_INDEX.name),
    Rows("Decision", "subject_id", SUBJECT_INDEX.name),
    Rows("Appeal", "user_id", USER_INDEX.name),
    Rows("Proposal", "user_id", USER_INDEX.name),
    Rows("Comment", "user_id", USER_INDEX.name),
    _POSTS_OF_PERSON,
    Rows("Association", "owner_id", OWNER_INDEX.name),
    Rows("Draft", "user_id"),
    Rows("Digest", "user_id"),
    Rows("Membership", "user_id"),
    Rows("Media", "owner", "owner-index"),
)
"""All that names a person."""
_ONLY_THEIRS = frozenset(
    Rows(name, "user_id") for name in ("Award", "Notification", "Draft", "Digest", "Membership")
)


class _LivesAgain(Exception):
    """An item, of this table and id, was created anew while it was being deleted."""


class Deletion:
    """Deletes associations, what they publish, and accounts: nothing else does."""

    def __init__(self, dynamo: Dynamo, cursors: Cursors) -> None:
        self.dynamo = dynamo
        self._follows = FollowRepository(dynamo, cursors)
        self._attendance = AttendanceRepository(dynamo, cursors)
        self._reactions = ReactionRepository(dynamo, cursors)
        self._applications = ApplicationRepository(dynamo, cursors)
        self._contributions = ContributionRepository(dynamo, cursors)
        self._reports = ReportRepository(dynamo, cursors)
        self._cases = CaseRepository(dynamo, cursors)
        self._decisions = DecisionRepository(dynamo, cursors)
        self._appeals = AppealRepository(dynamo, cursors)
        self._proposals = ProposalRepository(dynamo, cursors)
        self._comments = CommentRepository(dynamo, cursors)
        self._posts = PostRepository(dynamo, cursors)
        self._associations = AssociationRepository(dynamo, cursors)
        self._media = MediaRepository(dynamo)
        repositories: tuple[Repository[Any], ...] = (
            self._associations,
            self._posts,
            self._applications,
            MissionRepository(dynamo, cursors),
            EventRepository(dynamo, cursors),
            CampaignRepository(dynamo, cursors),
            ProductRepository(dynamo, cursors),
            UserRepository(dynamo),
        )
        self._repositories = {one.table: one for one in repositories}

    def delete(self, table_name: str, item_id: str) -> None:
        """Delete the item of this table and its children; what is gone already is no error.

        Tables are Posts, Mission, Event, Donation, Product, Association and User. When this
        is interrupted, or raises StoreError or VersionConflict, call it again. Indexes lag
        behind by a moment: a call on an item that is gone deletes children that still turn
        up.
        """
        if table_name == "User":
            self.delete_person(item_id)
            return
        if table_name not in _CHILDREN:
            raise InputError(f"items of {table_name} are not deleted with children")
        with contextlib.suppress(_LivesAgain):
            self._mark(table_name, item_id)
            self._finish(table_name, item_id)

    def delete_person(self, user_id: str, *, words_too: bool = False) -> None:
        """Delete an account and all that is only its person's, as ``delete`` does.

        Posts and comments stay without their name; with ``words_too`` they go as well,
        but for the posts of associations. Ask for the same when calling again.
        """
        with contextlib.suppress(_LivesAgain):
            self._mark("User", user_id)
            self._hide_files("User", user_id)
            for rows in OF_PERSON:
                while found := self.rows(rows, user_id):
                    self._check_doomed("User", user_id)
                    self._forget(rows, found, user_id, words_too=words_too)
            self._delete_itself("User", user_id)

    def closing(self, user_id: str) -> dict[str, Any]:
        """The write that notes that an account is to be deleted, for whoever goes on with it."""
        update = {
            "TableName": _CLOSING[0],
            "Key": encode(_CLOSING[1]),
            "UpdateExpression": "ADD user_ids :one",
            "ExpressionAttributeValues": encode({":one": {user_id}}),
        }
        return {"Update": update}

    def unfinished(self) -> list[str]:
        """The ids of accounts whose deletion was noted and has not come to its end."""
        return sorted((self.dynamo.get(*_CLOSING) or {}).get("user_ids", ()))

    def finish_closed(self, user_id: str) -> None:
        """Delete an account that was noted, and the note; again does no harm."""
        self.delete_person(user_id)
        self.dynamo.update(
            *_CLOSING,
            UpdateExpression="DELETE user_ids :one",
            ExpressionAttributeValues={":one": {user_id}},
        )

    def rows(self, rows: Rows, item_id: str) -> list[Item]:
        """Some of the rows that name an item."""
        consistent = {} if rows.index else {"ConsistentRead": True}
        return self.dynamo.query(
            rows.table,
            index=rows.index,
            limit=_AT_ONCE,
            KeyConditionExpression="#parent = :parent",
            ExpressionAttributeNames={"#parent": rows.field},
            ExpressionAttributeValues={":parent": item_id},
            **consistent,
        )

    def _delete_child(self, rows: Rows, child_id: str, table_name: str, item_id: str) -> None:
        """Delete an item with its children, because it belongs to one that is being deleted."""
        mark = update_write(
            rows.table,
            {"id": child_id},
            {MARK: True},
            condition="#parent = :parent",
            names={"#parent": rows.field},
            values={":parent": item_id},
        )
        try:
            self.dynamo.transact([mark, _doomed(table_name, item_id)])
        except ConditionFailed as failure:
            if 1 in failure.failed:
                raise _LivesAgain(table_name, item_id) from failure
            if self.dynamo.get(rows.table, {"id": child_id}) is not None:
                return  # it belongs to another one by now
        try:
            self._finish(rows.table, child_id)
        except _LivesAgain as again:
            if again.args != (rows.table, child_id):
                raise

    def _finish(self, table_name: str, item_id: str) -> None:
        """Delete what is marked."""
        self._hide_files(table_name, item_id)
        if table_name == "Donation":
            self._delete_contributions(item_id)
        for rows in _CHILDREN[table_name]:
            while found := self.rows(rows, item_id):
                self._delete_children(rows, found, table_name, item_id)
        self._delete_itself(table_name, item_id)

    def _delete_contributions(self, campaign_id: str) -> None:
        """Delete those that the accounts do not need; no other changes once it is marked."""
        cursor = None
        while True:
            page = self._contributions.of_campaign(campaign_id, limit=_AT_ONCE, cursor=cursor)
            rows = [{"id": g.id, "demo": g.demo} for g in page.items if not g.accounted]
            if rows:
                self._delete_rows("Donations", rows, ("Donation", campaign_id))
            if page.next is None:
                return
            cursor = page.next

    def _mark(self, table_name: str, item_id: str) -> None:
        mark = update_write(
            table_name, {"id": item_id}, {MARK: True}, condition="attribute_exists(id)"
        )
        with contextlib.suppress(ConditionFailed):  # gone already
            self.dynamo.transact([mark])

    def _hide_files(self, table_name: str, item_id: str) -> None:
        """Let nobody see the files of an item from now on."""
        for _ in range(TRIES):
            entity = self._repositories[table_name].find(item_id)
            files = detached(self.dynamo, table_name, item_id, files_of(entity))
            if not files:
                return
            try:
                self.dynamo.transact([*files, _doomed(table_name, item_id)])
            except ConditionFailed:
                self._check_doomed(table_name, item_id)
                continue  # a file was changed at this very moment
            return

    def _delete_children(
        self, rows: Rows, found: list[Item], table_name: str, item_id: str
    ) -> None:
        if rows.table in _CHILDREN:
            for row in found:
                self._delete_child(rows, row["id"], table_name, item_id)
        elif rows.table == "Follow":
            doomed = _doomed(table_name, item_id)
            for row in found:
                ending, (_, following) = self._follows.writes_ending(row["user_id"], item_id)
                if not take_away(self.dynamo, ending, [following], doomed):
                    self._check_doomed(table_name, item_id)
        else:
            self._delete_rows(rows.table, found, (table_name, item_id))

    def _delete_rows(self, table_name: str, rows: list[Item], parent: tuple[str, str]) -> None:
        layout = table(table_name)
        names = [name for name in (layout.partition, layout.sort) if name]
        writes = [delete_write(table_name, {name: row[name] for name in names}) for row in rows]
        marked = (row["id"] for row in rows if row.get("demo"))
        writes += [delete_write("Demo", {"table": table_name, "id": one}) for one in marked]
        try:
            self.dynamo.transact([*writes, _doomed(*parent)])
        except ConditionFailed as failure:
            raise _LivesAgain(*parent) from failure

    def _delete_itself(self, table_name: str, item_id: str) -> None:
        repository = self._repositories[table_name]
        for _ in range(TRIES):
            entity = repository.find(item_id)
            if entity is None:
                return
            try:
                marked = f"attribute_exists({MARK})"
                self.dynamo.transact(repository.writes_deleting(entity, marked))
            except ConditionFailed:
                self._check_doomed(table_name, item_id)
                continue  # edited at this very moment
            return
        raise VersionConflict(f"{table_name} item {item_id} changes all the time")

    def _check_doomed(self, table_name: str, item_id: str) -> None:
        item = self.dynamo.get(table_name, {"id": item_id})
        if item is not None and MARK not in item:
            raise _LivesAgain(table_name, item_id)

    def _forget(self, rows: Rows, found: list[Item], user_id: str, *, words_too: bool) -> None:
        """Delete rows that name a person, or take the name from them."""
        if rows in _ONLY_THEIRS or rows.table == "Message":
            self._delete_rows(rows.table, found, ("User", user_id))
            return
        for row in found:
            match rows.table:
                case "Follow":
                    self._follows.unfollow(user_id, row["association_id"])
                case "Attendance":
                    self._attendance.leave(row["event_id"], user_id)
                case "Reaction":
                    self._reactions.withdraw(row["post_id"], user_id)
                case "Decision":
                    self._decisions.disown(row["id"], user_id)
                case "Notification":
                    self._forget_actor(row, user_id)
                case _:
                    self._change(rows, row["id"], user_id, words_too=words_too)

    def _forget_actor(self, row: Item, user_id: str) -> None:
        unnamed = update_write(
            "Notification",
            {"user_id": row["user_id"], "order": row["order"]},
            {"actor_name": ""},
            ["actor_id"],
            condition="actor_id = :actor",
            values={":actor": user_id},
        )
        with contextlib.suppress(ConditionFailed):  # it is gone, or was done already
            self.dynamo.transact([unnamed])

    def _change(self, rows: Rows, item_id: str, user_id: str, *, words_too: bool) -> None:
        """Do to an item what its table asks for, as long as it names the person."""
        comments, posts = self._comments, self._posts
        changes: dict[str, tuple[Repository[Any], Callable[[Any], object]]] = {
            "Application": (self._applications, self._delete_application),
            "Donations": (self._contributions, self._contributions.anonymise),
            "Report": (self._reports, self._reports.anonymise),
            "Case": (self._cases, self._cases.anonymise),
            "Appeal": (self._appeals, self._appeals.anonymise),
            "Proposal": (self._proposals, self._proposals.delete),
            "Comment": (comments, comments.delete if words_too else comments.anonymise),
            "Posts": (posts, self._delete_post if words_too else posts.anonymise),
            "Association": (self._associations, self._associations.disown),
            "Media": (self._media, self._forget_file),
        }
        repository, change = changes[rows.table]
        for _ in range(TRIES):
            entity = repository.find(item_id)
            if entity is None or getattr(entity, rows.field) != user_id:
                return
            with contextlib.suppress(VersionConflict):
                change(entity)
                return
        raise VersionConflict(f"{rows.table} item {item_id} changes all the time")

    def _delete_application(self, application: Application) -> None:
        """With its thread; what was written while it went goes after it."""
        self._delete_thread(application)
        self._applications.delete(application)
        self._delete_thread(application)

    def _delete_thread(self, application: Application) -> None:
        while found := self.rows(_MESSAGES, application.id):
            self._delete_rows(_MESSAGES.table, found, ("User", application.user_id))

    def _delete_post(self, post: Post) -> None:
        if post.author_kind is AuthorKind.ASSOCIATION:
            self._posts.anonymise(post)
        else:
            self._delete_child(_POSTS_OF_PERSON, post.id, "User", post.user_id or "")

    def _forget_file(self, media: Media) -> None:
        row = self.dynamo.get("Media", {"id": media.id})
        if row is None:
            return
        try:
            self.dynamo.transact([forgetting(row, media.owner)])
        except ConditionFailed as failure:
            raise VersionConflict(f"file {media.id} was changed meanwhile") from failure


def _doomed(table_name: str, item_id: str) -> dict[str, Any]:
    """The condition that an item is marked, or gone."""
    return check_write(
        table_name,
        {"id": item_id},
        ConditionExpression=f"attribute_not_exists(id) OR attribute_exists({MARK})",
    )
