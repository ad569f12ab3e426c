"""Everything the store holds about a person, for that person.

What is shown of each table is on a list, so that secrets, and what others said in
confidence, are left out by construction: a field nobody thought of is not shown.
"""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from cityverse.data.client import Dynamo, Item
from cityverse.data.deletion import OF_PERSON, Rows

ROWS_MOST = 10_000
"""Of one kind no more is told; ``About.cut`` names the kinds that have more."""

_ALWAYS = ("id", "created", "demo")
ALLOWED: Mapping[Rows, tuple[str, ...]] = {
    Rows("Follow", "user_id"): ("association_id",),
    Rows("Award", "user_id"): ("cause", "points", "badge_id", "hours"),
    Rows("Notification", "user_id"): ("topic", "target", "actor_name", "text", "read_at"),
    # What others were told of this person.
    Rows("Notification", "actor_id", "actor-index"): ("topic", "target", "text"),
    Rows("Attendance", "user_id", "user-index"): ("event_id",),
    Rows("Reaction", "user_id", "user-index"): ("post_id", "reaction"),
    Rows("Application", "user_id", "user_id-index"): (
        *("mission_id", "state", "changed", "first_name", "surname", "age", "address", "phone"),
        *("interests", "has_car", "has_licence", "refusal", "accepted", "presence", "minutes"),
        "erase_at",
    ),
    Rows("Donations", "user_id", "user_id-index"): (
        *("donation_id", "campaign_title", "association_id", "association_name", "cents"),
        *("currency", "state", "changed", "first_name", "surname", "address", "message"),
        *("anonymous", "corrects", "received", "method", "receipt", "deductible"),
    ),
    Rows("Message", "user_id", "user-index"): (
        *("application_id", "user_name", "text", "expires_at", "team"),
    ),
    Rows("Draft", "user_id"): (
        *("updated", "text", "association_id", "links", "previews", "files", "file_kinds"),
        *("location", "state", "due", "failure"),
    ),
    Rows("Digest", "user_id"): ("pace", "due", "since", "language", "arrondissements", "topics"),
    Rows("Membership", "user_id"): (
        *("association_id", "association_name", "user_name", "standing"),
    ),
    # Who decides on a report, and how, is not the person's own.
    Rows("Report", "reporter_id", "reporter-index"): (
        *("target", "reason", "text", "status", "reporter_name", "reporter_email"),
    ),
    # That one's own things were reported is told by the decision, with its reasons.
    Rows("Case", "subject_id", "subject-index"): ("target", "opened", "status"),
    Rows("Decision", "subject_id", "subject-index"): (
        *("target", "measure", "facts", "ground", "rule", "explanation", "redress", "until"),
        *("found_by_machine", "decided_by_machine", "revises"),
    ),
    Rows("Appeal", "user_id", "user-index"): (
        *("decision_id", "target", "text", "status", "decided_at", "reason", "against_inaction"),
    ),
    Rows("Proposal", "user_id", "user-index"): (
        *("article_id", "location", "text", "status", "decided_at", "reason"),
    ),
    Rows("Comment", "user_id", "user-index"): (
        *("post_id", "parent_id", "user_name", "text", "edited_at", "deleted"),
        "moderation",
    ),
    Rows("Posts", "user_id", "user-index"): (
        *("title", "text", "user_name", "author_kind", "association_id", "association_name"),
        *("product_id", "location", "media", "media_kinds", "links", "previews", "edited"),
        *("removed", "moderation"),
    ),
    Rows("Association", "owner_id", "owner-index"): (
        *("name", "rna", "description", "website", "goals", "location", "verified"),
        *("activities", "links", "profile_media_id", "banner_media_id", "closing"),
        "moderation",
    ),
    Rows("Media", "owner", "owner-index"): (
        *("kind", "content_type", "size", "name", "width", "height", "public", "state", "deleted"),
        "hidden",
    ),
}
WITHHELD: Mapping[str, tuple[str, ...]] = {
    # The key of the person is no fact about them; what secures the account stays secret.
    "User": ("password_hash", "session_version", "second_factor", "calendar_version"),
    "Notification": ("actor_id",),
    "Report": ("assigned_to", "decision_id", "case_id", "evidence"),
    # Who reported and who decides, and what they were shown, is told to nobody.
    "Case": (
        *("reason", "due", "title", "association_id", "assigned_to", "decision_id", "reports"),
    ),
    "Decision": ("moderator_id", "subject_id", "case_id"),
    "Appeal": ("moderator_id", "named", "decided_by", "party"),
    "Proposal": ("request", "expires_at"),
    "Posts": (
        *("reactions_like", "reactions_love", "reactions_haha", "reactions_wow"),
        *("reactions_sad", "reactions_angry", "comments"),
    ),
    # Who else edits, or sees a file, is told to nobody by name of an id.
    "Association": ("editors", "followers"),
    "Media": ("place", "viewers"),
}
"""What of each table is deliberately not told; a test holds that nothing was forgotten."""

OF_ACCOUNT = (
    *("email", "first_name", "last_name", "role", "status", "consents", "verified_at"),
    "suspended_until",
    *("description", "profile_media_id", "banner_media_id", "links", "goals", "address"),
    *("score", "hours", "following", "last_seen", "notified_until"),
)
"""What of the account is told."""


def about(dynamo: Dynamo, user_id: str) -> dict[str, Any]:
    """The account and all rows that name its person, by table, ready for JSON.

    ``cut`` names the tables of which only the first 10,000 rows are told. Raises StoreError.
    """
    account = dynamo.get("User", {"id": user_id})
    told: dict[str, Any] = {"account": _shown(account or {}, OF_ACCOUNT)}
    cut: list[str] = []
    for rows in OF_PERSON:
        found = _rows(dynamo, rows, user_id)
        name = rows.table if rows.field != "actor_id" else f"{rows.table} of others"
        told[name] = [_shown(row, ALLOWED[rows]) for row in found[:ROWS_MOST]]
        if len(found) > ROWS_MOST:
            cut.append(name)
    return told | {"cut": cut}


def _rows(dynamo: Dynamo, rows: Rows, user_id: str) -> list[Item]:
    return dynamo.query(
        rows.table,
        index=rows.index,
        limit=ROWS_MOST + 1,
        KeyConditionExpression="#person = :person",
        ExpressionAttributeNames={"#person": rows.field},
        ExpressionAttributeValues={":person": user_id},
    )


def _shown(item: Item, allowed: tuple[str, ...]) -> dict[str, Any]:
    return {name: _plain(item[name]) for name in (*_ALWAYS, *allowed) if name in item}


def _plain(value: Any) -> Any:
    """A value as JSON has it."""
    if isinstance(value, Decimal):
        return int(value) if value == value.to_integral_value() else float(value)
    if isinstance(value, set | frozenset):
        return sorted(map(_plain, value), key=str)
    if isinstance(value, list):
        return [_plain(part) for part in value]
    if isinstance(value, dict):
        return {name: _plain(part) for name, part in value.items()}
    return value
