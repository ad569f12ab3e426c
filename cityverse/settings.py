"""Every setting of CityVerse: one table that drives the environment, the help and the docs.

A setting is read from the environment, else from ``.env`` in the working
directory, else it has its default. ``docs/settings.md`` is generated from
``SETTINGS`` and a test keeps the two equal.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, Literal, cast

from dotenv import dotenv_values

from cityverse.errors import InputError


@dataclass(frozen=True, slots=True)
class Setting:
    """One setting: its environment variable, its default as text, and what it means."""

    name: str
    default: str
    meaning: str
    parse: Callable[[str], Any] = str


def _boolean(text: str) -> bool:
    if text.lower() in {"1", "true", "yes", "on"}:
        return True
    if text.lower() in {"0", "false", "no", "off", ""}:
        return False
    raise ValueError("say true or false")


def _store(text: str) -> str:
    if text not in {"embedded", "aws"}:
        raise ValueError("say embedded or aws")
    return text


def _folder(text: str) -> Path:
    return Path(text).expanduser().absolute()


def _whole(text: str) -> int:
    try:
        return int(text)
    except ValueError:
        raise ValueError("say a whole number") from None


def _level(text: str) -> str:
    if text.upper() not in {"DEBUG", "INFO", "WARNING", "ERROR"}:
        raise ValueError("say DEBUG, INFO, WARNING or ERROR")
    return text.upper()


def _port(text: str) -> int:
    port = _whole(text)
    if not 0 < port < 65536:
        raise ValueError("a port lies between 1 and 65535")
    return port


def _positive(text: str) -> int:
    number = _whole(text)
    if number <= 0:
        raise ValueError("must be above zero")
    return number


SETTINGS: tuple[Setting, ...] = (
    Setting("CITYVERSE_STORE", "embedded", "`embedded` (this machine) or `aws`", _store),
    Setting(
        "CITYVERSE_DATA_DIR", ".cityverse", "folder of the embedded store, tiles and logs", _folder
    ),
    Setting("CITYVERSE_HOST", "127.0.0.1", "address the dashboard listens on"),
    Setting("CITYVERSE_PORT", "8501", "port the dashboard listens on", _port),
    Setting("CITYVERSE_OPEN_BROWSER", "true", "`make run` opens the browser", _boolean),
    Setting("CITYVERSE_DEMO", "true", "fill an empty store with a labelled demo city", _boolean),
    Setting("CITYVERSE_NEWS_POLL", "true", "the worker fetches news sources", _boolean),
    Setting(
        "CITYVERSE_NEWS_FEEDS",
        "",
        "a file of sources that replaces the built-in list (TOML, as cityverse/news/feeds.toml)",
    ),
    Setting(
        "CITYVERSE_NEWS_ALLOW_PRIVATE",
        "false",
        "let sources be fetched from loopback and private addresses",
        _boolean,
    ),
    Setting(
        "CITYVERSE_NEWS_RETENTION_DAYS", "90", "days after which an article expires", _positive
    ),
    Setting(
        "CITYVERSE_BUCKET_PROFILEPICS",
        "cityverse-profilepics",
        "bucket of profile and product images",
    ),
    Setting("CITYVERSE_BUCKET_VIDEOS", "cityverse-videos", "bucket of the media of posts"),
    Setting("CITYVERSE_VIDEO_MEGABYTES", "200", "how large an uploaded video may be", _positive),
    Setting(
        "CITYVERSE_CURSOR_SECRET",
        "",
        "key that signs page cursors; made and kept in the data folder when empty",
    ),
    Setting("CITYVERSE_LOG_LEVEL", "INFO", "DEBUG, INFO, WARNING or ERROR", _level),
    Setting("AWS_DEFAULT_REGION", "eu-west-3", "region of the tables and buckets"),
    Setting("AWS_ACCESS_KEY_ID", "", "access key; empty means the role of the machine"),
    Setting("AWS_SECRET_ACCESS_KEY", "", "secret of the access key"),
    Setting("AWS_ENDPOINT_URL", "", "another service that speaks the same protocols"),
)


@dataclass(frozen=True, slots=True)
class Settings:
    """The settings in force, parsed; field names are the variables in lower case."""

    store: Literal["embedded", "aws"]
    data_dir: Path
    host: str
    port: int
    open_browser: bool
    demo: bool
    news_poll: bool
    news_feeds: str
    news_allow_private: bool
    news_retention_days: int
    bucket_profilepics: str
    bucket_videos: str
    video_megabytes: int
    cursor_secret: str
    log_level: str
    aws_region: str
    aws_access_key_id: str
    aws_secret_access_key: str
    aws_endpoint_url: str


_FIELDS = {
    "AWS_DEFAULT_REGION": "aws_region",
    "AWS_ACCESS_KEY_ID": "aws_access_key_id",
    "AWS_SECRET_ACCESS_KEY": "aws_secret_access_key",
    "AWS_ENDPOINT_URL": "aws_endpoint_url",
}


def read(environment: Mapping[str, str]) -> Settings:
    """Parse settings out of ``environment``; raises InputError naming the bad one."""
    values: dict[str, Any] = {}
    for setting in SETTINGS:
        text = environment.get(setting.name) or setting.default
        field = _FIELDS.get(setting.name) or setting.name.removeprefix("CITYVERSE_").lower()
        try:
            values[field] = setting.parse(text)
        except ValueError as error:
            raise InputError(f"{setting.name}={text}: {error}") from error
    return Settings(**values)


@cache
def current() -> Settings:
    """The settings of this process: environment first, then ``.env``, then defaults."""
    from_file = {k: v for k, v in dotenv_values(".env").items() if v is not None}
    return read(cast("Mapping[str, str]", {**from_file, **os.environ}))


def as_markdown() -> str:
    """The table of settings as ``docs/settings.md`` shows it."""
    rows = [
        f"| `{s.name}` | {f'`{s.default}`' if s.default else ''} | {s.meaning} |" for s in SETTINGS
    ]
    return "\n".join(["| Setting | Default | Meaning |", "|---|---|---|", *rows]) + "\n"
