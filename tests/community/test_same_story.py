"""Which articles are one story, and which only sound alike."""

from datetime import UTC, datetime, timedelta

from helpers import location
from hypothesis import given
from hypothesis import strategies as st

from cityverse.community.city import CityItem
from cityverse.community.stories import grouped
from cityverse.domain.kinds import Kind

NOW = datetime(2000, 1, 1, 12, tzinfo=UTC)


def told(number, title, hours=0, kind=Kind.NEWS, **more):
    when = NOW + timedelta(hours=hours)
    return CityItem(kind, str(number), title, "", "source", when, when, **more)


def keys(items):
    return [[i.id, *(other.id for other in i.also)] for i in items]


def test_one_story_of_several_sources_is_one_item():
    items = [
        told(1, "Fermeture de la rue des Martyrs après une fuite de gaz"),
        told(2, "Le marché d'Aligre fête ses producteurs"),
        told(3, "Fuite de gaz rue des Martyrs : fermeture de la rue"),
    ]
    assert keys(grouped(items)) == [["1", "3"], ["2"]]


def test_what_knows_its_place_stands_in_front():
    items = [
        told(1, "Fuite de gaz rue des Martyrs"),
        told(2, "Fuite de gaz, rue des Martyrs fermée", location=location(9)),
    ]
    assert keys(grouped(items)) == [["2", "1"]]


def test_the_same_words_much_later_are_another_story():
    items = [
        told(1, "Grève des éboueurs : collecte suspendue"),
        told(2, "Grève des éboueurs : collecte suspendue", hours=72),
    ]
    assert keys(grouped(items)) == [["1"], ["2"]]


def test_two_shared_words_count_only_at_one_place():
    one, other = "Incendie : immeuble évacué boulevard Barbès", "Un immeuble en flammes, incendie"
    apart = [told(1, one, location=location(18)), told(2, other, location=location(18, lat=48.83))]
    at_one = [told(1, one, location=location(18)), told(2, other, location=location(18))]
    assert keys(grouped(apart)) == [["1"], ["2"]]
    assert keys(grouped(at_one)) == [["1", "2"]]


def test_only_articles_are_grouped():
    title = "Planter la haie du square des Epinettes"
    items = [told(1, title, kind=Kind.MISSION), told(2, title), told(3, title, kind=Kind.EVENT)]
    assert keys(grouped(items)) == [["1"], ["2"], ["3"]]


titles = st.lists(
    st.sampled_from(["incendie", "gaz", "rue", "martyrs", "fuite", "marche", "velo", ""]),
    max_size=6,
).map(" ".join)


@given(st.lists(st.tuples(titles, st.integers(0, 100)), max_size=25))
def test_no_article_is_lost_or_doubled(told_ones):
    items = [told(number, title, hours) for number, (title, hours) in enumerate(told_ones)]
    found = [key for group in keys(grouped(items)) for key in group]
    assert sorted(found) == sorted(item.id for item in items)
