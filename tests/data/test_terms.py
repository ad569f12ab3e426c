"""Search finds what has all words of a query, newest first, with one bounded query."""

from datetime import timedelta

import pytest
from helpers import NOW, article, association, location, post

from cityverse.data import terms


def found(store, kind, text):
    return [one.item_id for one in store.search(kind, text)]


@pytest.fixture
def city(store):
    titles = ["Jardin partagé à Belleville", "Concert au jardin des Plantes", "L'œuvre du canal"]
    for n, title in enumerate(titles):
        created = NOW - timedelta(days=n)
        store.posts.create(post(f"p{n}", title=title, text="Venez nombreux", created=created))
    store.news.create(article("n1", title="Un jardin de plus", location=location()))
    return store


@pytest.mark.parametrize(
    ("text", "ids"),
    [
        ("jardin", ["p0", "p1"]),
        ("JARDIN Partagé", ["p0"]),
        ("belleville jardin", ["p0"]),
        ("jar bell", ["p0"]),
        ("plantes", ["p1"]),
        ("plantez", []),
        ("ardin", []),
        ("oeuvre", ["p2"]),
        ("l'œuvre du canal", ["p2"]),
        ("semeurs", ["p0", "p1", "p2"]),
        ("jardin inconnu", []),
        ("concert belleville", []),
        ("jardin du de la", ["p0", "p1"]),
    ],
)
def test_words_are_found_folded_by_their_beginnings(city, text, ids):
    assert found(city, "post", text) == ids


@pytest.mark.parametrize("text", ["", "  ", "de la", "à", "ab", "!?", "😀", "Paris", "\x00"])
def test_without_a_usable_word_there_is_no_answer(city, text):
    assert city.search("post", text) is None


def test_kinds_are_kept_apart(city):
    assert found(city, "news", "jardin") == ["n1"]
    assert found(city, "news", "martyrs") == ["n1"]
    assert found(city, "association", "jardin") == []


def test_an_item_with_several_words_of_one_beginning_is_found_once(store):
    store.associations.create(association("a9", name="Concert, concours et conférence"))
    assert found(store, "association", "con") == ["a9"]
    assert found(store, "association", "concours concert") == ["a9"]


def test_a_query_looks_at_a_bounded_number_of_rows(store, monkeypatch):
    monkeypatch.setattr(terms, "LOOKED_AT_MOST", 5)
    for n in range(8):
        store.posts.create(post(f"p{n}", created=NOW + timedelta(days=n)))
    assert found(store, "post", "tomates") == ["p7", "p6", "p5", "p4", "p3"]


def test_a_long_query_is_cut(city):
    assert found(city, "post", "jardin " * 500 + "partage") == ["p0"]
    assert found(city, "post", " ".join(f"inconnu{n}" for n in range(5000))) == []


def test_an_item_has_a_bounded_number_of_rows():
    text = " ".join(f"{chr(97 + n % 26)}{chr(97 + n // 26)}mot" for n in range(600))
    searchable = terms.Searchable("post", NOW, (text,))
    assert len(terms.rows("p1", searchable)) == terms.WORDS_MOST
