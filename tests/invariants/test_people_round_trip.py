"""Every entity of people comes out of the store as it went in, whatever its fields hold."""

import dataclasses
import typing
from datetime import UTC, datetime
from functools import cache

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cityverse.data.client import decode, encode
from cityverse.data.codec import from_item, to_item
from cityverse.domain.community import Association
from cityverse.domain.moderation import Decision, Report
from cityverse.domain.notifications import Notification
from cityverse.domain.people import Follow, User
from cityverse.domain.points import Award, Badge

SIMPLE = {
    str: st.text(st.characters(exclude_categories=["Cs"]), max_size=20),
    int: st.integers(-(2**53), 2**53),
    float: st.floats(-1e6, 1e6).filter(lambda x: x == 0 or abs(x) > 1e-120),
    datetime: st.datetimes(
        datetime(1971, 1, 1), datetime(2198, 12, 31), timezones=st.just(UTC)  # noqa: DTZ001
    ),
}  # fmt: skip


def values(hint):
    """Anything a field of this type may hold, so that new fields are tried too."""
    origin, arguments = typing.get_origin(hint), typing.get_args(hint)
    if arguments and type(None) in arguments:
        return st.none() | values(next(a for a in arguments if a is not type(None)))
    if origin is tuple:
        return st.lists(values(arguments[0]), max_size=2).map(tuple)
    if origin is frozenset:
        return st.frozensets(values(arguments[0]), max_size=3)
    if dataclasses.is_dataclass(hint):
        return entities(hint)
    return SIMPLE[hint] if hint in SIMPLE else st.from_type(hint)


@cache
def entities(kind):
    hints = typing.get_type_hints(kind)
    return st.builds(
        kind, **{f.name: values(hints[f.name]) for f in dataclasses.fields(kind) if f.init}
    )


@pytest.mark.parametrize(
    "kind", [User, Follow, Award, Badge, Notification, Report, Decision, Association]
)
@settings(max_examples=40, deadline=None)
@given(data=st.data())
def test_round_trip(kind, data):
    entity = data.draw(entities(kind))
    assert from_item(kind, decode(encode(to_item(entity)))) == entity
