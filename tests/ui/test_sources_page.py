"""The page of sources: health in words, and acts for managers alone."""

from dataclasses import replace

import pytest
from feed_server import feed_server
from helpers import NOW, source

from cityverse import settings as all_settings
from cityverse.domain.news import SourceStatus
from cityverse.domain.people import Role

PAGE = "pages/Sources.py"


@pytest.fixture
def known(store):
    store.sources.create(source("bad", name="<b>Mauvais</b>", error="http_404", error_count=2))
    store.sources.create(
        source("well", name="Bon", articles=10, located=4, last_check_at=NOW, last_success_at=NOW)
    )
    return store


@pytest.mark.parametrize("role", [None, Role.RESIDENT, Role.CREATOR])
def test_the_page_is_for_managers(app, known, sign_in, role):
    if role is not None:
        sign_in(role=role)
    app.open(PAGE)
    assert not app.test.title
    assert not app.test.dataframe


def test_health_is_told_in_words(app, known, sign_in):
    sign_in(role=Role.MANAGER)
    app.open(PAGE)
    table = app.test.dataframe[0].value
    assert list(table["Source"]) == ["<b>Mauvais</b>", "Bon"]
    assert list(table["État"]) == ["Le serveur répond par l'erreur 404.", "Tout va bien"]
    assert [metric.value for metric in app.test.metric] == ["2", "1", "10", "40%"]
    assert "&lt;b&gt;Mauvais" in app.html()
    assert "2 échecs de suite" in app.said()


def press(app, key):
    next(one for one in app.test.button if one.key == key).click()
    return app.run()


def test_pausing_and_resuming(app, known, sign_in):
    sign_in(role=Role.MANAGER)
    app.open(PAGE)
    press(app, "sources.pause")
    assert known.sources.get("bad").status is SourceStatus.PAUSED
    assert "en pause" in app.said()
    app.test.selectbox(key="source").set_value("bad")
    app.run()
    press(app, "sources.resume")
    assert known.sources.get("bad").status is SourceStatus.ACTIVE


def test_a_manager_who_is_one_no_more_changes_nothing(app, known, store, sign_in):
    who = sign_in(role=Role.MANAGER)
    app.open(PAGE)
    store.users.replace(who, replace(who, role=Role.RESIDENT))
    press(app, "sources.pause")
    assert known.sources.get("bad").status is SourceStatus.ACTIVE


def test_an_address_is_looked_at_before_it_is_added(app, store, sign_in, monkeypatch):
    monkeypatch.setenv("CITYVERSE_NEWS_ALLOW_PRIVATE", "true")
    all_settings.current.cache_clear()
    sign_in(role=Role.MANAGER)
    with feed_server() as served:
        address = served.url
        app.open(PAGE)
        app.test.text_input(key="probe_url").set_value(f"{address}/gone")
        next(one for one in app.test.button if one.label == "Regarder").click()
        app.run()
        assert "erreur 410" in app.said()
        app.test.text_input(key="probe_url").set_value(f"{address}/feed")
        next(one for one in app.test.button if one.label == "Regarder").click()
        app.run()
    assert "<li>t</li>" in app.html()
    assert store.sources.listed(SourceStatus.ACTIVE) == []
    press(app, "add_source")
    assert "Pas encore lue" in app.html()
    (added,) = store.sources.listed(SourceStatus.ACTIVE)
    assert (added.name, added.url) == ("J", f"{address}/feed")
    assert not any(one.key == "add_source" for one in app.test.button)


def test_what_was_added_can_be_removed(app, store, sign_in):
    store.sources.create(source("mine", name="Mien", configured=False))
    sign_in(role=Role.MANAGER)
    app.open(PAGE)
    press(app, "sources.remove")
    assert store.sources.find("mine") is None
    assert "Aucune source encore" in app.said()
