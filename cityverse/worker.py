"""The worker: polls sources, publishes what is due, sweeps files, fetches the real city.

It also tends missions, sends digests, and goes on with deletions of accounts that were cut off.
"""

from __future__ import annotations

import logging
import signal
import threading
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from functools import partial
from types import FrameType

from cityverse.accounts import digest, mail, sending
from cityverse.community import digests, missions, moderation, posting
from cityverse.data import media
from cityverse.data.media import MediaStore
from cityverse.data.store import Store, connect
from cityverse.errors import CityVerseError, InputError, NotFound, VersionConflict
from cityverse.map.realcity import Keeper
from cityverse.news import feeds
from cityverse.news.poll import Poller, Result
from cityverse.settings import Settings
from cityverse.telemetry import tell_round

log = logging.getLogger(__name__)

_LOOK_EVERY = 15.0
_HOUR = timedelta(hours=1)
# How long ago missions may have begun that are looked at: long ones once a start.
_ALL_THERE_MAY_BE, _SINCE_LATELY = timedelta(days=400), timedelta(days=8)


def run(settings: Settings) -> int:
    """Poll until SIGTERM or Ctrl-C; answers with the exit code."""
    stop = threading.Event()

    def handle(_number: int, _frame: FrameType | None) -> None:
        stop.set()

    signal.signal(signal.SIGTERM, handle)
    signal.signal(signal.SIGINT, handle)
    store = connect(settings)
    poller = _poller(store, settings)
    files = media.connect(settings)
    deliver = digest.deliverer(settings, mail.sender(settings))
    real_city = Keeper(settings)
    hourly, first = datetime.now(UTC), True
    log.info("worker started")
    while not stop.is_set():
        _attempt("the real city", real_city.look)
        _attempt("publishing", lambda: _publish(store, settings))
        _attempt("moderation", lambda: _moderate(store))
        _attempt("letters", lambda: _letters(store, settings))
        _attempt("polling", lambda: _poll(store, poller, settings, stop))
        _attempt("digests", lambda: _digests(store, deliver))
        _attempt("deletions", lambda: finish_deletions(store))
        _attempt("figures", lambda: tell_round(settings))
        if datetime.now(UTC) >= hourly:
            hourly = datetime.now(UTC) + _HOUR
            back = _ALL_THERE_MAY_BE if first else _SINCE_LATELY
            first = not _attempt("missions", partial(_tend, store, back)) and first
            _attempt("sweeping", lambda: _sweep(files))
        stop.wait(_LOOK_EVERY)
    real_city.stop()
    log.info("worker stopped")
    return 0


def _attempt(name: str, job: Callable[[], object]) -> bool:
    """Do one job of a round, whatever became of the others; answers whether it went well.

    The store may be away for a moment; the next round finds it again.
    """
    try:
        job()
    except CityVerseError as error:
        log.warning("%s failed this time: %s", name, error)
        return False
    return True


def _publish(store: Store, settings: Settings) -> None:
    now = datetime.now(UTC)
    published = posting.publish_due(store, now, most=settings.resident_posts)
    removed = posting.remove_due(store, now)
    if published or removed:
        log.info("%d posts came at their time, %d items went", published, removed)


def _moderate(store: Store) -> None:
    moderation.settle_due(store, datetime.now(UTC))


def _letters(store: Store, settings: Settings) -> None:
    sent = sending.send_due(store, settings, mail.sender(settings), datetime.now(UTC))
    if sent:
        log.info("%d letters were sent", sent)


def _digests(store: Store, deliver: digests.Deliver) -> None:
    sent = digests.send_due(store, datetime.now(UTC), deliver)
    if sent:
        log.info("%d digests were sent", sent)


def _poll(store: Store, poller: Poller, settings: Settings, stop: threading.Event) -> None:
    now = datetime.now(UTC)
    store.set_meta("worker", seen_at=now.isoformat(), polling=int(settings.news_poll))
    if settings.news_poll:
        for result in poller.poll(store.sources.due(now), stop):
            if result.error is None:  # a failure is logged where it happens, once
                log.info("%s", result)


def _tend(store: Store, back: timedelta) -> None:
    log.info("missions: %s", missions.tend(store, datetime.now(UTC), back=back))


def _sweep(files: MediaStore) -> None:
    log.info("%d stored files belonged to nothing any more", files.sweep(datetime.now(UTC)))


def finish_deletions(store: Store) -> None:
    """Go on with deletions of accounts that were cut off; raises StoreError."""
    for user_id in store.deletion.unfinished():
        try:
            store.deletion.finish_closed(user_id)
        except VersionConflict as error:
            log.info("the deletion of account %s goes on next time: %s", user_id, error)
        else:
            log.info("account %s is deleted", user_id)


def poll_now(settings: Settings, *, source: str | None, all_sources: bool) -> list[Result]:
    """Poll once: one source, all of them, or those that are due. Raises InputError, NotFound."""
    store = connect(settings)
    poller = _poller(store, settings)
    if source is not None:
        found = store.sources.find(source)
        if found is None:
            known = ", ".join(sorted(one.id for one in poller.active()))
            raise InputError(f"there is no source {source}; there are {known}")
        return poller.poll([found], threading.Event())
    if all_sources:
        active = poller.active()
        if not active:
            raise NotFound("there is no active source")
        return poller.poll(active, threading.Event())
    return poller.poll(store.sources.due(datetime.now(UTC)), threading.Event())


def _poller(store: Store, settings: Settings) -> Poller:
    poller = Poller(store, settings)
    poller.configure(feeds.load(settings.news_feeds or None))
    return poller
