"""Entities to items and back: the only place that knows how a value is stored.

Times become ISO 8601 text in UTC with microseconds, so that they sort as text;
floats become Decimal; None and empty sets are left out, since DynamoDB has no
empty set; sets of numbers stay sets; tuples become lists; an entity inside an
entity becomes a map.
"""

from __future__ import annotations

import dataclasses
import math
import types
import typing
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from decimal import Decimal
from enum import StrEnum
from functools import cache
from typing import Any, TypeVar, cast

from cityverse.errors import InvalidField

SCHEMA_VERSION = 1

# Where the seed's attribute has another name than the field, by the name of the entity.
_STORED_NAMES: Mapping[str, Mapping[str, str]] = {
    "Product": {"name": "nom"},
    "Contribution": {"campaign_id": "donation_id"},
}
E = TypeVar("E")

# DynamoDB keeps at most 400 KB an item; the attributes of indexes come on top of the fields.
ITEM_BYTES_MOST = 350_000


def time_text(value: datetime) -> str:
    """A time as stored: UTC, microseconds, sorts as text."""
    return value.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


@cache
def counters(entity: type) -> frozenset[str]:
    """The fields that only transactions of their causes change, never an edit."""
    return frozenset(f.name for f in dataclasses.fields(entity) if f.metadata.get("counter"))


def stored_name(entity: type, field: str) -> str:
    """The attribute in which a field is stored: its own name but for a few of the seed."""
    return _STORED_NAMES.get(entity.__name__, {}).get(field, field)


def to_item(entity: Any) -> dict[str, Any]:
    """The stored attributes of an entity, with its ``schema_version``."""
    item = _fields_of(entity)
    item["schema_version"] = SCHEMA_VERSION
    size = sum(len(name) + _size(value) for name, value in item.items())
    if size > ITEM_BYTES_MOST:
        raise InvalidField(type(entity).__name__.lower(), f"takes {size} bytes, too large to store")
    return item


def from_item(entity: type[E], item: dict[str, Any]) -> E:
    """The entity an item holds; attributes the entity does not know are passed over."""
    values: dict[str, Any] = {}
    for name, hint in _hints(entity).items():
        stored = stored_name(entity, name)
        if stored in item:
            values[name] = _decode(hint, item[stored], name)
    try:
        return entity(**values)
    except TypeError as error:
        raise InvalidField(str(item.get("id", "?")), f"is no {entity.__name__}: {error}") from error


def _resolve_hints(entity: Any) -> dict[str, Any]:
    hints = typing.get_type_hints(entity)
    return {f.name: hints[f.name] for f in dataclasses.fields(entity) if f.init}


_hints: Callable[[Any], dict[str, Any]] = cache(_resolve_hints)


def _fields_of(entity: Any) -> dict[str, Any]:
    encoded = {
        stored_name(type(entity), name): _encode(getattr(entity, name), name)
        for name in _hints(type(entity))
    }
    return {name: value for name, value in encoded.items() if value is not None}


def _encode(value: Any, field: str) -> Any:
    if isinstance(value, datetime):
        return time_text(value)
    if isinstance(value, StrEnum):
        return str(value)
    if isinstance(value, float):
        return _decimal(value, field)
    if isinstance(value, frozenset | set):
        return set(value) or None
    if isinstance(value, tuple):
        return [_encode(part, field) for part in value]
    if dataclasses.is_dataclass(value):
        return _fields_of(value)
    return value


def _decimal(value: float, field: str) -> Decimal:
    """The shortest decimal that reads back as ``value``."""
    if not math.isfinite(value) or (value and not 1e-130 <= abs(value) < 1e126):
        raise InvalidField(field, "is a number the store cannot keep")
    return Decimal(repr(value))


# What a field of each type looks like in an item.
_STORED: dict[Any, tuple[type, ...]] = {
    str: (str,),
    bool: (bool,),
    int: (Decimal, int),
    float: (Decimal, int),
    datetime: (str,),
    frozenset: (set, frozenset),
    tuple: (list,),
}


def _decode(hint: Any, value: Any, field: str) -> Any:
    origin, arguments = typing.get_origin(hint), typing.get_args(hint)
    if origin in {types.UnionType, typing.Union}:
        return _decode(next(a for a in arguments if a is not types.NoneType), value, field)
    kind = origin or hint
    stored = (dict,) if dataclasses.is_dataclass(hint) else _STORED.get(kind, (str,))
    if not isinstance(value, stored) or (isinstance(value, bool) and kind is not bool):
        raise InvalidField(field, f"is stored as {type(value).__name__}")
    if kind in {frozenset, tuple}:
        return kind(_decode(arguments[0], part, field) for part in cast("list[Any]", value))
    if dataclasses.is_dataclass(hint):
        return from_item(cast("type[Any]", hint), cast("dict[str, Any]", value))
    try:
        return _READERS.get(hint, hint)(value)
    except (ValueError, ArithmeticError) as error:
        raise InvalidField(field, f"cannot be read from the store: {error}") from error


def _read_time(text: str) -> datetime:
    moment = datetime.fromisoformat(text)
    if moment.tzinfo is None:
        raise ValueError("the time has no time zone")
    return moment.astimezone(UTC)


def _read_whole(number: Decimal) -> int:
    if number != int(number):
        raise ValueError("not a whole number")
    return int(number)


_READERS: dict[Any, Callable[[Any], Any]] = {datetime: _read_time, int: _read_whole}


def _size(value: Any) -> int:
    if isinstance(value, str):
        return len(value.encode())
    if isinstance(value, dict):
        return sum(len(name) + _size(part) + 1 for name, part in value.items()) + 3
    if isinstance(value, list | set):
        return sum(_size(part) + 1 for part in value) + 3
    return 21
