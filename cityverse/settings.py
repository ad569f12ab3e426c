"""Every setting of CityVerse: one table that drives the environment, the help and the docs.

A setting is read from the environment, else from ``.env`` in the working
directory, else it has its default. ``docs/settings.md`` is generated from
``SETTINGS`` and a test keeps the two equal.
"""

from __future__ import annotations

import ipaddress
import os
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any, Literal, cast
from urllib.parse import urlsplit

from dotenv import dotenv_values

from cityverse.errors import InputError

IPNetwork = ipaddress.IPv4Network | ipaddress.IPv6Network
_HOST = re.compile(r"(?:[A-Za-z0-9.-]+|\[[0-9A-Fa-f:.]+\])(?::[0-9]{1,5})?")
_SECRET_LEAST = 32


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


def _optional_folder(text: str) -> Path | None:
    return _folder(text) if text else None


def _whole(text: str) -> int:
    try:
        return int(text)
    except ValueError:
        raise ValueError("say a whole number") from None


def _address(text: str) -> str:
    if text and not text.startswith(("https://", "http://")):
        raise ValueError("say an address that begins with https://")
    return text.rstrip("/")


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


def _one_of(*choices: str) -> Callable[[str], str]:
    def parse(text: str) -> str:
        if text not in choices:
            raise ValueError(f"say {', '.join(choices[:-1])} or {choices[-1]}")
        return text

    return parse


def _networks(text: str) -> tuple[IPNetwork, ...]:
    try:
        return tuple(ipaddress.ip_network(part) for part in text.replace(",", " ").split())
    except ValueError:
        raise ValueError("say addresses or networks, as in 10.0.0.0/8, fd00::/8") from None


def _origin(text: str) -> str:
    try:
        parts = urlsplit(text)
        usable = bool(parts.hostname) and parts.port != 0
    except ValueError:
        usable = False
    rest = text.removeprefix("https://").removeprefix("http://")
    if not usable or parts.scheme not in {"http", "https"} or not _HOST.fullmatch(rest):
        raise ValueError("say an address as in https://city.example.org, with nothing behind it")
    return text


def _issuer(text: str) -> str:
    """An issuer of OpenID Connect: it is compared as it is, so its last slash stays."""
    parts = urlsplit(text)
    plain = parts.scheme == "http" and parts.hostname in {"localhost", "127.0.0.1", "::1"}
    if text and (not (parts.scheme == "https" or plain) or parts.query or parts.fragment):
        raise ValueError("say an address as in https://login.example.org")
    return text


def _public_url(text: str) -> str:
    return _origin(text.rstrip("/")) if text else ""


def _origins(text: str) -> tuple[str, ...]:
    return tuple(_origin(part) for part in text.replace(",", " ").split())


def _secret(text: str) -> str:
    if text and len(text.encode()) < _SECRET_LEAST:
        raise ValueError(f"must have at least {_SECRET_LEAST} characters")
    return text


SETTINGS: tuple[Setting, ...] = (
    Setting("CITYVERSE_STORE", "embedded", "`embedded` (this machine) or `aws`", _store),
    Setting(
        "CITYVERSE_DATA_DIR", ".cityverse", "folder of the embedded store, tiles and logs", _folder
    ),
    Setting("CITYVERSE_HOST", "127.0.0.1", "address the dashboard listens on"),
    Setting("CITYVERSE_PORT", "8501", "port the dashboard listens on", _port),
    Setting("CITYVERSE_OPEN_BROWSER", "true", "`make run` opens the browser", _boolean),
    Setting("CITYVERSE_OPERATOR", "", "who runs this installation, for the legal pages"),
    Setting("CITYVERSE_OPERATOR_ADDRESS", "", "their postal address"),
    Setting("CITYVERSE_OPERATOR_EMAIL", "", "where people write to them about data and content"),
    Setting("CITYVERSE_OPERATOR_DIRECTOR", "", "who is responsible for what is published"),
    Setting("CITYVERSE_OPERATOR_HOST", "", "who hosts it: name, address and telephone"),
    Setting(
        "CITYVERSE_LEGAL_DIR",
        "",
        "folder of own legal texts, such as privacy.fr.md; what is not in it stays as it is",
        _optional_folder,
    ),
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
        "CITYVERSE_NEWS_GEOCODER",
        "",
        "geocoder asked for house numbers, as https://data.geopf.fr/geocodage/search;"
        " empty: none is asked",
    ),
    Setting(
        "CITYVERSE_NEWS_RETENTION_DAYS", "90", "days after which an article expires", _positive
    ),
    Setting(
        "CITYVERSE_MAP_FETCH",
        "auto",
        "`auto`: the real buildings are fetched in the background (embedded store); or `off`",
        _one_of("auto", "off"),
    ),
    Setting(
        "CITYVERSE_WFS_URL",
        "https://data.geopf.fr/wfs/ows",
        "server of the buildings of BD TOPO",
        _address,
    ),
    Setting(
        "CITYVERSE_OVERPASS_URL",
        "https://overpass-api.de/api/interpreter",
        "server of the buildings of OpenStreetMap",
        _address,
    ),
    Setting(
        "CITYVERSE_TILES_URL",
        "",
        "where a published tile set is served from; this server's own when empty",
        _address,
    ),
    Setting(
        "CITYVERSE_BUCKET_PROFILEPICS",
        "cityverse-profilepics",
        "bucket of profile and product images",
    ),
    Setting("CITYVERSE_BUCKET_VIDEOS", "cityverse-videos", "bucket of the media of posts"),
    Setting("CITYVERSE_VIDEO_MEGABYTES", "200", "how large an uploaded video may be", _positive),
    Setting("CITYVERSE_RESIDENT_POSTS", "5", "posts a resident may publish in a day", _positive),
    Setting(
        "CITYVERSE_CURSOR_SECRET",
        "",
        "key that signs page cursors; made and kept in the data folder when empty",
    ),
    Setting(
        "CITYVERSE_PUBLIC_URL",
        "",
        "address under which people reach the dashboard, for links in e-mails; with https, "
        "cookies are for TLS alone; empty means http://localhost and the port",
        _public_url,
    ),
    Setting(
        "CITYVERSE_SESSION_SECRET",
        "",
        "key that signs sessions, at least 32 characters, the same for all instances; made and "
        "kept in the data folder when empty",
        _secret,
    ),
    Setting(
        "CITYVERSE_SESSION_SECRET_PREVIOUS",
        "",
        "the key before the present one: sessions it signed still hold",
        _secret,
    ),
    Setting("CITYVERSE_SESSION_DAYS", "14", "days after which one must sign in anew", _positive),
    Setting(
        "CITYVERSE_SECOND_FACTOR_SECRET",
        "",
        "key that seals the secrets of second factors, at least 32 characters, the same for all "
        "instances and for ever; made and kept in the data folder when empty",
        _secret,
    ),
    Setting(
        "CITYVERSE_SECOND_FACTOR_REQUIRED",
        "false",
        "managers and admins may what their role allows only with a second factor",
        _boolean,
    ),
    Setting(
        "CITYVERSE_OIDC_ISSUER",
        "",
        "provider of OpenID Connect by which people may sign in as well, exactly as it names "
        "itself, as https://login.example.org; empty means none",
        _issuer,
    ),
    Setting("CITYVERSE_OIDC_CLIENT_ID", "", "name of this installation at the provider"),
    Setting("CITYVERSE_OIDC_CLIENT_SECRET", "", "its secret there; a public client has none"),
    Setting("CITYVERSE_OIDC_NAME", "", "what the button calls the provider; its host when empty"),
    Setting(
        "CITYVERSE_OIDC_ALLOW_PRIVATE",
        "false",
        "let the provider be asked at loopback and private addresses",
        _boolean,
    ),
    Setting("CITYVERSE_PASSWORD_ROUNDS", "2", "passes of argon2id over its memory", _positive),
    Setting(
        "CITYVERSE_PASSWORD_MEBIBYTES",
        "64",
        "memory of argon2id for one password; four are computed at a time",
        _positive,
    ),
    Setting(
        "CITYVERSE_TRUSTED_PROXIES",
        "",
        "addresses or networks of proxies whose X-Forwarded-For and -Proto are believed",
        _networks,
    ),
    Setting(
        "CITYVERSE_METRICS_FROM",
        "",
        "addresses or networks that may read /_stcore/metrics and /metrics; empty means nobody",
        _networks,
    ),
    Setting(
        "CITYVERSE_MEDIA_ORIGINS",
        "",
        "further origins from which pages may load uploaded files, such as a CDN",
        _origins,
    ),
    Setting(
        "CITYVERSE_TILE_ORIGINS", "", "further origins from which the map may load tiles", _origins
    ),
    Setting(
        "CITYVERSE_MAIL",
        "outbox",
        "who delivers e-mails: `outbox` (a folder on this machine), `smtp` or `ses` (Amazon)",
        _one_of("outbox", "smtp", "ses"),
    ),
    Setting("CITYVERSE_MAIL_FROM", "CityVerse <cityverse@localhost>", "sender of e-mails"),
    Setting("CITYVERSE_SMTP_HOST", "", "mail server, with `CITYVERSE_MAIL=smtp`"),
    Setting("CITYVERSE_SMTP_PORT", "587", "port of the mail server", _port),
    Setting(
        "CITYVERSE_SMTP_SECURITY",
        "starttls",
        "`starttls`, `tls` (from the first byte) or `none`",
        _one_of("starttls", "tls", "none"),
    ),
    Setting("CITYVERSE_SMTP_USER", "", "name to sign in with at the mail server"),
    Setting("CITYVERSE_SMTP_PASSWORD", "", "password at the mail server"),
    Setting("CITYVERSE_LOG_LEVEL", "INFO", "DEBUG, INFO, WARNING or ERROR", _level),
    Setting(
        "CITYVERSE_LOG_FORMAT",
        "text",
        "`text`, or `json`: one line an event, people and requests hashed",
        _one_of("text", "json"),
    ),
    Setting(
        "CITYVERSE_METRICS",
        "off",
        "`off`, `prometheus` (route /metrics, for CITYVERSE_METRICS_FROM) or `emf` (CloudWatch)",
        _one_of("off", "prometheus", "emf"),
    ),
    Setting("AWS_DEFAULT_REGION", "eu-west-3", "region of the tables and buckets"),
    Setting("AWS_ACCESS_KEY_ID", "", "access key; empty means the role of the machine"),
    Setting("AWS_SECRET_ACCESS_KEY", "", "secret of the access key"),
    Setting("AWS_ENDPOINT_URL", "", "another service that speaks the same protocols"),
    Setting("AWS_ENDPOINT_URL_DYNAMODB", "", "another one for tables alone"),
    Setting("AWS_ENDPOINT_URL_S3", "", "another one for files alone"),
)


@dataclass(frozen=True, slots=True)
class Settings:
    """The settings in force, parsed; field names are the variables in lower case."""

    store: Literal["embedded", "aws"]
    data_dir: Path
    host: str
    port: int
    open_browser: bool
    operator: str
    operator_address: str
    operator_email: str
    operator_director: str
    operator_host: str
    legal_dir: Path | None
    demo: bool
    news_poll: bool
    news_feeds: str
    news_allow_private: bool
    news_geocoder: str
    news_retention_days: int
    map_fetch: Literal["auto", "off"]
    wfs_url: str
    overpass_url: str
    tiles_url: str
    bucket_profilepics: str
    bucket_videos: str
    video_megabytes: int
    resident_posts: int
    cursor_secret: str
    public_url: str
    session_secret: str = field(repr=False)
    session_secret_previous: str = field(repr=False)
    session_days: int
    second_factor_secret: str = field(repr=False)
    second_factor_required: bool
    oidc_issuer: str
    oidc_client_id: str
    oidc_client_secret: str = field(repr=False)
    oidc_name: str
    oidc_allow_private: bool
    password_rounds: int
    password_mebibytes: int
    trusted_proxies: tuple[IPNetwork, ...]
    metrics_from: tuple[IPNetwork, ...]
    media_origins: tuple[str, ...]
    tile_origins: tuple[str, ...]
    mail: Literal["outbox", "smtp", "ses"]
    mail_from: str
    smtp_host: str
    smtp_port: int
    smtp_security: Literal["starttls", "tls", "none"]
    smtp_user: str
    smtp_password: str = field(repr=False)
    log_level: str
    log_format: Literal["text", "json"]
    metrics: Literal["off", "prometheus", "emf"]
    aws_region: str
    aws_access_key_id: str
    aws_secret_access_key: str
    aws_endpoint_url: str
    aws_endpoint_url_dynamodb: str
    aws_endpoint_url_s3: str

    @property
    def dynamodb_endpoint(self) -> str:
        """Where tables lie other than at AWS or in the embedded engine; else empty."""
        own = self.aws_endpoint_url_dynamodb or self.aws_endpoint_url
        return own if self.store == "aws" else ""

    @property
    def s3_endpoint(self) -> str:
        """Where files lie other than at AWS or in the embedded engine; else empty."""
        own = self.aws_endpoint_url_s3 or self.aws_endpoint_url
        return own if self.store == "aws" else ""

    @property
    def address(self) -> str:
        """The address under which people reach the dashboard, without a slash at its end."""
        return self.public_url or f"http://localhost:{self.port}"

    @property
    def oidc(self) -> str:
        """What people know the provider of OpenID Connect by; empty where there is none."""
        if not self.oidc_issuer:
            return ""
        return self.oidc_name or urlsplit(self.oidc_issuer).hostname or ""

    @property
    def secure(self) -> bool:
        """Whether people reach the dashboard by TLS."""
        return self.address.startswith("https://")


_FIELDS = {
    "AWS_DEFAULT_REGION": "aws_region",
    "AWS_ACCESS_KEY_ID": "aws_access_key_id",
    "AWS_SECRET_ACCESS_KEY": "aws_secret_access_key",
    "AWS_ENDPOINT_URL": "aws_endpoint_url",
    "AWS_ENDPOINT_URL_DYNAMODB": "aws_endpoint_url_dynamodb",
    "AWS_ENDPOINT_URL_S3": "aws_endpoint_url_s3",
}


def read(environment: Mapping[str, str]) -> Settings:
    """Parse settings out of ``environment``; raises InputError naming the bad one."""
    values: dict[str, Any] = {}
    for setting in SETTINGS:
        text = environment.get(setting.name) or setting.default
        name = _FIELDS.get(setting.name) or setting.name.removeprefix("CITYVERSE_").lower()
        try:
            values[name] = setting.parse(text)
        except ValueError as error:
            raise InputError(f"{setting.name}={text}: {error}") from error
    if values["oidc_issuer"] and not values["oidc_client_id"]:
        raise InputError("CITYVERSE_OIDC_ISSUER needs a CITYVERSE_OIDC_CLIENT_ID beside it")
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
