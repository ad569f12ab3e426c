"""A wrong place: proposed by a reader, decided by a manager, kept, undone, and learned from."""

from __future__ import annotations

import threading
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from functools import cache, partial

import pytest
from feed_server import feed_server
from helpers import article, location, source
from people_helpers import at_once, user

from cityverse.community import corrections
from cityverse.community.corrections import Decision, Draft
from cityverse.domain.corrections import ProposalStatus
from cityverse.domain.notifications import Topic
from cityverse.domain.people import Role
from cityverse.domain.places import Precision
from cityverse.errors import (
    CityVerseError,
    InvalidField,
    NotAllowed,
    NotFound,
    NotSignedIn,
    TooManyAttempts,
    VersionConflict,
    WrongState,
)
from cityverse.news import poll
from cityverse.news.aliases import Places, candidates, house_of, location_of
from cityverse.news.gazetteer import load
from cityverse.news.locate import Locator
from cityverse.news.poll import Poller

NOW = datetime.now(UTC).replace(microsecond=0)
PUBLISHED = NOW - timedelta(hours=2)


@cache
def places():
    return Places(load())


def place(name):
    return next(found for found in places().find(name) if found.name == name)


BASTILLE = "Bastille"


@pytest.fixture
def ada(store):
    return store.users.create(user("ada"))


@pytest.fixture
def manager(store):
    return store.users.create(user("max", role=Role.MANAGER))


@pytest.fixture
def told(store):
    return store.news.create(
        article(published=PUBLISHED, location=location(), expires_at=NOW + timedelta(days=80))
    )


def draft(request="q1", to=BASTILLE, **changes):
    where = None if to is None else location_of(place(to))
    return Draft(**({"request": request, "article_id": "n1", "location": where} | changes))


def decision_on(proposal, **changes):
    return Decision(**({"proposal_id": proposal.id, "version": proposal.version} | changes))


def test_accepting_moves_the_article_and_tells_the_reader(store, told, ada, manager):
    proposal = corrections.propose(store, ada, draft(text="  Je l'ai vu "), NOW)
    assert proposal.text == "Je l'ai vu"
    (case,) = corrections.waiting(store, manager)
    assert (case.proposal, case.article.id) == (proposal, "n1")
    corrections.accept(store, manager, decision_on(proposal, reason="En effet"), places(), NOW)
    moved = store.news.get("n1")
    assert moved.location.place == BASTILLE
    assert [e.field for e in moved.location.evidence] == ["reader"]
    assert moved.correction.found == told.location
    listed = store.news.page(limit=9, arrondissement=place(BASTILLE).arrondissements[0])
    assert [one.id for one in listed.items] == ["n1"]
    (news,) = store.notifications.page("ada", limit=9).items
    assert (news.topic, news.target) == (Topic.PLACE_ACCEPTED, "news:n1")
    assert "En effet" in news.text
    assert corrections.waiting(store, manager) == []


def test_undoing_gives_back_what_the_words_said(store, told, ada, manager):
    proposal = corrections.propose(store, ada, draft(to=None), NOW)
    corrections.accept(store, manager, decision_on(proposal), places(), NOW)
    assert store.news.get("n1").location is None
    assert len(corrections.accepted(store, manager)) == 1
    for _ in range(2):
        corrections.undo(store, manager, "n1")
    assert store.news.get("n1").location == told.location
    assert corrections.accepted(store, manager) == []


def test_declining_needs_a_reason_and_tells_it(store, told, ada, manager):
    proposal = corrections.propose(store, ada, draft(), NOW)
    with pytest.raises(InvalidField):
        corrections.decline(store, manager, decision_on(proposal, reason=" "), NOW)
    corrections.decline(store, manager, decision_on(proposal, reason="C'est bien là"), NOW)
    assert store.news.get("n1") == told
    (news,) = store.notifications.page("ada", limit=9).items
    assert news.topic is Topic.PLACE_DECLINED
    assert "C'est bien là" in news.text


def test_one_proposal_a_person_and_article(store, told, ada, manager):
    first = corrections.propose(store, ada, draft(), NOW)
    assert corrections.propose(store, ada, draft(), NOW) == first
    changed = corrections.propose(store, ada, draft("q2", "Place de la Nation"), NOW)
    assert (changed.id, changed.created) == (first.id, first.created)
    assert len(corrections.waiting(store, manager)) == 1
    with pytest.raises(VersionConflict):  # the manager saw another one
        corrections.accept(store, manager, decision_on(first), places(), NOW)
    corrections.decline(store, manager, decision_on(changed, reason="Non"), NOW)
    # Sent again because the answer was lost: it does not come back.
    again = corrections.propose(store, ada, draft("q2", "Place de la Nation"), NOW)
    assert again.status is ProposalStatus.DECLINED
    corrections.propose(store, ada, draft("q3"), NOW)
    assert len(corrections.waiting(store, manager)) == 1


def test_of_two_managers_one_decides(store, told, ada, manager):
    other = store.users.create(user("moe", role=Role.MANAGER))
    for number in range(6):
        proposal = corrections.propose(
            store, ada, draft(f"q{number}", BASTILLE if number % 2 else None), NOW
        )
        first, second = at_once(
            partial(corrections.accept, store, manager, decision_on(proposal), places(), NOW),
            partial(corrections.decline, store, other, decision_on(proposal, reason="Non"), NOW),
        )
        failed = [one for one in (first, second) if isinstance(one, CityVerseError)]
        assert len(failed) == 1
        assert isinstance(failed[0], VersionConflict | WrongState)
        status = store.proposals.get(proposal.id).status
        accepted = status is ProposalStatus.ACCEPTED
        assert accepted is (first is None)
        assert (store.news.get("n1").correction is not None) is accepted
        corrections.undo(store, manager, "n1")


def test_who_may(store, told, ada):
    with pytest.raises(NotSignedIn):
        corrections.propose(store, None, draft(), NOW)
    proposal = corrections.propose(store, ada, draft(), NOW)
    for act in (
        partial(corrections.waiting, store),
        partial(corrections.accepted, store),
        partial(corrections.aliases, store),
        partial(corrections.undo, store, article_id="n1"),
        partial(corrections.forget_alias, store, words="x"),
        partial(corrections.decline, store, decision=decision_on(proposal, reason="x"), now=NOW),
        partial(
            corrections.accept, store, decision=decision_on(proposal), places=places(), now=NOW
        ),
    ):
        with pytest.raises(NotAllowed):
            act(who=ada)


def test_limits(store, told, ada):
    with pytest.raises(InvalidField):
        corrections.propose(store, ada, draft(location=told.location), NOW)
    with pytest.raises(InvalidField):
        corrections.propose(store, ada, draft(text="x" * 301), NOW)
    with pytest.raises(NotFound):
        corrections.propose(store, ada, draft(article_id="other"), NOW)
    for number in range(corrections.PROPOSALS_A_DAY.most):
        corrections.propose(store, ada, draft(f"q{number}"), NOW)
    with pytest.raises(TooManyAttempts):
        corrections.propose(store, ada, draft("one more"[:3]), NOW)


def test_what_an_account_proposed_goes_with_it(store, told, ada, manager):
    corrections.propose(store, ada, draft(), NOW)
    store.deletion.delete("User", "ada")
    assert corrections.waiting(store, manager) == []


def feed(*titles, summary=""):
    items = "".join(
        f"<item><title>{title}</title><link>https://news.example/{number}</link>"
        f"<description>{summary}</description><pubDate>{PUBLISHED.isoformat()}</pubDate></item>"
        for number, title in enumerate(titles)
    )
    return f"<rss version='2.0'><channel><title>J</title>{items}</channel></rss>".encode()


class Learning:
    """A locator of the tests' own, since names are learned."""

    def __init__(self, _):
        self._locator = Locator(load())

    def get(self):
        return self._locator

    def use(self, learned):
        self._locator = Locator(load(further=learned))


def test_a_correction_outlives_updates_and_its_words_are_learned(
    store, settings, ada, manager, monkeypatch
):
    monkeypatch.setattr(poll, "CurrentLocator", Learning)
    poller = Poller(
        store, replace(settings, news_allow_private=True), clock=lambda: NOW, host_pause=0.0
    )
    with feed_server() as served:
        known = store.sources.create(source(url=f"{served.url}/feed"))
        served.pages["/feed"] = feed("Tournoi annulé au Stade Bouin")
        assert poller.poll_one(known).new == 1
        (first,) = store.news.page(limit=9).items
        assert first.location is None

        stadium = next(p for p in places().find("Stade Jean Bouin"))
        assert candidates((first.title, first.summary), stadium, places()) == ["Stade Bouin"]
        proposal = corrections.propose(store, ada, Draft("q1", first.id, location_of(stadium)), NOW)
        for words in ("Stade de Reims", "Tournoi annulé au Stade Bouin demain", " "):
            with pytest.raises(InvalidField):
                corrections.accept(
                    store, manager, decision_on(proposal, alias=words), places(), NOW
                )
        corrections.accept(
            store, manager, decision_on(proposal, alias="Stade Bouin"), places(), NOW
        )
        assert [one.written for one in corrections.aliases(store, manager)] == ["Stade Bouin"]

        served.pages["/feed"] = feed(
            "Tournoi annulé rue des Martyrs", "Un concert au stade Bouin ce soir"
        )
        (result,) = poller.poll([store.sources.get("s1")], threading.Event())
        assert (result.updated, result.new) == (1, 1)
        found = {one.title: one for one in store.news.page(limit=9).items}
        kept = found["Tournoi annulé rue des Martyrs"]
        assert kept.location.place == stadium.name
        assert kept.correction.found.place == "Rue des Martyrs"
        next_one = found["Un concert au stade Bouin ce soir"]
        assert next_one.location.place == stadium.name
        assert next_one.location.evidence[0].words.lower() == "stade bouin"
        corrections.undo(store, manager, first.id)
        assert store.news.get(first.id).location.place == "Rue des Martyrs"
        corrections.forget_alias(store, manager, "stade bouin")
        assert corrections.aliases(store, manager) == []


@pytest.mark.parametrize(
    ("text", "first"),
    [
        ("bastille", "Bastille"),
        ("PLACE DE LA BASTILLE", BASTILLE),
        ("rue des mart", "Rue des Martyrs"),
        ("18e", "18e arrondissement"),
        ("", None),
        ("Bobigny", None),
        ("*[(", None),
    ],
)
def test_places_are_found_by_the_beginnings_of_words(text, first):
    found = places().find(text)
    assert len(found) <= 8
    assert (found[0].name if found else None) == first
    assert all(location_of(one).precision in Precision for one in found)


def test_addresses_are_told_from_places():
    assert house_of("12 bis, rue de Rivoli") == ("12 bis", "rue de Rivoli")
    assert house_of("rue du 4-Septembre") is None
    assert house_of("18e") is None
