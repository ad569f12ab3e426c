"""The sources of news, for those who look after them: health, pausing, adding, lists of feeds.

Sources of the configured list are paused here, never removed: the list would bring them
back. One that was added here is ``configured=False`` and stays until it is removed here.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime

from cityverse.data.store import Store
from cityverse.domain import policy
from cityverse.domain.news import Source, SourceStatus
from cityverse.domain.people import User
from cityverse.domain.policy import Action
from cityverse.errors import AlreadyExists, NotAllowed, VersionConflict
from cityverse.news import discover, opml
from cityverse.news.discover import Preview
from cityverse.news.feeds import FeedConfig

# A poll writes to its source too: so often a change is made anew on what it wrote.
_TRIES = 5
_NAME_LONGEST = 120


@dataclass(frozen=True, slots=True)
class Imported:
    """What a list of feeds brought: ids of new sources, how many were known, what not and why."""

    added: tuple[str, ...]
    known: int
    left_out: tuple[str, ...]


def listed(store: Store, who: User | None) -> list[Source]:
    """All sources: failing ones first, then those that are polled, then the paused ones.

    Raises NotSignedIn, NotAllowed and StoreError, as all of these do.
    """
    policy.require(who, Action.MANAGE_SOURCES)
    found = [source for status in SourceStatus for source in store.sources.listed(status)]
    return sorted(found, key=_urgency)


def _urgency(source: Source) -> tuple[bool, bool, str]:
    return source.status is SourceStatus.PAUSED, source.error is None, source.name.casefold()


def pause(store: Store, who: User | None, source_id: str) -> Source:
    """Ask a source no more until it is resumed; raises NotFound."""
    policy.require(who, Action.MANAGE_SOURCES)
    return _change(store, source_id, lambda now: replace(now, status=SourceStatus.PAUSED))


def resume(store: Store, who: User | None, source_id: str, now: datetime) -> Source:
    """Ask a paused source again, at once; raises NotFound."""
    policy.require(who, Action.MANAGE_SOURCES)
    return _change(
        store,
        source_id,
        lambda stored: replace(
            stored, status=SourceStatus.ACTIVE, error_count=0, next_check_at=now
        ),
    )


def check_now(store: Store, who: User | None, source_id: str, now: datetime) -> Source:
    """Let the worker ask a source in its next round, whatever its turn; raises NotFound."""
    policy.require(who, Action.MANAGE_SOURCES)
    return _change(store, source_id, lambda stored: replace(stored, next_check_at=now))


def probe(who: User | None, url: str, *, allow_private: bool) -> Preview:
    """Look at an address before adding it: takes up to a minute, and stores nothing.

    Raises InvalidField, FetchError and FeedUnreadable.
    """
    policy.require(who, Action.MANAGE_SOURCES)
    return discover.probe(url.strip(), allow_private=allow_private)


def add(store: Store, who: User | None, found: Preview) -> Source:
    """Poll the feed of a preview from now on; one that is known stays as it is."""
    policy.require(who, Action.MANAGE_SOURCES)
    name = (found.title.strip() or found.url)[:_NAME_LONGEST]
    source, _ = _add(store, FeedConfig(opml.id_of(found.url), name, found.url, found.home))
    return source


def remove(store: Store, who: User | None, source_id: str) -> None:
    """Remove a source that was added here; its articles stay until they expire.

    Raises NotAllowed for one of the configured list. What is gone is no error.
    """
    policy.require(who, Action.MANAGE_SOURCES)
    for left in reversed(range(_TRIES)):
        source = store.sources.find(source_id)
        if source is None:
            return
        if source.configured:
            raise NotAllowed(f"{source_id} stands in the configured list: pause it instead")
        try:
            return store.sources.delete(source)
        except VersionConflict:
            if not left:
                raise


def import_opml(store: Store, who: User | None, data: bytes) -> Imported:
    """Poll the feeds of an OPML file from now on; raises InputError."""
    policy.require(who, Action.MANAGE_SOURCES)
    feeds, left_out = opml.read(data)
    urls = {s.configured_url or s.url for s in listed(store, who)}
    fresh = [feed for feed in feeds if feed.url not in urls]
    added = [source.id for source, new in (_add(store, feed) for feed in fresh) if new]
    return Imported(tuple(added), len(feeds) - len(added), tuple(left_out))


def export_opml(store: Store, who: User | None, title: str) -> bytes:
    """All sources as an OPML file, for another feed reader."""
    feeds = (FeedConfig(s.id, s.name, s.url, s.home) for s in listed(store, who))
    return opml.write(title, feeds)


def _add(store: Store, feed: FeedConfig) -> tuple[Source, bool]:
    """The source of a feed, and whether it is new."""
    source = Source(feed.id, feed.name, feed.url, feed.home, configured=False)
    with contextlib.suppress(AlreadyExists):
        return store.sources.create(source), True
    return store.sources.get(feed.id), False


def _change(store: Store, source_id: str, change: Callable[[Source], Source]) -> Source:
    for left in reversed(range(_TRIES)):
        source = store.sources.get(source_id)
        try:
            return store.sources.replace(source, change(source))
        except VersionConflict:
            if not left:
                raise
    raise AssertionError("unreachable")
