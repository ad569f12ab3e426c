"""Rules refuse what they must, naming the field, and let everything else pass."""

from datetime import UTC, datetime

import pytest
from helpers import article, association, event, location, mission, post, source
from hypothesis import given
from hypothesis import strategies as st

from cityverse.domain.places import Evidence
from cityverse.domain.rules import check_id, check_link, check_text, fold
from cityverse.errors import InvalidField

NAIVE = datetime(2026, 11, 22, 12)  # noqa: DTZ001 - that is what must be refused


@pytest.mark.parametrize("make", [association, post, mission, event, article, source])
def test_ordinary_entities_pass(make):
    make().check()


@pytest.mark.parametrize(
    ("entity", "field"),
    [
        (post(""), "id"),
        (post("a" * 65), "id"),
        (post("a b"), "id"),
        (post("../etc"), "id"),
        (post("é"), "id"),
        (post(text=""), "text"),
        (post(text="   "), "text"),
        (post(text="x" * 10_000), "text"),
        (post(text="a\x00b"), "text"),
        (post(text="a\ud800b"), "text"),
        (post(title="a\u2028b"), "title"),
        (post(text=None), "text"),
        (post(association_id=""), "association_id"),
        (post(association_name=""), "association_name"),
        (post(created=NAIVE), "created"),
        (post(created=datetime(1969, 1, 1, tzinfo=UTC)), "created"),
        (association(goals=frozenset({0})), "goals"),
        (association(goals=frozenset({18})), "goals"),
        (association(website="javascript:alert(1)"), "website"),
        (association(location=location(21)), "location.arrondissement"),
        (association(location=location(lat=48.0)), "location.lat"),
        (association(location=location(lon=float("nan"))), "location.lon"),
        (association(location=location(lat=True)), "location.lat"),
        (association(location=location(place="")), "location.place"),
        (mission(places=0), "places"),
        (mission(approved=-1), "approved"),
        (mission(approved=11), "approved"),
        (event(ends=datetime(2026, 11, 21, tzinfo=UTC)), "ends"),
        (article(title="x" * 501), "title"),
        (article(link="ftp://example.org/"), "link"),
        (article(expires_at=NAIVE), "expires_at"),
        (article(updated=NAIVE), "updated"),
        (article(author="a\x1bb"), "author"),
        (article(location=location(evidence=(Evidence("body", 0, 1, "a"),))), "evidence.field"),
        (article(location=location(evidence=(Evidence("title", 0, 9, "a"),))), "evidence.start"),
        (source(url=""), "url"),
        (source(url=None), "url"),
        (source(etag="x" * 5000), "etag"),
        (source(error_count=-1), "error_count"),
        (source(next_check_at=NAIVE), "next_check_at"),
    ],
)
def test_the_field_that_breaks_a_rule_is_named(entity, field):
    with pytest.raises(InvalidField) as refused:
        entity.check()
    assert refused.value.field == field


@pytest.mark.parametrize(
    "link",
    [
        "http://",
        "//example.org/a",
        "/a",
        "data:text/html,x",
        "https://user:secret@example.org/",
        "https://example.org/a b",
        "https://example.org/a\nb",
        "https://example.org/\u00a0",
        "https://example.org:99999/",
        "https://[::1/",
        "https://example.org/" + "a" * 2048,
    ],
)
def test_links_that_are_not_plain_addresses_are_refused(link):
    with pytest.raises(InvalidField):
        check_link("link", link)


@pytest.mark.parametrize("link", [None, "https://example.org", "http://[::1]:8080/a?b=c#d"])
def test_plain_addresses_pass(link):
    check_link("link", link)


@given(st.text(max_size=80))
def test_an_id_is_of_its_alphabet_or_refused(text):
    allowed = set("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_.:-")
    good = 1 <= len(text) <= 64 and set(text) <= allowed and text[0] not in "_.:-"
    if good:
        check_id("id", text)
    else:
        with pytest.raises(InvalidField):
            check_id("id", text)


@given(st.text(st.characters(exclude_categories=["Cc", "Cs", "Zl", "Zp"]), max_size=50))
def test_a_text_without_control_characters_passes_up_to_its_length(text):
    clean = text.replace("\ufeff", "")
    check_text("text", clean, longest=50, required=False)
    if clean:
        with pytest.raises(InvalidField):
            check_text("text", clean, longest=len(clean) - 1, required=False)


@pytest.mark.parametrize(
    ("text", "folded"),
    [
        ("Élysée", "elysee"),
        ("Sacré-Cœur", "sacre-coeur"),
        ("CŒUR", "coeur"),
        ("Œuvre d'Æneas", "oeuvre d'aeneas"),
        ("Straße", "strasse"),
        ("ﬁn", "fin"),
        ("", ""),
    ],
)
def test_folding(text, folded):
    assert fold(text) == folded


@given(st.text(max_size=60))
def test_folding_forgets_case_and_is_done_once(text):
    assert fold(fold(text)) == fold(text)
    assert fold(text.upper()) == fold(text.upper().lower())
