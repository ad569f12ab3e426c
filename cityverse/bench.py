"""Runs the benchmarks of the folder ``benchmarks`` and prints them as a table.

A benchmark is a module with ``run() -> list[dict]``; a row has ``bench``, ``case``,
``size``, ``metric``, ``value``, ``compared_with``, ``ratio``, ``budget`` and ``held``
(None where there is no budget).
"""

from __future__ import annotations

import importlib
import pkgutil
from pathlib import Path
from typing import Any

from cityverse.errors import InputError

Row = dict[str, Any]
_COLUMNS = ("bench", "case", "size", "metric", "value", "compared_with", "ratio", "budget", "held")
_FOLDER = Path(__file__).parent.parent / "benchmarks"


def names() -> list[str]:
    """The benchmarks there are."""
    modules = pkgutil.iter_modules([str(_FOLDER)])
    return sorted(module.name for module in modules if not module.ispkg)


def run(name: str | None, labelled: Path | None = None) -> list[Row]:
    """Run one benchmark, or all of them; raises InputError for an unknown name.

    ``labelled`` is a file of labelled articles that ``news`` is judged on.
    """
    if labelled is not None and name != "news":
        raise InputError("--labelled goes with the benchmark news")
    wanted = names() if name is None else [name]
    if not set(wanted) <= set(names()):
        raise InputError(f"no benchmark {name}; there are {', '.join(names())}")
    rows: list[Row] = []
    for one in wanted:
        module = importlib.import_module(f"benchmarks.{one}")
        rows += module.run(labelled) if labelled is not None else module.run()
    return rows


def as_table(rows: list[Row]) -> str:
    """Rows as text in columns."""
    lines = [_COLUMNS, *(tuple(_text(row[column]) for column in _COLUMNS) for row in rows)]
    widths = [max(len(line[n]) for line in lines) for n in range(len(_COLUMNS))]
    return "\n".join(
        "  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip()
        for line in lines
    )


def _text(value: object) -> str:
    if value is None:
        return "-"
    if isinstance(value, bool):
        return "yes" if value else "NO"
    return f"{value:,.4g}" if isinstance(value, float) else str(value)
