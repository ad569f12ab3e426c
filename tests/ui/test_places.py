"""A reader says "wrong place" in the dialog; a manager decides on the page of places."""

from datetime import UTC, datetime, timedelta

import pytest
from helpers import article, location

from cityverse.domain.corrections import ProposalStatus
from cityverse.domain.people import Role

PAGE = "pages/Places.py"


@pytest.fixture
def told(store):
    published = datetime.now(UTC) - timedelta(hours=1)
    return store.news.create(article(published=published, location=location()))


def press(app, key):
    next(one for one in app.test.button if one.key == key).click()
    return app.run()


def propose(app):
    app.open(item="news:n1")
    press(app, "wrong-n1")
    app.field("Quel est le bon endroit ?").set_value("bastille")
    app.run()
    app.test.radio[0].set_value(0)
    app.run()
    press(app, "placing_send")


def test_proposed_and_accepted(app, told, store, sign_in):
    sign_in()
    propose(app)
    (proposal,) = store.proposals.queue(ProposalStatus.OPEN, limit=9).items
    assert (proposal.user_id, proposal.location.place) == ("ana", "Bastille")
    assert "Vous avez proposé : Bastille" in app.said()
    sign_in("max", role=Role.MANAGER)
    app.open(PAGE)
    assert "Lieu proposé" in app.html()
    assert "Rue des Martyrs" in app.html()
    app.button("Accepter").click()
    app.run()
    assert store.news.get("n1").location.place == "Bastille"
    assert "nouvelle place" in app.said()
    press(app, "undo-list-n1")
    assert store.news.get("n1").location == told.location


def test_who_is_not_signed_in_is_led_there(app, told):
    app.open(item="news:n1")
    assert not any(one.key == "wrong-n1" for one in app.test.button)
    assert "Certitude : très forte." in app.html()


@pytest.mark.parametrize("role", [None, Role.CREATOR])
def test_the_page_is_for_managers(app, told, sign_in, role):
    if role is not None:
        sign_in(role=role)
    app.open(PAGE)
    assert not app.test.title
