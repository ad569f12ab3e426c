"""Items as lines of DynamoDB's typed JSON, and back: only what a table can hold.

Everything a table would refuse later is refused here, before any of it is written: values
that are none of their type, numbers out of range, empty sets, items that are too large.
"""

from __future__ import annotations

import base64
import json
import re
from typing import Any

from cityverse.data.client import Item, decode
from cityverse.data.registry import Table

ITEM_BYTES_MOST = 400 * 1024

_DEPTH_MOST = 32
_PARTITION_BYTES_MOST, _SORT_BYTES_MOST = 2048, 1024
_NUMBER = re.compile(r"[+-]?\d{1,200}(\.\d{1,200})?([eE][+-]?\d{1,4})?", re.ASCII)


def write_line(item: dict[str, Any]) -> bytes:
    """A line with this item, which is in typed form as boto3 gives it."""
    return json.dumps({"Item": _plain(item)}, sort_keys=True).encode() + b"\n"


def read_line(line: bytes, table: Table) -> Item:
    """The plain item of a line; raises ValueError when it is none of this table."""
    try:
        content = json.loads(line)
        if not isinstance(content, dict) or content.keys() != {"Item"}:
            raise ValueError('is not {"Item": …}')
        typed, size = _checked_map(content["Item"], 0)
        item = decode(typed)
    except RecursionError as error:
        raise ValueError("has too many layers") from error
    except ArithmeticError as error:
        raise ValueError("has a number out of range") from error
    if size > ITEM_BYTES_MOST:
        raise ValueError(f"takes {size} bytes, more than a table can hold")
    _check_keys(item, table)
    return item


def _plain(value: Any) -> Any:
    """Typed JSON with binary values as Base64."""
    if isinstance(value, dict):
        return {name: _plain(part) for name, part in value.items()}
    if isinstance(value, list):
        return [_plain(part) for part in value]
    if isinstance(value, bytes):
        return base64.b64encode(value).decode()
    return value


def _checked_map(content: Any, depth: int) -> tuple[dict[str, Any], int]:
    if not isinstance(content, dict):
        raise ValueError("has a map that is none")
    found: dict[str, Any] = {}
    size = 0
    for name, value in content.items():
        if not name and not depth:
            raise ValueError("has an attribute without a name")
        try:
            found[name], part = _checked(value, depth + 1)
        except ValueError as error:
            if depth:
                raise  # the name of the outermost attribute says enough
            raise ValueError(f"{name[:60]!a} {error}") from error
        size += len(_utf8(name)) + part + 1
    return found, size


def _checked(value: Any, depth: int) -> tuple[dict[str, Any], int]:
    """An attribute as boto3 takes it, binary values from Base64, and about how large it is."""
    if not isinstance(value, dict) or len(value) != 1:
        raise ValueError("is no value with its type")
    if depth > _DEPTH_MOST:
        raise ValueError("has too many layers")
    ((kind, content),) = value.items()
    if kind == "M":
        parts, size = _checked_map(content, depth)
        return {"M": parts}, size + 3
    if kind == "L":
        checked = [_checked(part, depth + 1) for part in _list(content)]
        return {"L": [part for part, _ in checked]}, 3 + sum(size + 1 for _, size in checked)
    if kind in {"SS", "NS", "BS"}:
        if not _list(content):
            raise ValueError("is a set of nothing")
        scalars = [_scalar(kind[0], part) for part in content]
        return {kind: [part for part, _ in scalars]}, 3 + sum(size + 1 for _, size in scalars)
    scalar, size = _scalar(kind, content)
    return {kind: scalar}, size


def _scalar(kind: str, content: Any) -> tuple[Any, int]:
    if kind == "S" and isinstance(content, str):
        return content, len(_utf8(content))
    if kind == "N" and isinstance(content, str) and _NUMBER.fullmatch(content):
        return content, 21
    if kind == "B" and isinstance(content, str):
        data = base64.b64decode(content, validate=True)
        return data, len(data)
    if (kind == "BOOL" and isinstance(content, bool)) or (kind == "NULL" and content is True):
        return content, 1
    raise ValueError(f"is no value of the type {kind[:10]!a}")


def _list(content: Any) -> list[Any]:
    if not isinstance(content, list):
        raise ValueError("is a list that is none")
    return content


def _utf8(text: str) -> bytes:
    try:
        return text.encode()
    except UnicodeEncodeError as error:
        raise ValueError("holds half a character") from error


def _check_keys(item: Item, table: Table) -> None:
    needed = {key for key in (table.partition, table.sort) if key}
    if missing := sorted(needed - item.keys()):
        raise ValueError(f"lacks {' and '.join(missing)}, its key")
    sorts = {table.sort, *(index.sort for index in table.indexes)}
    for name in sorted(table.key_attributes() & item.keys()):
        value = item[name]
        most = _SORT_BYTES_MOST if name in sorts else _PARTITION_BYTES_MOST
        if not isinstance(value, str) or not 0 < len(value.encode()) <= most:
            raise ValueError(f"{name!a} is no key: a text of 1 to {most} bytes")
