"""What an article is about, and in which language."""

from __future__ import annotations

import tomllib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cityverse.domain.news import TopicName
from cityverse.news import topics
from cityverse.news.language import language_of
from cityverse.news.topics import topics_of


@pytest.mark.parametrize(
    ("title", "summary", "expected"),
    [
        ("Métro : la ligne 13 interrompue", "", ["transport"]),
        ("METRO : LA LIGNE 13 INTERROMPUE", "", ["transport"]),
        ("Un homme interpellé après une agression", "", ["justice"]),
        ("Canicule : les piscines ouvertes la nuit", "", ["sport", "weather"]),
        ("Encadrement des loyers prolongé", "", ["housing"]),
        ("Les écoles fermées vendredi", "", ["school"]),
        ("Au Théâtre du Châtelet, une comédie musicale", "", ["culture"]),
        ("Le conseil de Paris vote le budget participatif", "", ["city_hall"]),
        ("Rue Cler", "Le maire et son adjoint ont inauguré la place.", ["city_hall"]),
        # One word of a summary is too little, and the same word twice is one word.
        ("Rue Cler", "Le maire a inauguré la place, dit le maire.", []),
        ("Plus de gaz, mais plus de pain", "Tout est plus cher.", []),
        ("", "", []),
    ],
)
def test_topics(title: str, summary: str, expected: list[str]) -> None:
    assert sorted(topic.name for topic in topics_of(title, summary)) == sorted(expected)


def test_a_topic_shows_its_words_the_longest_phrase_first() -> None:
    (topic,) = topics_of("La mairie de Paris : un point d’étape", "")
    assert (topic.name, [e.words for e in topic.evidence]) == ("city_hall", ["mairie de Paris"])


def test_no_more_than_three_topics_those_with_most_words() -> None:
    found = topics_of("Police, tribunal, prison : métro, RER, école, loyer, musée, neige", "")
    assert [topic.name for topic in found[:2]] == ["justice", "transport"]
    assert len(found) == 3


@given(st.text(max_size=120), st.text(max_size=200))
def test_evidence_is_what_stands_there(title: str, summary: str) -> None:
    texts = {"title": "Vélo " + title, "summary": summary + " le musée"}
    found = topics_of(texts["title"], texts["summary"])
    assert "transport" in {topic.name for topic in found}
    for topic in found:
        topic.check()
        for one in topic.evidence:
            assert texts[one.field][one.start : one.end] == one.words


def test_every_topic_has_words_and_no_word_stands_twice_in_one() -> None:
    listed = tomllib.loads(topics._FILE.read_text(encoding="utf-8"))
    assert set(listed) == set(TopicName)
    for words in listed.values():
        assert len(set(words)) == len(words)


@pytest.mark.parametrize(
    ("text", "told", "expected"),
    [
        ("Un incendie s'est déclaré dans un immeuble de la rue de Rivoli", None, "fr"),
        ("UN INCENDIE S'EST DÉCLARÉ DANS UN IMMEUBLE DE LA RUE DE RIVOLI", "en", "fr"),
        ("The best things to do in Paris this weekend", "fr", "en"),
        ("Huelga en el metro de París este lunes por la mañana", "fr", "es"),
        ("PSG - OM", "fr", "fr"),
        ("PSG - OM", None, None),
        ("", None, None),
    ],
)
def test_language(text: str, told: str | None, expected: str | None) -> None:
    assert language_of(text, told) == expected
