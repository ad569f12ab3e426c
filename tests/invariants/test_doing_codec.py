"""Every entity of what people do comes back from the store as it was."""

import dataclasses
import typing
from datetime import UTC, datetime

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cityverse.data import client, codec
from cityverse.domain.applications import Application
from cityverse.domain.attendance import Attendance
from cityverse.domain.comments import Comment
from cityverse.domain.community import Event, Mission, Post
from cityverse.domain.giving import Campaign, Contribution
from cityverse.domain.places import Evidence, Location
from cityverse.domain.products import Product
from cityverse.domain.reactions import Reaction

texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=8)
YEARS = (datetime(1970, 1, 1), datetime(2199, 12, 31))  # noqa: DTZ001 - asked for so
PLAIN = {
    str: texts,
    int: st.integers(-(2**53), 2**53),
    bool: st.booleans(),
    float: st.floats(-1e9, 1e9).filter(lambda n: n == 0 or abs(n) > 1e-100),
    datetime: st.datetimes(*YEARS, timezones=st.just(UTC)),
}
ENTITIES = [Post, Mission, Event, Campaign, Product, Comment, Reaction, Application]
ENTITIES += [Contribution, Attendance]


def of_type(hint):
    """Values of the type of a field."""
    origin, arguments = typing.get_origin(hint), typing.get_args(hint)
    if type(None) in arguments:
        return st.none() | of_type(next(a for a in arguments if a is not type(None)))
    if origin is tuple:
        return st.lists(of_type(arguments[0]), max_size=3).map(tuple)
    if origin is frozenset:
        return st.frozensets(of_type(arguments[0]), max_size=3)
    if dataclasses.is_dataclass(hint):
        return of_entity(hint)
    return PLAIN[hint] if hint in PLAIN else st.sampled_from(hint)


def of_entity(kind):
    """Entities with anything at all in every field."""
    hints = typing.get_type_hints(kind)
    fields = {f.name: of_type(hints[f.name]) for f in dataclasses.fields(kind) if f.init}
    return st.builds(kind, **fields)


@pytest.mark.parametrize("kind", [*ENTITIES, Location, Evidence])
def test_what_is_stored_comes_back_the_same(kind):
    @settings(max_examples=30, deadline=None)
    @given(of_entity(kind))
    def comes_back(entity):
        wire = client.decode(client.encode(codec.to_item(entity)))
        assert codec.from_item(kind, wire) == entity

    comes_back()


@pytest.mark.parametrize(
    ("kind", "field", "stored"),
    [(Product, "name", "nom"), (Contribution, "campaign_id", "donation_id")],
)
def test_the_attributes_of_the_seed_keep_their_names(kind, field, stored):
    assert codec.stored_name(kind, field) == stored
    assert codec.stored_name(kind, "created") == "created"
