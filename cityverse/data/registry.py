"""Every table, key, index and bucket, in one place.

Provisioning, the repositories, the documentation and the tests read this registry.
Names and keys of the seed hold exactly; its indexes keep a partition key alone, and
a listing that needs an order has an index of its own beside them.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Index:
    """A global secondary index; every key attribute is a string."""

    name: str
    partition: str
    sort: str | None = None


@dataclass(frozen=True, slots=True)
class Table:
    """A table; every key attribute is a string. ``ttl`` names the attribute of expiry.

    What is not ``exported`` is of use for hours and to this store alone.
    """

    name: str
    purpose: str
    partition: str = "id"
    sort: str | None = None
    indexes: tuple[Index, ...] = ()
    ttl: str | None = None
    exported: bool = True

    def key_attributes(self) -> frozenset[str]:
        """The attributes that are a key of the table or of one of its indexes."""
        keys = {self.partition, self.sort}
        for index in self.indexes:
            keys |= {index.partition, index.sort}
        return frozenset(key for key in keys if key)


@dataclass(frozen=True, slots=True)
class Bucket:
    """A bucket: the field of ``Settings`` that names it, and the prefixes inside it."""

    setting: str
    prefixes: tuple[str, ...]
    purpose: str


# A timeline is read day by day; see timeline.py.
DAY_INDEX = Index("day-index", "bucket", "order")
ARRONDISSEMENT_INDEX = Index("arrondissement-index", "arrondissement", "order")
ASSOCIATION_INDEX = Index("association-index", "association_id", "order")
# Items near a place: one H3 cell of resolution 8 (about 900 m across) a partition.
CELL_INDEX = Index("cell-index", "cell", "order")
USER_INDEX = Index("user-index", "user_id", "order")
PRODUCT_INDEX = Index("product-index", "product_id", "order")
# By these a person is found in what stays when their account is deleted.
OWNER_INDEX = Index("owner-index", "owner_id", "order")
REPORTER_INDEX = Index("reporter-index", "reporter_id", "order")
SUBJECT_INDEX = Index("subject-index", "subject_id", "order")
ACTOR_INDEX = Index("actor-index", "actor_id", "order")
# Drafts stand in no other index.
DRAFT_INDEX = Index("draft-index", "draft_of", "drafted")
SOURCE_INDEX = Index("source-index", "source_id", "order")
LISTED = (DAY_INDEX, ARRONDISSEMENT_INDEX, ASSOCIATION_INDEX, CELL_INDEX)

TABLES: tuple[Table, ...] = (
    Table("User", "people with an account", indexes=(Index("email-index", "email"),)),
    Table("Blacklist", "revoked tokens, until they expire", partition="token", ttl="expires"),
    Table("Association", "bodies that publish", indexes=(DAY_INDEX, CELL_INDEX, OWNER_INDEX)),
    Table("Mission", "volunteering offers, by the day they start", indexes=(*LISTED, DRAFT_INDEX)),
    Table("Event", "events, by the day they start", indexes=LISTED),
    Table("Badge", "badges one can earn"),
    Table("Donation", "donation campaigns", indexes=LISTED),
    Table(
        "Application",
        "requests to take part in a mission",
        indexes=(
            Index("mission_id_index", "mission_id"),
            Index("user_id-index", "user_id"),
            Index("mission-index", "mission_id", "order"),
            USER_INDEX,
            # Only who waits, and only what is to be erased, stands in these.
            Index("waiting-index", "waiting_for", "order"),
            Index("erase-index", "erase", "erase_order"),
        ),
    ),
    Table(
        "Message",
        "what an applicant and a team write to each other",
        partition="application_id",
        sort="order",
        indexes=(USER_INDEX,),
        ttl="expires",
    ),
    Table(
        "Donations",
        "contributions to a campaign",
        indexes=(
            Index("donation_id-index", "donation_id"),
            Index("user_id-index", "user_id"),
            Index("campaign-index", "donation_id", "order"),
            USER_INDEX,
        ),
    ),
    Table(
        "TaxReceipt",
        "receipts for the tax office, in sequence, and who may issue them",
        partition="association_id",
        sort="number",
    ),
    Table(
        "Posts",
        "what associations and residents publish",
        indexes=(Index("product_id", "product_id"), *LISTED, PRODUCT_INDEX, USER_INDEX),
    ),
    Table(
        "Product",
        "goods, services and places",
        indexes=(Index("nom-index", "nom"), *LISTED),
    ),
    Table(
        "News",
        "articles of the sources",
        indexes=(
            DAY_INDEX,
            ARRONDISSEMENT_INDEX,
            CELL_INDEX,
            SOURCE_INDEX,
        ),
        ttl="expires",
    ),
    Table(
        "NewsSource",
        "feeds and the state of their polling",
        indexes=(Index("status-index", "status", "next_check"),),
    ),
    Table(
        "Comment",
        "answers to a post",
        indexes=(Index("post-index", "post_id", "order"), USER_INDEX),
    ),
    Table(
        "Reaction",
        "one of a person to a post",
        partition="post_id",
        sort="user_id",
        indexes=(Index("user-index", "user_id", "post_id"),),
    ),
    Table(
        "Follow",
        "who follows which association",
        partition="user_id",
        sort="association_id",
        indexes=(ASSOCIATION_INDEX,),
    ),
    Table(
        "Attendance",
        "who comes to an event",
        partition="event_id",
        sort="user_id",
        indexes=(USER_INDEX,),
    ),
    Table("Award", "points and badges given, once a cause", partition="user_id", sort="cause"),
    Table(
        "Notification",
        "what a person should know, newest first",
        partition="user_id",
        sort="order",
        indexes=(ACTOR_INDEX,),
        ttl="expires",
    ),
    Table(
        "Report",
        "content that somebody reported",
        indexes=(
            Index("status-index", "status", "order"),
            Index("target-index", "target", "order"),
            REPORTER_INDEX,
        ),
    ),
    Table(
        "Case",
        "the reports of one item that wait for one decision",
        indexes=(Index("status-index", "status", "order"), SUBJECT_INDEX),
    ),
    Table(
        "Decision",
        "what moderators decided, and why",
        indexes=(
            Index("target-index", "target", "order"),
            SUBJECT_INDEX,
            Index("month-index", "month", "order"),
        ),
    ),
    Table(
        "Appeal",
        "decisions that somebody does not accept",
        indexes=(Index("status-index", "status", "order"), USER_INDEX),
    ),
    Table("Audit", "acts of moderators, only ever added", partition="month", sort="order"),
    Table(
        "Letter",
        "e-mails that are to be sent",
        indexes=(Index("due-index", "state", "due"),),
        ttl="expires",
        exported=False,
    ),
    Table(
        "Proposal",
        "where readers say an article is",
        indexes=(Index("status-index", "status", "order"), USER_INDEX),
        ttl="expires",
    ),
    Table(
        "Alias",
        "names of places that managers accepted",
        partition="gazetteer",
        sort="words",
    ),
    Table(
        "Digest",
        "who is sent the news, and when next",
        partition="user_id",
        indexes=(Index("due-index", "state", "due"),),
    ),
    Table("Rollup", "daily figures", partition="series", sort="day"),
    Table("Claim", "values that must be unique, and who has them"),
    Table(
        "Receipt",
        "requests already carried out, so that a repetition has no effect",
        ttl="expires",
    ),
    Table(
        "Link",
        "links for one use, under a hash, until they have expired",
        ttl="expires",
        exported=False,
    ),
    Table(
        "Throttle",
        "attempts counted against a limit of their window",
        ttl="expires",
        exported=False,
    ),
    Table(
        "Draft",
        "what a person is writing, and what waits for its time",
        partition="user_id",
        sort="id",
        indexes=(Index("due-index", "state", "due"),),
    ),
    Table(
        "Removal",
        "what goes when the time to think again is over",
        indexes=(Index("due-index", "state", "due"),),
    ),
    Table(
        "Membership",
        "who edits which association, and who was asked to",
        partition="user_id",
        sort="association_id",
        indexes=(ASSOCIATION_INDEX,),
    ),
    Table(
        "Verification",
        "associations that managers look at",
        indexes=(Index("status-index", "status", "order"),),
    ),
    Table(
        "Media",
        "uploaded files, and who may see them",
        indexes=(Index("owner-index", "owner", "created"),),
    ),
    Table(
        "Term",
        "words of titles and texts, for search",
        partition="term",
        sort="order",
        ttl="expires",
    ),
    Table(
        "Day",
        "the days and shards of a timeline that hold anything",
        partition="timeline",
        sort="bucket",
        ttl="expires",
    ),
    Table("Demo", "which items belong to the demo city", partition="table", sort="id"),
    Table("Meta", "facts about the store itself, such as whether the demo was filled in"),
)

BUCKETS: tuple[Bucket, ...] = (
    Bucket(
        "bucket_profilepics", ("profile-images/", "product-images/"), "profile and product images"
    ),
    Bucket("bucket_videos", ("media-posts/",), "images and videos of posts"),
)

EXPORTED = tuple(table for table in TABLES if table.exported)

_BY_NAME = {table.name: table for table in TABLES}


def table(name: str) -> Table:
    """The table of this name; KeyError when the registry has none."""
    return _BY_NAME[name]
