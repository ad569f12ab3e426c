"""The page of the buildings: what is shown, how far the real city is, acts for managers alone."""

import json
import os
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from map_helpers import tile_set

from cityverse import settings as all_settings
from cityverse.domain.people import Role
from cityverse.map import realcity, tiles

PAGE = "pages/Buildings.py"


@pytest.fixture
def folder(settings):
    """The sample, and real buildings that were fetched before."""
    found = realcity.folder_of(settings)
    found.mkdir(parents=True, exist_ok=True)
    tile_set(found / "sample.mbtiles", attribution="Généré")
    tile_set(found / "bdtopo.mbtiles", attribution="IGN <b>BD</b>")
    return found


def state(folder, **facts):
    facts = {"at": datetime.now(UTC).isoformat(), **facts}
    (folder / "fetch.json").write_text(json.dumps(facts))


def press(app, key):
    next(one for one in app.test.button if one.key == key).click()
    return app.run()


@pytest.mark.parametrize("role", [None, Role.RESIDENT, Role.CREATOR])
def test_the_page_is_for_managers(app, folder, sign_in, role):
    if role is not None:
        sign_in(role=role)
    app.open(PAGE)
    assert not app.test.title
    assert not app.test.selectbox


def test_what_is_shown_and_what_there_is(app, folder, sign_in):
    sign_in(role=Role.MANAGER)
    app.open(PAGE)
    assert "IGN &lt;b&gt;BD" in app.html()
    assert list(app.test.dataframe[0].value["Jeu"]) == ["IGN BD TOPO", "Ville d'exemple (générée)"]
    app.test.selectbox(key="buildings_choice").set_value("sample")
    app.run()
    assert tiles.on_disk(folder).name == "sample"
    assert "Généré" in app.html()
    app.test.selectbox(key="buildings_choice").set_value("")
    app.run()
    assert tiles.on_disk(folder).name == "bdtopo"


def test_without_any_set_it_says_what_to_do(app, settings, sign_in):
    sign_in(role=Role.MANAGER)
    app.open(PAGE)
    assert "doctor" in app.said()


def test_starting_following_and_stopping(app, folder, sign_in):
    sign_in(role=Role.MANAGER)
    app.open(PAGE)
    app.test.selectbox(key="buildings_source").set_value("overpass")
    press(app, "start")
    assert realcity.wanted(folder).source == "overpass"
    assert "Demandé" in app.said()
    assert "En attente" in app.test.get("progress")[0].proto.text
    state(
        folder, state="fetching", source="overpass", done=3, total=20, share=0.15, pid=os.getpid()
    )
    app.run()
    assert "15% · 3 arrondissements sur 20" in app.test.get("progress")[0].proto.text
    press(app, "stop")
    assert realcity.wanted(folder).source == "nothing"


@pytest.mark.parametrize(
    ("facts", "said"),
    [
        ({"state": "failed", "error": "http 500", "reached": True}, r"http 500"),
        ({"state": "failed", "error": "dns", "reached": False}, "reliée à Internet"),
        ({"state": "done", "source": "bdtopo", "buildings": 98765}, "98\u202f765 bâtiments"),
        ({"state": "fetching", "share": 0.4, "pid": 0}, "Arrêté à 40%"),
        ({}, "pas encore été demandée"),
    ],
)
def test_every_state_is_told_in_words(app, folder, sign_in, facts, said):
    sign_in(role=Role.MANAGER)
    state(folder, next_try=(datetime.now(UTC) + timedelta(hours=1)).isoformat(), **facts)
    app.open(PAGE)
    assert said in app.said()
    assert any(one.key == "start" for one in app.test.button)


def test_a_manager_who_is_one_no_more_starts_nothing(app, folder, store, sign_in):
    who = sign_in(role=Role.MANAGER)
    app.open(PAGE)
    store.users.replace(who, replace(who, role=Role.RESIDENT))
    press(app, "start")
    assert realcity.wanted(folder).at is None


def test_with_the_store_on_aws_nothing_is_started_here(app, folder, sign_in, monkeypatch):
    sign_in(role=Role.MANAGER)
    app.open()
    monkeypatch.setenv("CITYVERSE_STORE", "aws")
    all_settings.current.cache_clear()
    app.test.switch_page(PAGE)
    app.run()
    assert "map publish" in app.said()
    assert not any(one.key == "start" for one in app.test.button)
