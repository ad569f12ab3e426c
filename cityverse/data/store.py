"""The store: every repository over one connection."""

from __future__ import annotations

import contextlib
import os
import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cityverse.data import terms
from cityverse.data.applications import ApplicationRepository
from cityverse.data.associations import AssociationRepository
from cityverse.data.attendance import AttendanceRepository
from cityverse.data.awards import AwardRepository
from cityverse.data.badges import BadgeRepository
from cityverse.data.campaigns import CampaignRepository
from cityverse.data.client import Dynamo, dynamodb_client
from cityverse.data.comments import CommentRepository
from cityverse.data.contributions import ContributionRepository
from cityverse.data.cursors import Cursors
from cityverse.data.deletion import Deletion
from cityverse.data.digests import DigestRepository
from cityverse.data.drafts import DraftRepository
from cityverse.data.events import EventRepository
from cityverse.data.follows import FollowRepository
from cityverse.data.letters import LetterRepository
from cityverse.data.links import LinkRepository
from cityverse.data.messages import MessageRepository
from cityverse.data.missions import MissionRepository
from cityverse.data.news import NewsRepository
from cityverse.data.notifications import NotificationRepository
from cityverse.data.posts import PostRepository
from cityverse.data.products import ProductRepository
from cityverse.data.proposals import AliasRepository, ProposalRepository
from cityverse.data.reactions import ReactionRepository
from cityverse.data.removals import RemovalRepository
from cityverse.data.reports import (
    AppealRepository,
    AuditRepository,
    CaseRepository,
    DecisionRepository,
    ReportRepository,
)
from cityverse.data.repository import Repository
from cityverse.data.revoked import RevokedTokens
from cityverse.data.rollups import RollupRepository
from cityverse.data.sources import SourceRepository
from cityverse.data.tax_receipts import TaxReceiptRepository
from cityverse.data.teams import MembershipRepository, VerificationRepository
from cityverse.data.throttles import Throttles
from cityverse.data.users import UserRepository
from cityverse.errors import StoreMisconfigured
from cityverse.settings import Settings

_SECRET_BYTES = 32


@dataclass(frozen=True, slots=True)
class Store:
    """All repositories, the search, and facts about the store itself; safe to share by threads."""

    dynamo: Dynamo
    news: NewsRepository
    sources: SourceRepository
    associations: AssociationRepository
    posts: PostRepository
    missions: MissionRepository
    events: EventRepository
    campaigns: CampaignRepository
    products: ProductRepository
    users: UserRepository
    follows: FollowRepository
    comments: CommentRepository
    reactions: ReactionRepository
    applications: ApplicationRepository
    messages: MessageRepository
    contributions: ContributionRepository
    tax_receipts: TaxReceiptRepository
    attendance: AttendanceRepository
    awards: AwardRepository
    badges: BadgeRepository
    notifications: NotificationRepository
    reports: ReportRepository
    decisions: DecisionRepository
    cases: CaseRepository
    appeals: AppealRepository
    audit: AuditRepository
    letters: LetterRepository
    proposals: ProposalRepository
    aliases: AliasRepository
    rollups: RollupRepository
    revoked: RevokedTokens
    links: LinkRepository
    throttles: Throttles
    drafts: DraftRepository
    digests: DigestRepository
    removals: RemovalRepository
    memberships: MembershipRepository
    verifications: VerificationRepository
    deletion: Deletion

    def search(self, kind: str, text: str) -> list[terms.Found] | None:
        """Ids of items of a kind that have all words of ``text``; None without a usable word."""
        return terms.search(self.dynamo, kind, text)

    def meta(self, name: str) -> Mapping[str, Any] | None:
        """A fact about the store, or None."""
        return self.dynamo.get("Meta", {"id": name})

    def set_meta(self, name: str, **facts: str | int) -> None:
        """Replace a fact about the store."""
        self.dynamo.put("Meta", {"id": name, **facts})

    def repositories(self) -> dict[str, Repository[Any]]:
        """Every repository of items with an id of their own, by the name of its table."""
        own: tuple[Repository[Any], ...] = (
            self.news,
            self.sources,
            self.associations,
            self.posts,
            self.missions,
            self.events,
            self.campaigns,
            self.products,
            self.users,
            self.comments,
            self.applications,
            self.contributions,
            self.badges,
            self.reports,
            self.cases,
            self.appeals,
            self.proposals,
        )
        return {repository.table: repository for repository in own}

    def demo_ids(self, table: str, *, most: int) -> list[str]:
        """Ids of up to ``most`` items of the demo city in a table."""
        rows = self.dynamo.query(
            "Demo",
            limit=most,
            KeyConditionExpression="#table = :table",
            ExpressionAttributeNames={"#table": "table"},
            ExpressionAttributeValues={":table": table},
            ConsistentRead=True,
        )
        return [row["id"] for row in rows]

    def forget_demo(self, table: str, item_id: str) -> None:
        """Drop the mark of a demo item that is no longer there."""
        self.dynamo.delete("Demo", {"table": table, "id": item_id})

    def holds_nothing(self) -> bool:
        """Whether no table of things people see holds an item, however it came there.

        DynamoDB itself counts the items of a table only every six hours; a list shows
        at once what was written by a repository.
        """
        listed = (self.news, self.associations, self.posts, self.missions, self.events)
        return not any(repository.page(limit=1).items for repository in listed) and not any(
            self.dynamo.count(repository.table) for repository in listed
        )


def connect(settings: Settings) -> Store:
    """A store for these settings; raises StoreUnavailable when none answers."""
    return over(Dynamo(dynamodb_client(settings)), Cursors(secret(settings)))


def over(dynamo: Dynamo, cursors: Cursors) -> Store:
    """A store over this connection; it remembers nothing but which buckets it entered."""
    return Store(
        dynamo=dynamo,
        news=NewsRepository(dynamo, cursors),
        sources=SourceRepository(dynamo),
        associations=AssociationRepository(dynamo, cursors),
        posts=PostRepository(dynamo, cursors),
        missions=MissionRepository(dynamo, cursors),
        events=EventRepository(dynamo, cursors),
        campaigns=CampaignRepository(dynamo, cursors),
        products=ProductRepository(dynamo, cursors),
        users=UserRepository(dynamo),
        follows=FollowRepository(dynamo, cursors),
        comments=CommentRepository(dynamo, cursors),
        reactions=ReactionRepository(dynamo, cursors),
        applications=ApplicationRepository(dynamo, cursors),
        messages=MessageRepository(dynamo, cursors),
        contributions=ContributionRepository(dynamo, cursors),
        tax_receipts=TaxReceiptRepository(dynamo, cursors),
        attendance=AttendanceRepository(dynamo, cursors),
        awards=AwardRepository(dynamo, cursors),
        badges=BadgeRepository(dynamo),
        notifications=NotificationRepository(dynamo, cursors),
        reports=ReportRepository(dynamo, cursors),
        decisions=DecisionRepository(dynamo, cursors),
        cases=CaseRepository(dynamo, cursors),
        appeals=AppealRepository(dynamo, cursors),
        audit=AuditRepository(dynamo, cursors),
        letters=LetterRepository(dynamo),
        proposals=ProposalRepository(dynamo, cursors),
        aliases=AliasRepository(dynamo),
        rollups=RollupRepository(dynamo),
        revoked=RevokedTokens(dynamo),
        links=LinkRepository(dynamo),
        throttles=Throttles(dynamo),
        drafts=DraftRepository(dynamo),
        digests=DigestRepository(dynamo),
        removals=RemovalRepository(dynamo),
        memberships=MembershipRepository(dynamo, cursors),
        verifications=VerificationRepository(dynamo, cursors),
        deletion=Deletion(dynamo, cursors),
    )


def secret(settings: Settings) -> bytes:
    """The secret that all instances of an installation share; raises StoreMisconfigured."""
    if settings.cursor_secret:
        return settings.cursor_secret.encode()
    return kept_secret(settings.data_dir / "cursor.key")


def kept_secret(path: Path) -> bytes:
    """The secret in this file; made once, whole or not at all, when it is not there."""
    try:
        if not path.exists():
            _make_secret(path)
        secret = path.read_bytes()
    except OSError as error:
        raise StoreMisconfigured(f"cannot keep {path}: {error.strerror}") from error
    if len(secret) < _SECRET_BYTES:
        raise StoreMisconfigured(f"{path} is damaged: delete it, a new one will be made")
    return secret


def _make_secret(path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    draft = path.with_name(f"{path.name}.{os.getpid()}.{secrets.token_hex(4)}")
    try:
        draft.touch(mode=0o600)
        draft.write_bytes(secrets.token_bytes(_SECRET_BYTES))
        with contextlib.suppress(FileExistsError):  # another process made one just now
            os.link(draft, path)
    finally:
        draft.unlink(missing_ok=True)
