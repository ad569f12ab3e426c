"""What ``news locate`` refuses to read."""

from __future__ import annotations

import io

import pytest

from cityverse.errors import InputError
from cityverse.news.locate import locate_lines


class Nowhere:
    def locate(self, title: str, summary: str) -> None:
        """Every line is read before it is located."""


@pytest.mark.parametrize("number", ["NaN", "Infinity", "-Infinity"])
def test_numbers_that_are_no_json_are_refused(number: str) -> None:
    lines = io.StringIO(f'{{"id": 1, "title": "a"}}\n{{"id": {number}, "title": "b"}}\n')
    with pytest.raises(InputError, match="line 2: not JSON"):
        locate_lines(lines, io.StringIO(), Nowhere())  # type: ignore[arg-type]
