"""Writing a post on the feed, and what its author does with it in its dialog."""

import io
from datetime import UTC, datetime, timedelta

import pytest
from helpers import association, post
from PIL import Image

from cityverse.community import posting
from cityverse.data import media as media_store
from cityverse.domain.community import AuthorKind, LinkPreview
from cityverse.domain.media import MediaKind
from cityverse.domain.posting import Draft
from cityverse.errors import FetchError
from cityverse.news import preview
from cityverse.ui import files

NOW = datetime.now(UTC)


@pytest.fixture
def feed(app, sign_in):
    """The feed of somebody who is signed in, with the form open."""
    sign_in("ana", first_name="Ana", last_name="B")

    def begin():
        app.open("pages/Feed.py")
        return press(app, "compose")

    return begin


def keyed(elements, start):
    return next(one for one in elements if one.key and one.key.startswith(start))


def press(app, key):
    keyed(app.test.button, key).click()
    return app.run()


def write(app, text):
    keyed(app.test.text_area, "compose-text").set_value(text)
    return app.run()


def tool(app, name):
    app.test.pills(key="compose-tool").set_value(name)
    return app.run()


def test_signed_out_one_is_told_how_to_write(app, store):
    app.open("pages/Feed.py")
    links = [link.proto.label for link in app.test.get("page_link")]
    assert "Connectez-vous pour publier" in links


def test_a_resident_writes_and_it_stands_in_the_feed_labelled_so(feed, store):
    app = feed()
    assert "jusqu'à 5 publications par jour" in app.said()
    write(app, "Fête des voisins <b>")
    press(app, "compose-send")
    assert "en ligne" in app.said()
    (card,) = app.cards("feed_cards")
    assert (card["title"], card["meta"]) == ("Fête des voisins <b>", "Ana B, habitant·e")
    assert store.drafts.of_user("ana") == []


def test_what_is_typed_survives_a_reload(feed, store, sign_in, app):
    app = feed()
    write(app, "À demi écrit")
    again = type(app)().open("pages/Feed.py")
    assert "Reprendre" in keyed(again.test.button, "compose").label
    press(again, "compose")
    assert keyed(again.test.text_area, "compose-text").value == "À demi écrit"
    press(again, "compose-discard")
    assert store.drafts.of_user("ana") == []
    assert not [one for one in again.test.text_area if (one.key or "").startswith("compose")]


def test_nothing_is_not_sent_and_what_fails_keeps_the_text(feed, store):
    app = feed()
    press(app, "compose-send")
    assert "Écrivez quelque chose" in app.said()
    write(app, "bad\x07bell")
    press(app, "compose-send")
    assert keyed(app.test.text_area, "compose-text").value == "bad\x07bell"
    assert store.posts.page(limit=5).items == ()


def test_the_sixth_post_of_a_day_is_refused_with_its_draft_kept(feed, store):
    app = feed()
    ana = store.users.get("ana")
    for n in range(5):
        posting.publish(store, ana, Draft(f"d{n}", "ana", NOW, "Un mot"), datetime.now(UTC), most=5)
    write(app, "De trop")
    press(app, "compose-send")
    assert "brouillon est gardé" in app.said()
    assert keyed(app.test.text_area, "compose-text").value == "De trop"
    assert [draft.text for draft in store.drafts.of_user("ana")] == ["De trop"]


def test_an_owner_writes_as_their_association_which_closes_meanwhile(feed, store):
    store.associations.create(association("sow", name="Les Semeurs", owner_id=None))
    app = feed()
    sow = store.associations.get("sow")
    store.associations.replace(sow, association("sow", owner_id="ana", version=sow.version))
    app.run()
    keyed(app.test.selectbox, "compose-as").set_value("sow")
    app.run()
    write(app, "On plante samedi")
    store.deletion.delete("Association", "sow")
    press(app, "compose-send")
    assert "a été fermée" in app.said()
    assert keyed(app.test.text_area, "compose-text").value == "On plante samedi"
    assert store.posts.page(limit=5).items == ()
    press(app, "compose-send")
    (sent,) = store.posts.page(limit=5).items
    assert sent.author_kind is AuthorKind.RESIDENT


def test_a_place_of_the_text_is_offered_and_taken(feed, store):
    app = feed()
    write(app, "Bal place de la République samedi")
    tool(app, "place")
    assert "Nommé dans votre texte" in app.said()
    press(app, "compose-suggested-0")
    press(app, "compose-send")
    assert store.posts.page(limit=5).items[0].location.arrondissement in {3, 10, 11}


def test_a_place_is_searched_for_and_a_search_without_answer_loses_nothing(feed, store):
    app = feed()
    write(app, "Venez")
    tool(app, "place")
    app.test.text_input(key="compose-place").set_value("jardin du luxembourg")
    app.run()
    press(app, "compose-found-0")
    app.test.text_input(key="compose-place").set_value("qwertz")
    app.run()
    assert "Aucun lieu de ce nom" in app.said()
    press(app, "compose-send")
    assert store.posts.page(limit=5).items[0].location.place == "Jardin du Luxembourg"


def link(app, url):
    tool(app, "link")
    app.test.text_input(key="compose-url").set_value(url)
    next(one for one in app.test.button if one.label == "Ajouter le lien").click()
    return app.run()


def test_a_link_is_shown_with_its_preview(feed, store, monkeypatch):
    found = LinkPreview("https://example.org/bal", "Le <i>bal</i>", "Samedi", "Exemple")
    monkeypatch.setattr(preview, "look", lambda url, **_: found)
    app = feed()
    write(app, "Venez")
    link(app, "example.org/bal")
    press(app, "compose-send")
    sent = store.posts.page(limit=5).items[0]
    assert (sent.previews, sent.links) == ((found,), ("https://example.org/bal",))
    app.test.session_state["open_item"] = f"post:{sent.id}"
    app.run()
    assert "Le &lt;i&gt;bal&lt;/i&gt;" in app.html()
    assert app.cards("feed_cards")[0]["attached"] == "1 lien"


def test_a_link_to_a_private_address_is_refused_in_words(feed, store):
    app = feed()
    write(app, "Venez")
    link(app, "http://127.0.0.1:1/secret")
    assert "réseau privé" in app.said()
    link(app, "javascript:alert(1)")
    assert "adresse entière" in app.said()
    assert store.drafts.of_user("ana")[0].links == ()


def test_a_post_is_scheduled_changed_and_thrown_away(feed, store):
    app = feed()
    write(app, "Demain matin")
    tool(app, "later")
    press(app, "compose-send")
    assert "paraîtra" in app.said()
    (draft,) = store.drafts.of_user("ana")
    assert draft.due > datetime.now(UTC)
    press(app, "hold-")
    assert keyed(app.test.text_area, "compose-text").value == "Demain matin"
    press(app, "compose-discard")
    assert posting.publish_due(store, NOW + timedelta(days=9), most=5) == 0


def test_pictures_films_and_documents_stand_in_list_and_dialog(app, store, sign_in):
    ids = [f"m{n:032x}" for n in range(6)]
    kinds = (*[MediaKind.IMAGE] * 4, MediaKind.VIDEO, MediaKind.PDF)
    store.associations.create(association("sow"))
    store.posts.adopt(post("p1", association_id="sow", media=tuple(ids), media_kinds=kinds))
    app.open("pages/Feed.py")
    (card,) = app.cards("feed_cards")
    assert card["images"] == [f"/m/{one}?size=400" for one in ids[:3]]
    assert card["attached"] == "1 autre photo · 1 vidéo · 1 document"
    app.test.session_state["open_item"] = "post:p1"
    app.run()
    assert f'<video controls preload="metadata" src="/m/{ids[4]}">' in app.html()
    assert app.html().count("<img") == 4


def a_picture():
    made = io.BytesIO()
    Image.new("RGB", (40, 30), "green").save(made, "PNG")
    return made.getvalue()


def test_pictures_are_taken_from_the_form_and_what_is_none_is_said(
    feed, store, settings, monkeypatch
):
    kept = media_store.connect(settings)
    monkeypatch.setattr(files, "store", lambda: kept)
    app = feed()
    write(app, "Voyez")
    tool(app, "files")
    app.test.file_uploader[0].set_value(
        [("a.png", a_picture(), "image/png"), ("b.png", b"no picture", "image/png")]
    )
    app.run()
    assert "animations et fichiers abîmés" in app.said()
    assert app.html().count("<img") == 1
    press(app, "compose-send")
    (sent,) = store.posts.page(limit=5).items
    assert sent.media_kinds == (MediaKind.IMAGE,)
    assert kept.items.get(sent.media[0]).owner == "ana"


def mine(store, **fields):
    sent = Draft("d1", "ana", NOW, "Bal masqué", **fields)
    return posting.publish(store, store.users.get("ana"), sent, NOW, most=5)


def test_the_author_edits_deletes_and_has_it_back(app, store, sign_in):
    sign_in("ana")
    mine(store)
    app.open(item="post:d1")
    press(app, "post.edit")
    app.test.text_area(key="post-text-d1").set_value("Bal costumé")
    next(one for one in app.test.button if one.label == "Enregistrer").click()
    app.run()
    assert store.posts.get("d1").text == "Bal costumé"
    assert "Modifiée" in app.said()
    press(app, "post.delete")
    assert "pendant une heure" in app.said()
    assert store.posts.get("d1").removed is None
    press(app, "post.delete_yes")
    assert store.posts.get("d1").removed
    app.open("pages/Feed.py")
    assert app.cards("feed_cards") == []
    press(app, "post.undo")
    assert [card["title"] for card in app.cards("feed_cards")] == ["Bal costumé"]


def test_others_see_no_way_to_change_it_but_share_it(app, store, sign_in):
    sign_in("ana")
    mine(store)
    sign_in("zoe")
    app.open(item="post:d1")
    assert not any((one.key or "").startswith("post.") for one in app.test.button)
    assert "/?item=post:d1" in app.test.code[0].value


def test_search_and_filters_are_in_the_address(app, store, sign_in):
    sign_in("ana")
    mine(store)
    app.open("pages/Feed.py")
    app.test.text_input(key="feed_q").set_value("masqué")
    app.run()
    assert len(app.cards("feed_cards")) == 1
    assert app.test.query_params["feed_q"] == "masqué"
    app.test.text_input(key="feed_q").set_value("introuvable")
    app.run()
    assert "Aucune publication ne contient" in app.said()


def test_a_preview_that_cannot_be_had_is_the_address_alone(monkeypatch):
    def fail(*_, **__):
        raise FetchError("timeout")

    monkeypatch.setattr(preview, "fetch", fail)
    found = preview.look("https://example.org/a")
    assert (found.title, found.text) == ("example.org", "")
