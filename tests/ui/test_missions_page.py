"""The page of missions: finding, applying, and what the team does."""

from datetime import UTC, datetime, timedelta
from itertools import pairwise

import pytest
from helpers import association, location, mission
from people_helpers import user

from cityverse.community import missions
from cityverse.community.missions import ApplicationForm
from cityverse.domain.applications import ApplicationState, Presence, Refusal, application_id
from cityverse.domain.community import MissionStatus, MissionType

PAGE = "pages/Missions.py"
NOW = datetime.now(UTC)
SOON = NOW + timedelta(days=3)
S = ApplicationState


@pytest.fixture
def square(store):
    store.users.create(user("boss", first_name="Zoé", last_name="Chef"))
    store.associations.create(association("sow", name="Les Semeurs", owner_id="boss"))
    store.missions.create(
        mission("m1", association_id="sow", starts=SOON, places=1, title="Planter [la] haie",
                location=location(9), mission_type=MissionType.ENVIRONMENT, goals=frozenset({15}))
    )  # fmt: skip
    store.missions.create(
        mission("m2", association_id="sow", starts=SOON + timedelta(days=20),
                title="Servir la soupe", mission_type=MissionType.FOOD_AID,
                location=location(18, lat=48.845, lon=2.29))
    )  # fmt: skip
    return store


def titles(app):
    return app.titles("mission_cards")


def press(app, key):
    next(one for one in app.test.button if one.key == key).click()
    return app.run()


def area(app, start):
    return next(one for one in app.test.text_area if one.key.startswith(start))


def applied(store, who, mission_id="m1"):
    store.users.create(user(who, email=f"{who}@example.org"))
    form = ApplicationForm("Envie d'aider", phone="06 11 22 33 44")
    return missions.apply(store, store.users.get(who), mission_id, form, NOW)


def test_an_empty_list_says_what_to_do(app, store):
    app.open(PAGE)
    assert "Aucune mission pour ces filtres" in app.said()


def test_filters_are_in_the_address_and_narrow_the_list(app, square):
    app.open(PAGE)
    assert titles(app) == {"Planter [la] haie", "Servir la soupe"}
    app.test.selectbox(key="m_type").set_value(MissionType.FOOD_AID)
    app.run()
    assert titles(app) == {"Servir la soupe"}
    assert app.test.query_params["m_type"] == "food_aid"


@pytest.mark.parametrize(
    ("words", "left"),
    [
        ({"m_goals": "15"}, {"Planter [la] haie"}),
        ({"m_where": "18"}, {"Servir la soupe"}),
        ({"m_where": "9", "m_near": "1"}, {"Planter [la] haie"}),
        ({"m_period": "week"}, {"Planter [la] haie"}),
        ({"m_from": (SOON + timedelta(days=5)).date().isoformat()}, {"Servir la soupe"}),
        ({"m_q": "soupe"}, {"Servir la soupe"}),
        (
            {"m_type": "<b>", "m_goals": "99", "m_from": "x"},
            {"Planter [la] haie", "Servir la soupe"},
        ),
    ],
)
def test_an_address_with_filters_shows_what_they_let_through(app, square, words, left):
    app.test.switch_page(PAGE)
    for name, word in words.items():
        app.test.query_params[name] = word
    app.run()
    assert titles(app) == left


def test_applying_withdrawing_and_applying_again(app, square, sign_in):
    ana = sign_in("ana", first_name="Ana", last_name="B")
    app.test.switch_page(PAGE)
    app.test.query_params["mission"] = "m1"
    app.run()
    assert [one.value for one in app.test.title] == [r"Planter \[la\] haie"]
    app.button("Envoyer ma candidature").click()
    app.run()
    assert "Dites pourquoi, en quelques mots" in app.said()
    area(app, "apply-reason").set_value("J'aime les haies")
    app.button("Envoyer ma candidature").click()
    app.run()
    assert "attend la réponse" in app.said()
    stored = square.applications.get(application_id("m1", ana.id))
    assert (stored.interests, stored.first_name, stored.state) == (
        "J'aime les haies", "Ana", S.PENDING,
    )  # fmt: skip
    press(app, "withdraw-m1")
    press(app, "withdraw-yes-m1")
    assert square.applications.get(stored.id).state is S.WITHDRAWN
    assert "Envoyer ma candidature" in {one.label for one in app.test.button}


def test_the_team_approves_and_refuses_and_the_applicant_sees_it(app, square, sign_in, monkeypatch):
    one, two = applied(square, "ana"), applied(square, "bob")
    from cityverse.ui import signed_in

    boss = square.users.get("boss")
    monkeypatch.setattr(signed_in, "user", lambda store: boss)
    monkeypatch.setattr(
        "cityverse.ui.shell.Page.user", property(lambda page: signed_in.user(page.store))
    )
    app.test.switch_page(PAGE)
    app.test.query_params["mission"] = "m1"
    app.run()
    assert "06 11 22 33 44" in app.html()
    press(app, f"approve-{one.id}")
    press(app, f"approve-{two.id}")  # no place is left: accepted for the next one
    assert square.applications.get(one.id).state is S.APPROVED
    assert "acceptée, en attente d&#x27;une place" in app.html()
    monkeypatch.setattr(signed_in, "user", lambda store: square.users.get("bob"))
    app.run()
    assert "au rang 1" in app.said()
    assert "06 11 22 33 44" not in app.html()
    missions.refuse(square, boss, one.id, Refusal.NEEDS, NOW)
    app.run()
    assert "Votre participation est acceptée" in app.said()
    monkeypatch.setattr(signed_in, "user", lambda store: square.users.get("ana"))
    app.run()
    assert "Un élément nécessaire manque" in app.said()


def test_nobody_else_sees_a_draft_or_the_team_s_part(app, square, sign_in):
    square.missions.create(
        mission("d1", association_id="sow", starts=SOON, title="Secret", status=MissionStatus.DRAFT)
    )
    sign_in("ana")
    app.test.switch_page(PAGE)
    app.run()
    assert "Secret" not in titles(app)
    app.test.query_params["mission"] = "d1"
    app.run()
    assert "n'existe plus" in app.said()
    app.test.query_params["mission"] = "m1"
    app.run()
    assert not app.test.get("button_group")


def test_a_team_publishes_a_series(app, store, sign_in):
    boss = sign_in("chef", first_name="Zoé")
    store.associations.create(association("sow", name="Les Semeurs", owner_id=boss.id))
    app.open(PAGE)
    app.button("Nouvelle mission").click()
    app.run()
    next(one for one in app.test.text_input if one.key.endswith("-title")).set_value("Planter")
    next(one for one in app.test.selectbox if one.key.endswith("-rhythm")).set_value("weekly")
    app.run()
    press(app, "mission.publish")
    made = store.missions.page(limit=10).items
    assert [one.title for one in made] == ["Planter"] * 4
    assert {(b.starts - a.starts).days for a, b in pairwise(made)} == {7}
    assert "La mission est publiée" in app.said()


def test_an_end_before_the_start_is_said_and_nothing_is_lost(app, store, sign_in):
    boss = sign_in("chef")
    store.associations.create(association("sow", name="Les Semeurs", owner_id=boss.id))
    app.open(PAGE)
    app.button("Nouvelle mission").click()
    app.run()
    next(one for one in app.test.text_input if one.key.endswith("-title")).set_value("Planter")
    next(one for one in app.test.date_input if one.key.endswith("-last-day")).set_value(
        (NOW + timedelta(days=1)).date()
    )
    app.run()
    press(app, "mission.publish")
    assert "après le début" in app.said()
    title = next(one for one in app.test.text_input if one.key.endswith("-title"))
    assert title.value == "Planter"
    assert store.missions.page(limit=1).items == ()


def test_presence_is_noted_once_it_has_begun(square):
    one = applied(square, "ana")
    boss = square.users.get("boss")
    missions.approve(square, boss, one.id, NOW)
    later = SOON + timedelta(hours=1)
    noted = missions.note_presence(square, boss, one.id, Presence.PRESENT, 150, later)
    assert (noted.presence, noted.minutes) == (Presence.PRESENT, 150)
