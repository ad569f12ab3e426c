"""Looking after sources: who may, what each act changes, and acting while a poll writes."""

from dataclasses import replace
from datetime import timedelta

import pytest
from helpers import NOW, source
from people_helpers import user

from cityverse.community import sources
from cityverse.domain.news import SourceStatus
from cityverse.domain.people import Role
from cityverse.errors import InputError, NotAllowed, NotFound, NotSignedIn
from cityverse.news import opml
from cityverse.news.discover import Preview
from cityverse.news.feeds import FeedConfig

MANAGER = user("boss", email="boss@example.org", role=Role.MANAGER)
RESIDENT = user("ana", email="ana@example.org")
FOUND = Preview("https://new.example/rss", "Le Nouveau", "https://new.example/", ())


@pytest.fixture
def known(store):
    """A source that is well, one that fails and one that is paused."""
    store.sources.create(source("b-well", name="B", next_check_at=NOW + timedelta(hours=1)))
    store.sources.create(source("a-bad", name="A", error="timeout", error_count=3))
    store.sources.create(source("c-off", name="C", status=SourceStatus.PAUSED))
    return store


def test_what_needs_care_stands_first(known):
    assert [one.id for one in sources.listed(known, MANAGER)] == ["a-bad", "b-well", "c-off"]


def test_pausing_resuming_and_checking(known):
    assert sources.pause(known, MANAGER, "b-well").status is SourceStatus.PAUSED
    assert known.sources.due(NOW + timedelta(days=1))[0].id == "a-bad"
    resumed = sources.resume(known, MANAGER, "b-well", NOW)
    assert (resumed.status, resumed.next_check_at) == (SourceStatus.ACTIVE, NOW)
    later = sources.check_now(known, MANAGER, "b-well", NOW - timedelta(minutes=1))
    assert later.due(NOW)


def test_an_act_and_a_poll_do_not_undo_each_other(known, monkeypatch):
    replacing = known.sources.replace
    met = []

    def polled_first(old, new):
        if not met:
            met.append(old.id)
            replacing(old, replace(old, articles=7))
        return replacing(old, new)

    monkeypatch.setattr(type(known.sources), "replace", lambda _, old, new: polled_first(old, new))
    sources.pause(known, MANAGER, "b-well")
    stored = known.sources.get("b-well")
    assert (stored.status, stored.articles) == (SourceStatus.PAUSED, 7)


def test_adding_twice_is_one_source_and_the_list_leaves_it_alone(known):
    first = sources.add(known, MANAGER, FOUND)
    assert sources.add(known, MANAGER, FOUND) == first
    assert (first.configured, first.name, first.due(NOW)) == (False, "Le Nouveau", True)


def test_only_what_was_added_here_can_be_removed(known):
    added = sources.add(known, MANAGER, FOUND)
    sources.remove(known, MANAGER, added.id)
    sources.remove(known, MANAGER, added.id)
    assert known.sources.find(added.id) is None
    with pytest.raises(NotAllowed):
        sources.remove(known, MANAGER, "b-well")


def test_lists_come_in_once_and_go_out_whole(known):
    feeds = [FeedConfig(str(n), f"F{n}", f"https://f{n}.example/rss") for n in range(3)]
    data = opml.write("x", [*feeds, FeedConfig("b", "B", known.sources.get("b-well").url)])
    done = sources.import_opml(known, MANAGER, data)
    assert (len(done.added), done.known) == (3, 1)
    again = sources.import_opml(known, MANAGER, data)
    assert (again.added, again.known) == ((), 4)
    read, _ = opml.read(sources.export_opml(known, MANAGER, "x"))
    assert {feed.url for feed in feeds} < {feed.url for feed in read}


ACTS = {
    "list": sources.listed,
    "pause": lambda store, who: sources.pause(store, who, "b-well"),
    "resume": lambda store, who: sources.resume(store, who, "c-off", NOW),
    "check": lambda store, who: sources.check_now(store, who, "b-well", NOW),
    "probe": lambda _, who: sources.probe(who, "https://new.example/", allow_private=False),
    "add": lambda store, who: sources.add(store, who, FOUND),
    "remove": lambda store, who: sources.remove(store, who, "b-well"),
    "import": lambda store, who: sources.import_opml(store, who, b"<opml/>"),
    "export": lambda store, who: sources.export_opml(store, who, "x"),
}


@pytest.mark.parametrize("act", ACTS.values(), ids=ACTS)
def test_all_of_it_is_for_managers_alone(known, act):
    before = sources.listed(known, MANAGER)
    with pytest.raises(NotSignedIn):
        act(known, None)
    for role in (Role.RESIDENT, Role.CREATOR):
        with pytest.raises(NotAllowed):
            act(known, replace(RESIDENT, role=role))
    assert sources.listed(known, MANAGER) == before


def test_what_is_not_there_and_what_is_no_list_are_said(known):
    with pytest.raises(NotFound):
        sources.pause(known, MANAGER, "nobody")
    with pytest.raises(InputError):
        sources.import_opml(known, MANAGER, b"nonsense")
