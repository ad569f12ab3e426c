"""Digests: sent once a period, with what is new and nothing else, and stopped by one click."""

import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from asgi import Client
from helpers import article, location
from people_helpers import user
from starlette.applications import Starlette

from cityverse.accounts import digest as letters
from cityverse.community import digests
from cityverse.community.digests import Wish
from cityverse.data import store as stores
from cityverse.domain.digests import Pace
from cityverse.domain.news import Topic, TopicName
from cityverse.domain.people import Status
from cityverse.domain.places import Evidence
from cityverse.errors import InvalidField, MailError, NotSignedIn
from cityverse.ui import unsubscribing

MORNING = digests.next_due(Pace.DAILY, datetime.now(UTC))
NOW = MORNING - timedelta(hours=20)
SPORT = (Topic(TopicName.SPORT, (Evidence("title", 0, 5, "match"),)),)


class Post:
    """Takes digests, or refuses them."""

    def __init__(self):
        self.sent = []
        self.broken = None

    def __call__(self, who, digest, news):
        if self.broken is not None:
            raise self.broken
        self.sent.append((who.id, [item.id for item in news]))


@pytest.fixture
def post():
    return Post()


@pytest.fixture
def ana(store):
    return store.users.create(user("ana", email="ana@example.org", verified_at=NOW))


def wish(store, who, **fields):
    digests.choose(store, who, Wish(**{"pace": Pace.DAILY, **fields}), NOW)


def published(store, item_id, before=timedelta(hours=2), **fields):
    store.news.create(article(item_id, **{"published": MORNING - before, **fields}))


def test_seven_in_the_morning_in_paris():
    winter, summer = (datetime(2031, month, 8, 23, tzinfo=UTC) for month in (1, 7))
    assert digests.next_due(Pace.DAILY, winter) == datetime(2031, 1, 9, 6, tzinfo=UTC)
    assert digests.next_due(Pace.DAILY, summer) == datetime(2031, 7, 9, 5, tzinfo=UTC)
    assert digests.next_due(Pace.WEEKLY, winter).weekday() == 0
    due = digests.next_due(Pace.DAILY, winter)
    assert digests.next_due(Pace.DAILY, due) == due + timedelta(days=1)


def test_it_tells_what_was_chosen_once_a_day(store, ana, post):
    wish(store, ana, arrondissements=(9, 18), topics=(TopicName.SPORT,))
    near, far = location(9), location(20)
    published(store, "n1", location=near, topics=SPORT, title="Un match au parc des sports")
    published(store, "n2", location=near)
    published(store, "n3", location=far, topics=SPORT)
    published(store, "n4", location=location(18), topics=SPORT, title="Tournoi de pétanque")
    published(store, "n5", location=near, topics=SPORT, demo=True, title="Inventé de toutes pièces")
    assert digests.send_due(store, MORNING - timedelta(minutes=1), post) == 0
    assert digests.send_due(store, MORNING, post) == 1
    assert [(who, set(ids)) for who, ids in post.sent] == [("ana", {"n1", "n4"})]
    assert digests.send_due(store, MORNING, post) == 0
    # A day later what was told is not told again; nothing new, no message.
    assert digests.send_due(store, MORNING + timedelta(days=1), post) == 0
    published(store, "n6", timedelta(hours=-30), topics=SPORT, location=near, title="Course à pied")
    assert digests.send_due(store, MORNING + timedelta(days=2), post) == 1
    assert post.sent[1:] == [("ana", ["n6"])]


def test_of_many_workers_one_sends(store, ana, post):
    wish(store, ana)
    published(store, "n1")
    start = threading.Barrier(6)

    def work(_):
        start.wait()
        return digests.send_due(store, MORNING, post)

    with ThreadPoolExecutor(6) as pool:
        assert sum(pool.map(work, range(6))) == 1
    assert len(post.sent) == 1


def test_what_could_not_be_sent_is_sent_later(store, ana, post):
    wish(store, ana)
    published(store, "n1")
    post.broken = MailError("away")
    assert digests.send_due(store, MORNING, post) == 0
    post.broken = None
    assert digests.send_due(store, MORNING + timedelta(minutes=14), post) == 0
    assert digests.send_due(store, MORNING + timedelta(minutes=16), post) == 1
    assert post.sent == [("ana", ["n1"])]


def test_what_a_crash_kept_back_comes_with_the_next_one(store, ana, post):
    wish(store, ana)
    published(store, "n1")
    post.broken = KeyboardInterrupt()
    with pytest.raises(KeyboardInterrupt):
        digests.send_due(store, MORNING, post)
    post.broken = None
    assert digests.send_due(store, MORNING + timedelta(hours=3), post) == 0
    assert digests.send_due(store, MORNING + timedelta(days=1), post) == 1
    assert post.sent == [("ana", ["n1"])]


@pytest.mark.parametrize("fields", [{"status": Status.SUSPENDED}, {"verified_at": None}])
def test_nobody_else_is_written_to(store, ana, post, fields):
    wish(store, ana)
    published(store, "n1")
    store.users.replace(ana, replace(ana, **fields))
    assert digests.send_due(store, MORNING, post) == 0


def test_it_goes_with_its_person_and_bad_wishes_are_refused(store, ana, post):
    with pytest.raises(NotSignedIn):
        digests.choose(store, None, Wish(Pace.DAILY), NOW)
    with pytest.raises(InvalidField):
        wish(store, ana, arrondissements=(21,))
    wish(store, ana, pace=Pace.WEEKLY)
    assert digests.wanted(store, ana).pace is Pace.WEEKLY
    store.deletion.delete("User", "ana")
    assert store.digests.find("ana") is None


def message(settings, store, ana, language="fr"):
    wish(store, ana, language=language)
    evil = '<img src=x onerror=alert(1)> {stop}\n\n* Faux titre "'
    published(store, "n1", title=evil, summary=evil, source_name="<b>")
    digest = store.digests.find("ana")
    news = digests.told(store, digest, MORNING)
    return letters.message(settings, stores.secret(settings), ana, digest, news)


@pytest.mark.parametrize("language", ["fr", "en"])
def test_nothing_in_the_letter_is_markup(settings, store, ana, language):
    made = message(settings, store, ana, language)
    html = made.get_body(("html",)).get_content()
    text = made.get_body(("plain",)).get_content()
    assert "<img" not in html
    assert "&lt;img" in html
    assert f'lang="{language}"' in html
    assert "\n* Faux titre" not in text
    assert f"{settings.address}/?item=news%3An1" in text
    assert made["Subject"].startswith("Paris")
    assert bytes(made)


def test_one_click_stops_it_and_may_be_repeated(settings, store, ana):
    made = message(settings, store, ana)
    assert made["List-Unsubscribe-Post"] == "List-Unsubscribe=One-Click"
    address = made["List-Unsubscribe"].strip("<>").removeprefix(settings.address)
    site = Client(Starlette(routes=unsubscribing.routes(settings)))
    asked = site.get(address)
    assert asked.status_code == 200
    assert "<form method='post'>" in asked.text
    assert store.digests.find("ana") is not None  # a mail program that only looks stops nothing
    for forged in (address.replace("who=ana", "who=zoe"), address.replace("key=", "key=%00"), "?"):
        path = forged if forged != "?" else letters.STOP
        assert site.post(path).status_code == 404
    assert store.digests.find("ana") is not None
    for _ in range(2):
        done = site.post(address)
        assert done.status_code == 200
        assert "ne les recevrez plus" in done.text
    assert store.digests.find("ana") is None
