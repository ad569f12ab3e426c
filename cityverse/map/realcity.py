"""The real city in the background: fetched once, shown when whole, started and stopped at will.

The worker keeps a ``Keeper``, which runs ``map fetch`` as a process of its own when it is
due. How far it has come stands in ``fetch.json`` beside the tile sets; what a manager
wants stands in ``wanted.json``. Both are replaced as a whole. ``status``, ``start``,
``stop`` and ``choose`` are for a manager's page, which checks who is asking.
"""

from __future__ import annotations

import json
import logging
import os
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Literal, cast, get_args

from cityverse.errors import CityVerseError, FetchError, InputError, ToolError
from cityverse.map import tiles
from cityverse.processes import CommandPart, only_one
from cityverse.settings import Settings

log = logging.getLogger(__name__)

State = Literal["idle", "fetching", "building", "done", "failed", "stopped"]
SOURCES = ("bdtopo", "overpass")
# A city with fewer is none: an answer went wrong without saying so.
_LEAST = 20_000
_FIRST_PAUSE, _LONGEST_PAUSE = timedelta(minutes=15), timedelta(days=1)
_NO_NETWORK = {"dns", "connect", "tls"}
_WRITE_EVERY = 2.0
_FILE_MOST = 64 * 1024


@dataclass(frozen=True, slots=True)
class Status:
    """How far the real city is.

    ``done`` of ``total`` arrondissements are there, ``share`` of all work is done;
    ``remaining`` is in seconds, if known. ``failures`` counts those in a row, ``error``
    says the last one in words, ``reached`` whether a server answered at all. ``at`` is
    when this was written, ``next_try`` when it is tried again, by itself.
    """

    state: State = "idle"
    source: str = ""
    done: int = 0
    total: int = 0
    share: float = 0.0
    remaining: float | None = None
    buildings: int = 0
    error: str = ""
    reached: bool = True
    failures: int = 0
    at: datetime | None = None
    next_try: datetime | None = None
    pid: int = 0

    @property
    def running(self) -> bool:
        """Whether a process is at work on it."""
        return self.state in {"fetching", "building"}


@dataclass(frozen=True, slots=True)
class Wanted:
    """What is wanted: ``auto``, a source, or ``nothing``; and since when."""

    source: str = "auto"
    at: datetime | None = None


def folder_of(settings: Settings) -> Path:
    """Where the tile sets lie."""
    return settings.data_dir / "tiles"


# --- for a manager's page -----------------------------------------------------------------


def status(folder: Path) -> Status:
    """How far it is, for the tile sets in this folder."""
    found = _status(folder)
    if found.running and not _alive(found.pid):
        # It was killed; what was fetched is kept, and the next start goes on with it.
        return replace(found, state="stopped", remaining=None)
    return found


def wanted(folder: Path) -> Wanted:
    """What was asked for last."""
    facts = _read(folder / "wanted.json")
    source = facts.get("source")
    return Wanted(source if source in (*SOURCES, "nothing") else "auto", _moment(facts.get("at")))


def start(folder: Path, source: str = "auto") -> None:
    """Ask for the city from a source, also when it is there already. Raises InputError."""
    if source not in ("auto", *SOURCES):
        raise InputError(f"no source {source}; there are auto, {', '.join(SOURCES)}")
    _want(folder, source)


def stop(folder: Path) -> None:
    """Ask that nothing be fetched any more; what was fetched is kept for the next start."""
    _want(folder, "nothing")


def choose(folder: Path, name: str | None) -> None:
    """Show this tile set from now on; None: a real one, else the sample. Raises InputError."""
    names = [info.name for info in tiles.available(folder)]
    if name is not None and name not in names:
        raise InputError(f"no tile set {name}; there are {', '.join(names) or 'none'}")
    try:
        tiles.choose(folder, name)
    except OSError as error:
        raise ToolError(f"the choice could not be written: {error.strerror}") from error


def _want(folder: Path, source: str) -> None:
    _write(folder / "wanted.json", {"source": source, "at": _now().isoformat()})


# --- the fetch itself ---------------------------------------------------------------------


def fetch(
    settings: Settings,
    source: str = "auto",
    *,
    progress: Callable[[str, float], None] = lambda _text, _share: None,
    least: int = _LEAST,
) -> Any:
    """Fetch the whole city and show it; answers with the report of the build.

    ``auto`` takes BD TOPO, or OpenStreetMap where that fails. Raises FetchError,
    MapInputUnreadable, ToolError; EngineError when it is being fetched already.
    """
    folder = folder_of(settings)
    refusal = "the real city is being fetched already"
    with only_one(folder / "fetch.lock", refusal):
        failures: list[CityVerseError] = []
        for name in SOURCES if source == "auto" else (source,):
            try:
                return _Fetch(settings, name, progress, least).run()
            except CityVerseError as error:
                failures.append(error)
        _note_failure(folder, source, failures)
        raise failures[-1] if len(failures) == 1 else FetchError("failed", _said(failures))


class _Fetch:
    """One source, from the first request to the tile set; keeps the status up to date."""

    def __init__(
        self, settings: Settings, source: str, progress: Callable[[str, float], None], least: int
    ) -> None:
        self._settings = settings
        self._folder = folder_of(settings)
        self._source = source
        self._progress = progress
        self._least = least
        before = _status(self._folder)
        self._now = Status(state="fetching", source=source, failures=before.failures)
        self._written = -_WRITE_EVERY

    def run(self) -> Any:
        from cityverse.map.build import Input, build

        urls = {"bdtopo": self._settings.wfs_url, "overpass": self._settings.overpass_url}
        wanted_ = Input(self._source, endpoint=urls[self._source], least=self._least)
        output = self._folder / f"{self._source}.mbtiles"
        self._keep(at_once=True)
        report = build(wanted_, output, progress=self._told, fetched=self._fetched)
        self._now = replace(self._now, state="done", share=1.0, remaining=None, failures=0)
        self._now = replace(self._now, buildings=report.kept)
        self._keep(at_once=True)
        return report

    def _fetched(self, now: Any) -> None:
        state: State = "building" if now.done == now.total else "fetching"
        left = None if state == "building" else now.remaining
        self._now = replace(self._now, state=state, done=now.done, total=now.total, remaining=left)
        self._keep(at_once=True)

    def _told(self, text: str, share: float) -> None:
        self._progress(text, share)
        self._now = replace(self._now, share=round(share, 3))
        self._keep()

    def _keep(self, *, at_once: bool = False) -> None:
        if at_once or time.monotonic() >= self._written + _WRITE_EVERY:
            self._written = time.monotonic()
            _put(self._folder, replace(self._now, pid=os.getpid(), at=_now()))


def _note_failure(folder: Path, source: str, failures: list[CityVerseError]) -> None:
    before, now = _status(folder), _now()
    number = before.failures + 1
    pause = min(_LONGEST_PAUSE, _FIRST_PAUSE * 2 ** min(number - 1, 10))
    reached = not all(isinstance(e, FetchError) and e.reason in _NO_NETWORK for e in failures)
    failed = replace(
        before,
        state="failed",
        source=source,
        remaining=None,
        error=_said(failures),
        reached=reached,
        failures=number,
        at=now,
        next_try=now + pause,
        pid=0,
    )
    _put(folder, failed)


def _said(failures: list[CityVerseError]) -> str:
    return "; ".join(" ".join(str(error).split())[:200] for error in failures)


# --- keeping it going ---------------------------------------------------------------------


class Keeper:
    """Sees to it that the city is fetched when it is wanted; looks at what is there each time."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._folder = folder_of(settings)
        self._on = settings.store == "embedded"
        self._process: CommandPart | None = None
        self._serving = Wanted()
        self._logged = ""
        # A machine that had no network may have one since it was started.
        self._first = True

    def look(self) -> None:
        """Start, stop or leave alone; takes no time. Errors are logged, once."""
        if not self._on:
            return
        asked = wanted(self._folder)
        if self._process is not None:
            if self._process.alive() and asked == self._serving:
                return
            self.stop()
            self._say_how_it_ended()
        if self._due(asked):
            self._begin(asked)

    def stop(self) -> None:
        """End the process, if one is at work; what it fetched is kept."""
        if self._process is not None:
            self._process.stop()
            self._process = None

    def _due(self, asked: Wanted) -> bool:
        now, first = _status(self._folder), self._first
        self._first = False
        if asked.source == "nothing":
            return False
        if asked.at is None:
            # Nobody asked: only where it is switched on, and only until there is a real set.
            if self._settings.map_fetch == "off" or _has_real(self._folder):
                return False
        elif now.state == "done" and now.at is not None and now.at >= asked.at:
            return False
        if now.state == "failed" and now.next_try is not None:
            newer = asked.at is not None and now.at is not None and asked.at > now.at
            return newer or now.next_try <= _now() or (first and not now.reached)
        return True

    def _begin(self, asked: Wanted) -> None:
        settings = self._settings
        command = ["-m", "cityverse", "map", "fetch", "--source", asked.source]
        self._process = CommandPart(
            "map",
            command,
            settings.data_dir / "logs" / "map.log",
            {
                "CITYVERSE_DATA_DIR": str(settings.data_dir),
                "CITYVERSE_WFS_URL": settings.wfs_url,
                "CITYVERSE_OVERPASS_URL": settings.overpass_url,
            },
        )
        self._serving = asked
        self._process.start()

    def _say_how_it_ended(self) -> None:
        now = _status(self._folder)
        if now.state == "done":
            log.info("the real city is there: %d buildings from %s", now.buildings, now.source)
        elif now.state == "failed" and now.error != self._logged:
            self._logged = now.error
            log.warning("the real city was not fetched, the map stays as it is: %s", now.error)


def _has_real(folder: Path) -> bool:
    return any(not info.generated for info in tiles.available(folder))


# --- the two files ------------------------------------------------------------------------


_TYPES: dict[str, type | tuple[type, ...]] = {
    **dict.fromkeys(("source", "error"), str),
    **dict.fromkeys(("done", "total", "buildings", "failures", "pid"), int),
    **dict.fromkeys(("share", "remaining"), (int, float)),
    "reached": bool,
}


def _status(folder: Path) -> Status:
    facts = _read(folder / "fetch.json")
    good = {name: facts[name] for name, kind in _TYPES.items() if isinstance(facts.get(name), kind)}
    moments: dict[str, Any] = {n: _moment(facts.get(n)) for n in ("at", "next_try")}
    state = facts.get("state") if facts.get("state") in get_args(State) else "idle"
    return Status(state=cast("State", state), **good, **moments)


def _put(folder: Path, now: Status) -> None:
    facts = asdict(now)
    for name in ("at", "next_try"):
        facts[name] = facts[name] and facts[name].isoformat()
    _write(folder / "fetch.json", facts)


def _read(path: Path) -> dict[str, Any]:
    with suppress(OSError, ValueError, RecursionError), path.open("rb") as file:
        facts = json.loads(file.read(_FILE_MOST))
        return facts if isinstance(facts, dict) else {}
    return {}


def _write(path: Path, facts: dict[str, Any]) -> None:
    draft = path.with_name(f".{path.name}.{os.getpid()}.{threading.get_ident()}")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        draft.write_text(json.dumps(facts), encoding="utf-8")
        draft.replace(path)
    except OSError as error:
        raise ToolError(f"{path} could not be written: {error.strerror}") from error


def _moment(value: Any) -> datetime | None:
    try:
        moment = datetime.fromisoformat(value)
    except (TypeError, ValueError):
        return None
    return moment if moment.tzinfo else None


def _now() -> datetime:
    return datetime.now(UTC)


def _alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except (OSError, OverflowError):
        return False
    return pid > 0
