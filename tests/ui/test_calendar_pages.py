"""Notifications, the calendar with its private address, events, and the certificate."""

import io
from datetime import UTC, datetime, timedelta

import pypdfium2
import pytest
from asgi import Client
from helpers import association, event, location, mission
from icalendar import Calendar
from people_helpers import at_once, user
from starlette.applications import Starlette

from cityverse.community import agenda, events, missions, notices
from cityverse.community.events import EventForm
from cityverse.community.missions import ApplicationForm
from cityverse.domain.applications import Presence
from cityverse.domain.missions import Rhythm
from cityverse.domain.notifications import Topic
from cityverse.errors import Closed, Full, InvalidField, NotAllowed
from cityverse.ui import calendars, certificate
from cityverse.ui.texts import Texts

NOW = datetime.now(UTC).replace(microsecond=0)
SOON = NOW + timedelta(hours=3)


@pytest.fixture
def city(store):
    store.users.create(user("boss", email="boss@example.org", first_name="Zoé"))
    store.associations.create(association("sow", name="Les Semeurs", owner_id="boss"))
    store.missions.create(
        mission("m1", association_id="sow", starts=SOON, title="Planter <i>", location=location(9))
    )
    store.events.create(
        event(
            "e1",
            association_id="sow",
            starts=SOON,
            ends=SOON + timedelta(hours=2),
            title="Troc",
            places=1,
        )
    )
    return store


def boss(city):
    return city.users.get("boss")


def press(app, key):
    next(one for one in app.test.button if one.key == key).click()
    return app.run()


def approved(city, who):
    one = missions.apply(city, who, "m1", ApplicationForm("Envie"), NOW)
    return missions.approve(city, boss(city), one.id, NOW)


def test_notifications_are_counted_read_one_by_one_and_all_together(app, city, sign_in):
    ana = sign_in("ana")
    approved(city, ana)
    app.open("pages/Notifications.py")
    links = [link.proto.label for link in app.test.get("page_link")]
    assert "Notifications (1)" in links
    assert "Réponse à votre candidature" in app.html()
    app.button("Tout marquer comme lu").click()
    app.run()
    assert notices.unread(city, city.users.get("ana")) == 0
    assert "nouveau" not in app.html()


def test_opening_a_notification_leads_to_its_mission(app, city, sign_in):
    ana = sign_in("ana")
    approved(city, ana)
    app.open("pages/Notifications.py")
    app.button("Ouvrir").click()
    app.run()
    told = city.notifications.page("ana", limit=5).items
    assert [one.read_at is not None for one in told] == [True]


def test_nobody_reads_for_another(city):
    ana = city.users.create(user("ana", email="ana@example.org"))
    approved(city, ana)
    (told,) = city.notifications.page("ana", limit=5).items
    with pytest.raises(NotAllowed):
        notices.read(city, boss(city), told, NOW)


def test_an_empty_inbox_says_what_to_do(app, city, sign_in):
    sign_in("ana")
    app.open("pages/Notifications.py")
    assert "Rien pour le moment" in app.said()


def test_the_calendar_lists_what_one_takes_part_in(app, city, sign_in):
    ana = sign_in("ana")
    approved(city, ana)
    events.attend(city, ana, "e1", NOW)
    app.open("pages/Calendar.py")
    html = app.html()
    assert "Planter &lt;i&gt;" in html
    assert "<th scope='col'" in html
    assert "acceptée" in html
    assert "/agenda.ics?who=ana" in app.test.code[0].value
    press(app, "calendar.next")
    press(app, "calendar.next")
    assert "Rien dans cette période" in app.said()


@pytest.fixture
def client(settings, store):
    return Client(Starlette(routes=calendars.routes(settings)))


def test_the_private_address_answers_until_it_is_renewed(city, client, settings):
    ana = city.users.create(user("ana", email="ana@example.org"))
    approved(city, ana)
    address = calendars.address_of(settings, ana, "fr")
    answer = client.get(address)
    assert answer.status_code == 200
    assert "no-store" in answer.headers["cache-control"]
    (entry,) = Calendar.from_ical(answer.content).events
    assert str(entry["summary"]) == "Planter <i>"
    assert client.get(address.replace("who=ana", "who=boss")).status_code == 404
    assert client.get("/agenda.ics?who=ana&key=%C3%A9").status_code == 404
    at_once(*[lambda: agenda.renew(city, ana)] * 5)
    assert city.users.get("ana").calendar_version == 2
    assert client.get(address).status_code == 404
    new = calendars.address_of(settings, city.users.get("ana"), "fr")
    assert client.get(new).status_code == 200


def test_an_association_has_a_public_calendar(city, client):
    events.set_cancelled(city, boss(city), "e1", True, NOW)
    answer = client.get("/association.ics?id=sow")
    found = {
        str(e["summary"]): str(e.get("status")) for e in Calendar.from_ical(answer.content).events
    }
    assert found == {"Planter <i>": "None", "Troc": "CANCELLED"}
    assert client.get("/association.ics?id=nobody").status_code == 404


def test_the_certificate_names_what_was_confirmed(city):
    ana = city.users.create(
        user("ana", email="ana@example.org", first_name="Łucja", last_name="Müller-Δ")
    )
    one = approved(city, ana)
    assert agenda.hours_of(city, ana) == []
    missions.note_presence(city, boss(city), one.id, Presence.PRESENT, 150, SOON)
    hours = agenda.hours_of(city, ana)
    data = certificate.pdf(Texts("fr"), ana, hours, NOW)
    document = pypdfium2.PdfDocument(io.BytesIO(data))
    page = document[0]
    textpage = page.get_textpage()
    text = textpage.get_text_range()
    for part in (textpage, page, document):
        part.close()
    for words in ("Łucja Müller-Δ", "Les Semeurs", "Planter <i>", "2 h 30"):
        assert words in text


# --- events -----------------------------------------------------------------------------------


def form(**changes):
    fields = {
        "id": "new", "association_id": "sow", "title": "Bal", "description": "",
        "starts": SOON, "ends": SOON + timedelta(hours=2),
    }  # fmt: skip
    return EventForm(**(fields | changes))


def test_one_comes_and_leaves(app, city, sign_in):
    sign_in("ana")
    app.open("pages/Events.py")
    assert app.titles("event_cards") == {"Troc"}
    app.test.query_params["event"] = "e1"
    app.run()
    press(app, "attend-e1")
    assert "Vous venez" in app.said()
    assert city.events.get("e1").attending == 1
    press(app, "leave-e1")
    assert city.events.get("e1").attending == 0


def test_the_last_place_is_given_once_and_a_cancelled_event_takes_nobody(city):
    people = [city.users.create(user(f"p{n}", email=f"p{n}@example.org")) for n in range(4)]
    answers = at_once(*(lambda p=p: events.attend(city, p, "e1", NOW) for p in people))
    assert sum(isinstance(one, Full) for one in answers) == 3
    events.set_cancelled(city, boss(city), "e1", True, NOW)
    with pytest.raises(Closed):
        events.attend(city, boss(city), "e1", NOW)
    (came,) = city.attendance.of_event("e1", limit=5).items
    topics = [one.topic for one in city.notifications.page(came.user_id, limit=5).items]
    assert topics == [Topic.EVENT_CHANGED]


def test_an_event_is_published_once_edited_once_by_its_team_alone(city):
    wanted = form(rhythm=Rhythm.MONTHLY, times=3)
    made = events.save(city, boss(city), wanted, NOW)
    assert events.save(city, boss(city), wanted, NOW) == made
    assert len({one.id for one in made}) == 3
    edited = form(id="new-0", version=1, title="Grand bal")
    done = events.save(city, boss(city), edited, NOW)
    assert events.save(city, boss(city), edited, NOW) == done
    ana = city.users.create(user("ana", email="ana@example.org"))
    for act in (
        lambda: events.save(city, ana, form(id="x"), NOW),
        lambda: events.set_cancelled(city, ana, "e1", True, NOW),
    ):
        with pytest.raises(NotAllowed):
            act()


@pytest.mark.parametrize(
    "changes",
    [
        {"ends": SOON - timedelta(hours=1)},
        {"starts": NOW - timedelta(days=2), "ends": NOW - timedelta(days=1)},
        {"places": 0},
        {"link": "javascript:alert(1)"},
    ],
)
def test_what_makes_no_sense_is_refused(city, changes):
    with pytest.raises(InvalidField):
        events.save(city, boss(city), form(**changes), NOW)


def test_a_team_publishes_an_event_on_the_page(app, store, sign_in):
    one = sign_in("chef")
    store.associations.create(association("sow", name="Les Semeurs", owner_id=one.id))
    app.open("pages/Events.py")
    app.button("Nouvel événement").click()
    app.run()
    assert "Un événement a une fin" in app.said()
    next(x for x in app.test.text_input if x.key.endswith("-title")).set_value("Bal")
    clock = next(x for x in app.test.time_input if x.key.endswith("-last-clock"))
    clock.set_value((datetime(2026, 1, 1, 18)).time())  # noqa: DTZ001
    app.run()
    press(app, "event_publish")
    assert [x.title for x in store.events.page(limit=5).items] == ["Bal"]
    assert "L'événement est publié" in app.said()
