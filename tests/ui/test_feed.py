"""The feed: posts page by page."""

from datetime import timedelta

import pytest
from helpers import NOW, location, post


@pytest.fixture
def posts(store):
    for number in range(45):
        where = location(9 if number % 2 else 18)
        store.posts.create(
            post(
                f"p{number:02}",
                title=f"Titre {number:02}",
                created=NOW - timedelta(hours=number),
                location=where,
            )
        )


def shown(app):
    return [card["title"] for card in app.cards("feed_cards")]


def test_an_empty_feed_says_so(app):
    app.open("pages/Feed.py")
    assert "Aucune publication" in app.said()


def test_pages_forward_and_back(app, posts):
    app.open("pages/Feed.py")
    first = shown(app)
    assert first == [f"Titre {n:02}" for n in range(20)]
    assert app.button("Plus récentes").disabled
    app.button("Plus anciennes").click()
    app.run()
    assert shown(app) == [f"Titre {n:02}" for n in range(20, 40)]
    app.button("Plus anciennes").click()
    app.run()
    assert shown(app) == [f"Titre {n:02}" for n in range(40, 45)]
    assert app.button("Plus anciennes").disabled
    app.button("Plus récentes").click()
    app.run()
    app.button("Plus récentes").click()
    app.run()
    assert shown(app) == first


def test_an_arrondissement_has_its_own_feed(app, posts):
    app.open("pages/Feed.py")
    app.test.selectbox(key="feed_arrondissement").set_value(18)
    app.run()
    assert shown(app)[:2] == ["Titre 00", "Titre 02"]


def test_a_search_leads_to_the_first_page(app, posts):
    app.open("pages/Feed.py")
    app.test.text_input(key="q").set_value("titre")
    app.run()
    assert app.test.get("deck_gl_json_chart")
