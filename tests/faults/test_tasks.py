"""Tasks of many writes: the demo city and the articles of a poll, broken off anywhere."""

from __future__ import annotations

import contextlib
import functools

import pytest
from harness import CURSORS, FAULTS, TIMEOUT_AFTER, WRITES, connection, content, empty
from helpers import LATER, NOW, association, clear, settings_for, source
from people_helpers import user

from cityverse.community import associations, campaigns, demo, moderation, posting, receipts
from cityverse.community.campaigns import CampaignForm, GiftForm
from cityverse.community.moderation import Filing, Verdict
from cityverse.data import client
from cityverse.data.store import over
from cityverse.domain.giving import ContributionState, PaymentMethod
from cityverse.domain.moderation import Ground, Measure, Reason
from cityverse.domain.people import Role
from cityverse.domain.posting import Draft
from cityverse.domain.tax_receipts import Issuer
from cityverse.errors import CityVerseError, NotAllowed, NotFound, VersionConflict, WrongState
from cityverse.news import poll
from cityverse.news.parse import Entry
from cityverse.news.places import CurrentLocator
from cityverse.news.poll import Poller
from cityverse.settings import read

SIZES = {"associations": 1, "posts": 2, "missions": 1}
ENTRIES = [
    Entry(id=f"n{n}", title=f"Une piste {n} rue des Martyrs", link=None, published=NOW)
    for n in range(3)
]


@pytest.fixture(scope="module")
def brittle(engine_folder, dynamo):
    clear(dynamo)
    with connection(settings_for(engine_folder), attempts=1) as one:
        yield one
    clear(dynamo)


@pytest.fixture(autouse=True)
def in_order(monkeypatch):
    """One thread, so that attempts have numbers; no waiting."""
    monkeypatch.setattr(demo, "_THREADS", 1)
    monkeypatch.setattr(client, "_pause", lambda attempt: None)
    monkeypatch.setattr(poll, "CurrentLocator", _locator)


@functools.cache
def _locator(data_dir):
    """One for all tries: it takes a while to make."""
    return CurrentLocator(data_dir)


def filled(on):
    demo.fill(over(on.dynamo, CURSORS), SIZES, now=NOW)


def removed(on):
    demo.remove(over(on.dynamo, CURSORS))


def polled(on):
    store = over(on.dynamo, CURSORS)
    Poller(store, read({})).store_entries(source(), ENTRIES, NOW)


def peopled(on):
    store = over(on.dynamo, CURSORS)
    for name, role in (("ana", Role.CREATOR), ("zoe", Role.RESIDENT), ("max", Role.MANAGER)):
        store.users.create(user(name, role=role))


def scheduled(on):
    """A draft is kept, scheduled, and published at its time."""
    store = over(on.dynamo, CURSORS)
    zoe = store.users.get("zoe")
    draft = Draft("d1", "zoe", NOW, "Bal")
    if store.posts.find("d1") is None:
        posting.schedule(store, zoe, draft, LATER, NOW, most=1)
    posting.publish_due(store, LATER, most=1)


def posted(on):
    peopled(on)
    store = over(on.dynamo, CURSORS)
    posting.publish(store, store.users.get("zoe"), Draft("d1", "zoe", NOW, "Bal"), NOW, most=1)


def withdrawn(on):
    """A post is edited, deleted, and gone after a while."""
    store = over(on.dynamo, CURSORS)
    zoe = store.users.get("zoe")
    with contextlib.suppress(NotFound):
        posting.edit(store, zoe, "d1", "Bal masqué", NOW)
    posting.remove(store, zoe, "d1", NOW)
    posting.remove_due(store, LATER)


def judges_there(on):
    posted(on)
    over(on.dynamo, CURSORS).users.create(user("mia", role=Role.MANAGER))


def moderated(on):
    """A post is reported and hidden; its author appeals, and somebody else overturns it."""
    store = over(on.dynamo, CURSORS)
    ana, zoe, max_, mia = (store.users.get(name) for name in ("ana", "zoe", "max", "mia"))
    moderation.report(store, ana, Filing("f1", "post:d1", Reason.SPAM, good_faith=True), NOW)
    verdict = Verdict(
        *("v1", "f1", 1, Measure.HIDING, "Une annonce", Ground.TERMS, "Règle 3", "Elle vend"),
        redress="Six mois",
    )
    moderation.decide(store, max_, verdict, NOW)
    appeal = moderation.appeal(store, moderation.statement(store, zoe, "v1", None), "Non", NOW)
    with contextlib.suppress(WrongState, VersionConflict):  # that was done already
        moderation.decide_appeal(store, mia, appeal, NOW, overturned=True, reason="Non")
    moderation.settle_due(store, LATER)


def founded(on):
    """An association is founded, verified, and handed over to somebody invited."""
    store = over(on.dynamo, CURSORS)
    ana, zoe, max_ = (store.users.get(name) for name in ("ana", "zoe", "max"))
    with contextlib.suppress(NotAllowed):  # it was handed over already
        associations.found(store, ana, association("sow", rna="W751234567"), NOW)
        associations.invite(store, ana, "sow", "zoe@example.org", NOW)
        with contextlib.suppress(WrongState):
            associations.accept(store, zoe, "sow")
        if store.associations.get("sow").owner_id == "ana":
            associations.offer(store, ana, "sow", "zoe")
    associations.accept(store, zoe, "sow")
    request = store.verifications.find("sow")
    with contextlib.suppress(WrongState):
        associations.decide(store, max_, request, NOW, accepted=True, reason="")


def closed(on):
    """An association is closed and gone after a while."""
    store = over(on.dynamo, CURSORS)
    associations.close(store, store.users.get("zoe"), "sow", NOW)
    posting.remove_due(store, LATER)


def verified(on):
    """An association that may issue receipts."""
    founded_first(on)
    store = over(on.dynamo, CURSORS)
    zoe, max_ = store.users.get("zoe"), store.users.get("max")
    receipts.ask(store, zoe, Issuer("sow", "Les Semeurs", "1 rue", "Jardiner", "Zoé"), NOW)
    receipts.decide(store, max_, "sow", 1, NOW, granted=True)


def given(on):
    """A campaign is opened, somebody gives, has a receipt, and the gift is cancelled."""
    store = over(on.dynamo, CURSORS)
    ana, zoe = store.users.get("ana"), store.users.get("zoe")
    form = CampaignForm("serre", "sow", "Une serre", "", 100, tax_eligible=True)
    campaigns.save(store, zoe, form, NOW)
    gift = campaigns.give(store, ana, "serre", GiftForm("r1", 100), NOW)
    if store.contributions.get(gift.id).state is not ContributionState.REFUNDED:
        campaigns.confirm(store, zoe, gift.id, NOW, PaymentMethod.CASH, NOW)
        receipts.issue(store, ana, "sow", NOW.year, "Ana", "1 rue", NOW)
    campaigns.refund(store, zoe, gift.id, NOW)


def founded_first(on):
    peopled(on)
    founded(on)


def check(on, prepare, task, faults, every):
    """Broken at a call and done again, a task leaves what it leaves undisturbed."""
    on.heal()
    on.places.clear()
    prepare(on)
    on.heal()
    task(on)
    attempts = list(on.attempts)
    expected = content(on.dynamo, on.places)
    writes = [n for n, name in enumerate(attempts) if name in WRITES]
    assert len(writes) > 2
    for fault in faults:
        for number in writes[::every]:
            on.heal()
            empty(on.dynamo, on.places)
            prepare(on)
            on.break_at(fault, *range(number, number + 500))
            with contextlib.suppress(CityVerseError):
                task(on)
            on.heal()
            task(on)
            on.heal()
            assert content(on.dynamo, on.places) == expected, (str(fault), number)
    on.heal()
    empty(on.dynamo, on.places)


TASKS = {
    "fill": (lambda on: None, filled),
    "remove": (filled, removed),
    "poll": (lambda on: None, polled),
    "schedule": (peopled, scheduled),
    "withdraw": (posted, withdrawn),
    "moderate": (judges_there, moderated),
    "found": (peopled, founded),
    "close": (founded_first, closed),
    "give": (verified, given),
}


@pytest.mark.parametrize("name", TASKS)
def test_a_task_is_whole_after_a_second_try(name, brittle):
    check(brittle, *TASKS[name], [TIMEOUT_AFTER], every=4)


@pytest.mark.slow
@pytest.mark.parametrize("fault", FAULTS, ids=str)
@pytest.mark.parametrize("name", TASKS)
def test_a_task_is_whole_after_any_fault_of_any_write(name, fault, brittle):
    check(brittle, *TASKS[name], [fault], every=1)
