"""The first page: what stands on it for every filter, and the dialog of an item."""

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from helpers import article, association, clear, event, location, mission, post

from cityverse.domain.giving import Campaign
from cityverse.domain.kinds import Kind
from cityverse.domain.news import Source, Topic, TopicName
from cityverse.domain.places import Evidence, Precision
from cityverse.ui import address, server

NOW = datetime.now(UTC)


@pytest.fixture
def city(store):
    """One item of each kind today in the 9th, one article of last month, one of all Paris."""
    soon = NOW + timedelta(minutes=20)
    store.news.create(
        article("n1", title="rue des Martyrs : une fuite", published=NOW, location=location(9))
    )
    store.news.create(
        article(
            "n2",
            title="Un vieux sujet à Montmartre",
            published=NOW - timedelta(days=20),
            location=location(18, evidence=()),
        )
    )
    store.news.create(article("n3", title="Tout Paris sous la pluie", published=NOW, location=None))
    clear(store.dynamo, "Association")
    store.associations.create(association("a1", name="Les Semeurs", location=location(9)))
    store.posts.create(post("p1", title="Premières tomates", created=NOW, location=location(9)))
    store.missions.create(mission("m1", title="Planter la haie", starts=soon, location=location(9)))
    store.events.create(
        event(
            "e1",
            title="Bal de quartier",
            starts=soon,
            ends=soon + timedelta(hours=2),
            location=location(20, lat=48.8631, lon=2.3987),
        )
    )
    return store


def test_an_empty_city_says_what_to_do(app):
    app.open()
    assert "Rien ici" in app.said()
    app.button("Tout afficher").click()
    app.run()
    assert app.test.segmented_control(key="period").value == "all"


def test_the_week_shows_what_is_near_in_time(app, city):
    app.open()
    assert app.titles() == {
        "rue des Martyrs : une fuite",
        "Tout Paris sous la pluie",
        "Premières tomates",
        "Planter la haie",
        "Bal de quartier",
    }
    assert set(app.pins()) == {"news:n1", "post:p1", "mission:m1", "event:e1"}


def test_map_and_list_follow_each_filter(app, city):
    app.open()
    app.test.segmented_control(key="period").set_value("all")
    app.run()
    assert "Un vieux sujet à Montmartre" in app.titles()
    app.test.selectbox(key="arrondissement").set_value(18)
    app.run()
    assert app.titles() == {"Un vieux sujet à Montmartre"}
    assert set(app.pins()) == {"news:n2"}
    app.test.selectbox(key="arrondissement").set_value(9)
    app.test.get("button_group")[0].set_value([Kind.MISSION])
    app.run()
    assert app.titles() == {"Planter la haie"}


def test_choosing_an_arrondissement_flies_there_and_back(app, city):
    app.open()
    overview = app.deck()["initialViewState"]
    app.test.selectbox(key="arrondissement").set_value(18)
    app.run()
    view = app.deck()["initialViewState"]
    assert view["zoom"] > overview["zoom"]
    assert abs(view["latitude"] - 48.89) < 0.01
    app.test.selectbox(key="arrondissement").set_value(0)
    app.run()
    assert app.deck()["initialViewState"] == overview


def test_a_place_found_by_its_name_is_flown_to_and_shared_by_address(app, city):
    app.open(q="gare de l'est")
    assert "Rien ici" in app.said()
    before = app.deck()["initialViewState"]
    app.button("Gare de l'Est").click()
    app.run()
    there = app.deck()["initialViewState"]
    assert abs(there["latitude"] - 48.8768) < 0.003
    assert there["zoom"] > before["zoom"]
    at = app.test.query_params["at"][0]
    shared = next(code.value for code in app.test.code if "at=" in code.value)
    assert at in shared
    # Once more, though the reader has moved the map since, of which the page hears nothing.
    app.button("Gare de l'Est").click()
    app.run()
    assert 0 < abs(app.deck()["initialViewState"]["zoom"] - there["zoom"]) < 0.01


def test_a_shared_view_opens_where_it_was_made(app, city):
    app.open(at="48.87680,2.35920,16", arrondissement="18")
    view = app.deck()["initialViewState"]
    assert (view["latitude"], view["longitude"], view["zoom"]) == (48.8768, 2.3592, 16)
    app.test.selectbox(key="arrondissement").set_value(9)
    app.run()
    assert app.deck()["initialViewState"]["zoom"] < 16


@pytest.mark.parametrize("word", ["nan,2.35,15", "48.87,2.35", "0,0,15", "48.87,2.35,99", "<b>"])
def test_a_view_of_nowhere_is_refused(word):
    with pytest.raises(ValueError, match=r"."):
        address.camera_of(word)


def test_search_finds_everything_associations_included(app, city):
    app.open()
    app.test.text_input(key="q").set_value("semeurs")
    app.run()
    assert app.titles() == {
        "Les Semeurs",
        "Premières tomates",
        "Planter la haie",
        "Bal de quartier",
    }
    app.test.text_input(key="q").set_value("tomate premier")
    app.run()
    assert app.titles() == {"Premières tomates"}
    app.button("Effacer la recherche").click()
    app.run()
    assert app.test.segmented_control(key="period").value == "week"
    assert len(app.titles()) == 5


def test_an_address_restores_filters_and_search(app, city):
    app.open(q="semeurs", arrondissement="9", period="all", kinds="mission,post")
    assert app.test.text_input(key="q").value == "semeurs"
    assert app.test.segmented_control(key="period").value == "all"
    assert app.test.selectbox(key="arrondissement").value == 9
    assert app.titles() == {"Les Semeurs", "Premières tomates", "Planter la haie"}


def test_senseless_words_in_the_address_mean_the_defaults(app, city):
    app.open(arrondissement="99", period="<b>", kinds="user,../..", q="")
    assert len(app.titles()) == 5


def test_the_address_says_the_same_in_every_language(app, city):
    app.test.session_state["language"] = "en"
    app.open()
    app.test.selectbox(key="arrondissement").set_value(18)
    app.test.segmented_control(key="period").set_value("all")
    app.run()
    assert app.test.query_params["arrondissement"] == "18"
    assert app.test.query_params["period"] == "all"


def test_a_search_is_never_read_as_markdown(app, city):
    app.open(q="![x](http://example.org/x.png)")
    assert not [button for button in app.test.button if "](" in button.label]
    assert any("example" in button.label for button in app.test.button)


def test_what_is_near_does_not_depend_on_the_filter(app, city):
    app.open(kinds="news", item="news:n1")
    assert any("Planter la haie" in button.label for button in app.test.button)
    assert not any("Bal de quartier" in button.label for button in app.test.button)


def test_a_search_without_a_usable_word_says_so(app, city):
    app.open()
    app.test.text_input(key="q").set_value("le")
    app.run()
    assert "trois lettres" in app.said()


def test_the_dialog_shows_words_certainty_and_what_is_near(app, city):
    city.campaigns.create(
        Campaign("c1", "a1", "Les Semeurs", "Une serre", "", NOW, 90_000, location=location(9))
    )
    app.open(item="news:n1")
    assert any("Une serre" in button.label for button in app.test.button)
    html = app.html()
    assert "<mark>rue des Martyrs</mark>" in html
    assert "à la rue près" in html
    assert "Certitude : très forte." in html
    assert any("Planter la haie" in button.label for button in app.test.button)


def test_an_article_of_all_paris_has_no_pin_and_says_why(app, city):
    app.open(item="news:n3")
    assert "concerne toute la ville" in app.said()


def test_an_area_is_not_shown_as_an_exact_point(app, store):
    wide = location(
        18,
        place="18e arrondissement",
        precision=Precision.ARRONDISSEMENT,
        evidence=(Evidence("title", 0, 8, "Paris 18"),),
    )
    store.news.create(article("n9", title="Paris 18 : un marché", published=NOW, location=wide))
    app.open(item="news:n9")
    assert "pas une adresse" in app.html()
    stems = next(layer for layer in app.deck()["layers"] if layer["id"] == "stems")
    assert stems["data"] == []


def test_a_link_to_nothing_is_no_error(app, city):
    app.open(item="news:gone")
    assert not app.test.error
    for key in ("nonsense", "news:", ":", "news:" + "x" * 100, "user:root"):
        app.test.session_state["open_item"] = key
        app.run()
        assert "open_item" not in app.test.session_state


def test_markup_of_a_source_is_shown_as_text(app, store):
    evil = "<img src=x onerror=alert(1)> **gras** [x](javascript:alert(1))"
    store.news.create(
        article("evil", title=evil, summary=evil, link=None, published=NOW, location=None)
    )
    app.open(item="news:evil")
    assert "<img" not in app.html()
    assert "&lt;img" in app.html()
    assert app.titles() == {evil}


def test_every_demo_item_carries_its_label(app, store):
    store.news.create(
        article("d1", title="Inventé", published=NOW, location=location(9), demo=True)
    )
    app.open(item="news:d1")
    assert app.cards()[0]["demo"]
    assert "démo" in app.pins()["news:d1"]["subtitle"]
    assert "Démonstration" in app.html()


def test_english_says_everything_in_english(app, city):
    app.test.session_state["language"] = "en"
    app.open(item="news:n1")
    assert "Why here?" in app.html()
    assert app.words()["kinds"]["mission"] == "Volunteering mission"


def test_a_language_nobody_speaks_is_french(app, city):
    app.test.session_state["language"] = "../../etc"
    app.open()
    assert "éléments" in app.said()


def test_without_the_routes_a_banner_says_how_to_start(app, city, monkeypatch):
    monkeypatch.setitem(server._state, "started", False)
    app.open()
    assert "make run" in app.said()
    assert len(app.titles()) == 5


def test_a_store_that_is_away_is_a_message_not_a_crash(app, settings):
    for name in ("engine.json", "engine.lock"):
        (settings.data_dir / name).unlink()
    app.open()
    assert "hors d'atteinte" in app.said()
    assert app.button("Réessayer")


def test_the_map_asks_no_other_host(app, city):
    app.open()
    spec = json.dumps(app.deck())
    assert "http://" not in spec
    assert "https://" not in spec


def test_articles_of_one_story_are_one_card_and_one_pin(app, store):
    title = "Fuite de gaz rue des Martyrs, la rue est fermée"
    store.news.create(article("n1", title=title, published=NOW, location=location(9)))
    store.news.create(
        article(
            "n2",
            title=f"{title} <b>",
            published=NOW,
            source_name="Autre journal",
            location=None,
            link="https://example.org/2",
        )
    )
    app.open(item="news:n1")
    assert [card["meta"] for card in app.cards()] == ["Le Journal · et 1 autre article"]
    assert set(app.pins()) == {"news:n1"}
    assert "La même histoire ailleurs" in app.html()
    assert "Autre journal" in app.html()
    assert "&lt;b&gt;" in app.html()


def test_a_mission_can_be_put_into_a_calendar(app, city):
    app.open(item="mission:m1")
    assert 'href="/city.ics?item=mission%3Am1&amp;lang=fr"' in app.html()


def test_topic_source_and_place_narrow_map_list_and_address(app, city, sign_in):
    sport = (Topic(TopicName.SPORT, (Evidence("title", 0, 5, "match"),)),)
    city.sources.create(Source(id="s2", name="L'Écho *<b>*", url="https://e.org/f", articles=3))
    for item_id, source, place in (("t1", "s2", location(9)), ("t2", "s3", location(18))):
        city.news.create(
            article(
                item_id,
                title=f"Un match {item_id}",
                published=NOW,
                source_id=source,
                topics=sport,
                language="en",
                location=place if source == "s2" else replace(place, lat=48.89, lon=2.36),
            )
        )
    sign_in(address=location(9, place="Rue des Martyrs"))
    app.open(topic="sport", source="../x")
    assert app.titles() == {"Un match t1", "Un match t2"}
    assert {card["meta"] for card in app.cards()} == {"Le Journal · Sport"}
    app.test.selectbox(key="source").set_value("s2")
    app.run()
    assert app.titles() == {"Un match t1"}
    assert set(app.pins()) == {"news:t1"}
    assert app.test.query_params["source"] == "s2"
    assert "/city.atom?topic=sport&amp;source=s2&amp;lang=fr" in app.html()
    assert "/city.ics" not in app.html()
    app.test.selectbox(key="topic").set_value(None)
    app.test.selectbox(key="source").set_value(None)
    app.run()
    app.button("Près de chez moi").click()
    app.run()
    assert app.test.query_params["around"] == "me"
    assert "Un match t2" not in app.titles()
    assert "Un match t1" in app.titles()
    assert "votre domicile" in app.said()
    app.button("Autour de chez moi").click()
    app.run()
    assert "around" not in app.test.query_params
    app.test.session_state["open_item"] = "news:t2"
    app.run()
    assert "Sport · anglais" in app.html()
    app.button("Autour d'ici").click()
    app.run()
    assert app.test.query_params["around"] == "48.8900,2.3600"
    assert app.titles() == {"Un match t2"}
    assert abs(app.deck()["initialViewState"]["latitude"] - 48.89) < 0.001
