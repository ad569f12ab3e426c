"""Digests: what is new in the news, by e-mail, daily or weekly, as each person chose.

A worker takes a digest that is due by moving its time on, then sends it: so none is sent
twice, by however many workers. What a digest tells begins where the last one that went
out ended: what a crash in between kept back comes with the next one.
"""

from __future__ import annotations

import hashlib
import hmac
import logging
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, time, timedelta

from cityverse.community.city import CITY_ZONE, CityItem, as_item
from cityverse.community.stories import grouped
from cityverse.data.repository import Window
from cityverse.data.store import Store
from cityverse.domain import policy
from cityverse.domain.digests import Digest, Pace
from cityverse.domain.news import Article, TopicName
from cityverse.domain.people import Status, User
from cityverse.domain.policy import Action
from cityverse.errors import MailError

log = logging.getLogger(__name__)

TOLD_MOST = 20
_HOUR = time(7)
_MONDAY = 0
_AGAIN = timedelta(minutes=15)
# What was published just now may not be here yet: the next digest tells of it.
_LAG = timedelta(hours=1)
# After a long silence it does not tell of everything.
_BACK = {Pace.DAILY: timedelta(days=2), Pace.WEEKLY: timedelta(days=8)}

Deliver = Callable[[User, Digest, "list[CityItem]"], None]


@dataclass(frozen=True, slots=True)
class Wish:
    """What a person chose; no arrondissements or topics: all of them."""

    pace: Pace
    arrondissements: tuple[int, ...] = ()
    topics: tuple[TopicName, ...] = ()
    language: str = "fr"


def wanted(store: Store, who: User | None) -> Digest | None:
    """What who is signed in wants to be sent, or None. Raises NotSignedIn."""
    return store.digests.find(policy.require(who, Action.EDIT_ACCOUNT, who.id if who else None).id)


def choose(store: Store, who: User | None, wish: Wish | None, now: datetime) -> None:
    """Want a digest, another one, or (None) none any more. Raises NotSignedIn, InvalidField."""
    user = policy.require(who, Action.EDIT_ACCOUNT, who.id if who else None)
    if wish is None:
        store.digests.stop(user.id)
        return
    before = store.digests.find(user.id)
    store.digests.keep(
        Digest(
            user_id=user.id,
            pace=wish.pace,
            due=next_due(wish.pace, now),
            since=before.since if before else now - _LAG,
            language=wish.language,
            arrondissements=tuple(sorted(set(wish.arrondissements))),
            topics=tuple(sorted(set(wish.topics))),
        )
    )


def next_due(pace: Pace, now: datetime) -> datetime:
    """The next seven o'clock in Paris, of any day or of a Monday."""
    day = now.astimezone(CITY_ZONE).date()
    while True:
        due = _morning(day)
        if due > now and (pace is Pace.DAILY or day.weekday() == _MONDAY):
            return due
        day += timedelta(days=1)


def _morning(day: date) -> datetime:
    local = datetime.combine(day, _HOUR, CITY_ZONE)
    return local.astimezone(UTC)


def send_due(store: Store, now: datetime, deliver: Deliver) -> int:
    """Send some of the digests whose time has come; answers with how many went out.

    ``deliver`` hands one to the mail server, and raises MailError. Raises StoreError.
    """
    return sum(_send(store, digest, now, deliver) for digest in store.digests.due(now))


def _send(store: Store, digest: Digest, now: datetime, deliver: Deliver) -> bool:
    upcoming = next_due(digest.pace, now)
    if not store.digests.postpone(digest, upcoming):
        return False  # another worker has it, or the person changed their mind
    taken = replace(digest, due=upcoming)
    user = store.users.find(digest.user_id)
    if user is None or user.status is not Status.ACTIVE or not user.verified_at:
        return False
    news = told(store, digest, now)
    if news:
        try:
            deliver(user, digest, news)
        except MailError as error:
            log.warning("the digest of %s waits: %s", user.id, error)
            store.digests.postpone(taken, now + _AGAIN)
            return False
    store.digests.told(taken, now - _LAG)
    return bool(news)


def told(store: Store, digest: Digest, now: datetime) -> list[CityItem]:
    """The news of a digest, the newest first, one for each story."""
    window = Window(max(digest.since, now - _BACK[digest.pace]), now - _LAG)
    topics = set(digest.topics)

    def fits(article: Article) -> bool:
        about = {topic.name for topic in article.topics}
        return not article.demo and (not topics or bool(topics & about))

    pages = [
        store.news.page(limit=TOLD_MOST, window=window, arrondissement=where, where=fits)
        for where in (digest.arrondissements or (None,))
    ]
    found = {article.id: article for page in pages for article in page.items}
    newest = sorted(found.values(), key=_published, reverse=True)
    return grouped(_items(newest))[:TOLD_MOST]


def _published(article: Article) -> tuple[datetime, str]:
    return article.published, article.id


def _items(articles: Iterable[Article]) -> list[CityItem]:
    return [as_item(article) for article in articles]


def key_of(secret: bytes, user_id: str) -> str:
    """The key by which whoever has a digest of this person may stop them, and no more."""
    made = hmac.new(secret, b"cityverse digest\n" + user_id.encode(), hashlib.sha256)
    return made.hexdigest()[:40]


def stop(store: Store, secret: bytes, user_id: str, key: str) -> bool:
    """Stop the digests of a person with the key of one; False when it is not theirs."""
    if not fits(secret, user_id, key):
        return False
    store.digests.stop(user_id)
    return True


def fits(secret: bytes, user_id: str, key: str) -> bool:
    """Whether a key is that of the digests of a person."""
    right = key_of(secret, user_id).encode()
    return hmac.compare_digest(right, key.encode("utf-8", "replace"))
