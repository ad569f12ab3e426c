from __future__ import annotations

import io
import json
import os
from pathlib import Path

import pytest
from feed_corpus import item, rss

from cityverse.errors import FeedUnreadable
from cityverse.news import parse_file as module
from cityverse.news.parse_file import parse_file

KEYS = ["id", "title", "link", "published", "updated"]
KEYS += ["summary", "author", "image", "lat", "lon"]


def rows(file: Path) -> list[dict[str, object]]:
    out = io.StringIO()
    parse_file(file, out)
    return [json.loads(line) for line in out.getvalue().splitlines()]


def test_lines_of_json(tmp_path: Path) -> None:
    file = tmp_path / "été.xml"
    date = "<pubDate>Wed, 22 Apr 2026 09:32:11 CEST</pubDate>"
    file.write_text(rss(item("L’été", date), item("b")), encoding="utf-8")
    first, second = rows(file)
    assert list(first) == KEYS
    assert first["title"] == "L’été"
    assert first["published"] == "2026-04-22T09:32:11+02:00"
    assert second["published"] is None


def test_a_feed_without_entries_gives_nothing(tmp_path: Path) -> None:
    file = tmp_path / "empty.xml"
    file.write_text(rss(), encoding="utf-8")
    assert rows(file) == []


@pytest.mark.parametrize("data", [b"", b"<html></html>", b"{}", b"<rss>" + b"x" * 21_000_000])
def test_no_feed_writes_nothing(tmp_path: Path, data: bytes) -> None:
    file = tmp_path / "bad.xml"
    file.write_bytes(data)
    out = io.StringIO()
    with pytest.raises(FeedUnreadable) as error:
        parse_file(file, out)
    assert out.getvalue() == ""
    assert "\n" not in str(error.value)


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    for path in (tmp_path / "absent.xml", tmp_path):
        with pytest.raises(FeedUnreadable):
            parse_file(path, io.StringIO())


@pytest.mark.slow
def test_twenty_megabytes_of_wide_characters_stay_within_bounds(tmp_path: Path) -> None:
    file = tmp_path / "wide.xml"
    file.write_text(rss(item("😀" + "é" * 5_000_000), item("b") * 5_000), encoding="utf-8")
    assert len(rows(file)) == 5_001


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no named pipes here")
def test_a_file_without_end_is_given_up(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_SECONDS", 0.5)
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    with pytest.raises(FeedUnreadable, match="not read within"):
        parse_file(pipe, io.StringIO())
