"""What stands below a post in its dialog, signed out and signed in."""

from datetime import UTC, datetime

import pytest
from helpers import association, post
from people_helpers import user

from cityverse.community import talk
from cityverse.community.talk import Draft
from cityverse.domain.reactions import ReactionKind
from cityverse.ui import signed_in

NOW = datetime.now(UTC)


@pytest.fixture
def square(store):
    store.associations.create(association("sow", name="Les Semeurs"))
    store.posts.create(post("p1", association_id="sow", created=NOW))
    return store


def button(app, key):
    return next(one for one in app.test.button if one.key == key)


def press(app, key):
    button(app, key).click()
    return app.run()


def keys(app):
    return {one.key for one in app.test.button}


def test_signed_out_one_reads_and_is_told_how_to_take_part(app, square, store):
    zoe = store.users.create(user("zoe", email="zoe@example.org", first_name="Zoé", last_name=""))
    talk.comment(square, zoe, Draft("c1", "p1", "Bravo <b>"), NOW)
    talk.react(square, zoe, "p1", ReactionKind.LOVE, NOW)
    app.open(item="post:p1")
    assert "Bravo &lt;b&gt;" in app.html()
    assert "❤️ 1" in app.said()
    assert "1 commentaire" in app.said()
    assert not any(one.startswith(("follow-", "talk.")) for one in keys(app) if one)
    links = [link.proto.label for link in app.test.get("page_link")]
    assert "Connectez-vous pour réagir, commenter ou suivre" in links


def test_reacting_changing_and_taking_back(app, square, sign_in):
    sign_in("ana")
    app.open(item="post:p1")
    for chosen, counted in ((ReactionKind.LIKE, 1), (ReactionKind.WOW, 1), (None, 0)):
        app.test.pills(key="reaction-p1").set_value(chosen)
        app.run()
        given = square.posts.get("p1").reactions
        assert sum(given.values()) == counted
        assert chosen is None or given[chosen] == 1


def test_saying_something_empties_the_form_and_sends_once(app, square, sign_in):
    sign_in("ana", first_name="Ana", last_name="B")
    app.open(item="post:p1")
    area = next(one for one in app.test.text_area if one.key.startswith("text-"))
    first = area.key
    area.set_value("Bravo à tous")
    next(one for one in app.test.button if "Publier" in one.label).click()
    app.run()
    assert "Bravo à tous" in app.html()
    area = next(one for one in app.test.text_area if one.key.startswith("text-"))
    assert (area.value, area.key != first) == ("", True)
    assert square.posts.get("p1").comments == 1


def test_what_cannot_be_sent_stays_in_the_form(app, square, sign_in):
    sign_in("ana")
    app.open(item="post:p1")
    area = next(one for one in app.test.text_area if one.key.startswith("text-"))
    area.set_value("bad\x07bell")
    next(one for one in app.test.button if "Publier" in one.label).click()
    app.run()
    area = next(one for one in app.test.text_area if one.key.startswith("text-"))
    assert area.value == "bad\x07bell"
    assert app.test.error
    assert square.posts.get("p1").comments == 0


def test_editing_and_deleting_ask_and_do(app, square, sign_in):
    ana = sign_in("ana", first_name="Ana", last_name="")
    talk.comment(square, ana, Draft("c1", "p1", "Brvo"), NOW)
    app.open(item="post:p1")
    press(app, "talk.edit-c1")
    app.test.text_area(key="edit-c1").set_value("Bravo")
    next(one for one in app.test.button if one.label == "Enregistrer").click()
    app.run()
    assert square.comments.get("c1").text == "Bravo"
    assert "modifié" in app.html()
    press(app, "talk.delete-c1")
    assert "Supprimer ce commentaire ?" in app.said()
    assert square.comments.get("c1").text == "Bravo"
    press(app, "delete-c1")
    assert square.comments.get("c1").deleted
    assert "0 commentaire" in app.said()


def test_the_words_of_others_have_no_button_to_change_them(app, square, store, sign_in):
    zoe = store.users.create(user("zoe", email="zoe@example.org"))
    talk.comment(square, zoe, Draft("c1", "p1", "Moi"), NOW)
    sign_in("ana")
    app.open(item="post:p1")
    assert "talk.answer-c1" in keys(app)
    assert not {"talk.edit-c1", "talk.delete-c1"} & keys(app)


def test_an_answer_stands_below_and_its_author_is_told(app, square, store, sign_in):
    zoe = store.users.create(user("zoe", email="zoe@example.org", first_name="Zoé", last_name=""))
    talk.comment(square, zoe, Draft("c1", "p1", "Qui vient ?"), NOW)
    sign_in("ana")
    app.open(item="post:p1")
    press(app, "talk.answer-c1")
    assert "Réponse à Zoé" in app.said()
    area = next(one for one in app.test.text_area if one.key.startswith("text-"))
    area.set_value("Moi !")
    next(one for one in app.test.button if "Publier" in one.label).click()
    app.run()
    assert "margin:0 0 0 1.4rem" in app.html()
    (told,) = store.notifications.page("zoe", limit=5).items
    assert told.text == "Moi !"


def test_a_session_that_ended_elsewhere_can_do_nothing_more(app, square, sign_in, monkeypatch):
    sign_in("ana")
    app.open(item="post:p1")
    monkeypatch.setattr(signed_in, "_cookie", lambda: None)
    press(app, "follow-sow")
    assert square.associations.get("sow").followers == 0
    assert "Connectez-vous" in app.said()


def test_what_one_follows_is_a_feed_of_its_own(app, square, store, sign_in):
    store.associations.create(association("other", name="Autre"))
    store.posts.create(
        post("p2", title="Ailleurs", association_id="other", association_name="Autre", created=NOW)
    )
    sign_in("ana")
    app.open("pages/Feed.py")
    assert len(app.cards("feed_cards")) == 2
    app.test.segmented_control(key="feed_whose").set_value("followed")
    app.run()
    assert "choisissez « Suivre »" in app.said()
    app.test.session_state["open_item"] = "post:p1"
    app.run()
    press(app, "follow-sow")
    assert [card["title"] for card in app.cards("feed_cards")] == ["Premières tomates"]
    press(app, "follow-sow")
    assert app.cards("feed_cards") == []


def test_an_association_is_followed_from_its_own_dialog(app, square, sign_in):
    sign_in("ana")
    app.open(item="association:sow")
    press(app, "follow-sow")
    assert square.associations.get("sow").followers == 1
