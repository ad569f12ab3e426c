"""The buildings of the map, for those who look after them: which are shown, and the real ones.

The real city is fetched by the worker of this machine; with the store on AWS tile sets are
built by hand and published, and there is nothing to start here.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from cityverse.domain import policy
from cityverse.domain.people import User
from cityverse.domain.policy import Action
from cityverse.errors import WrongState
from cityverse.map import realcity, tiles
from cityverse.map.realcity import Status, Wanted
from cityverse.map.tiles import TileSetInfo
from cityverse.settings import Settings


@dataclass(frozen=True, slots=True)
class BuiltSet:
    """A tile set that lies here: when its file was made and its size in bytes."""

    info: TileSetInfo
    made: datetime
    size: int


@dataclass(frozen=True, slots=True)
class Buildings:
    """What a manager sees.

    ``shown`` is the set on the map, which may come from another origin; ``chosen`` the name
    of the one a manager asked for; ``fetches`` whether this machine fetches at all.
    """

    sets: tuple[BuiltSet, ...]
    shown: TileSetInfo | None
    chosen: str | None
    status: Status
    wanted: Wanted
    fetches: bool

    @property
    def waiting(self) -> bool:
        """Whether what was asked for last has not been taken up by the worker yet."""
        if not self.fetches or self.wanted.at is None:
            return False
        if self.wanted.source == "nothing":
            return self.status.running
        return not self.status.running and (
            self.status.at is None or self.status.at < self.wanted.at
        )


def look(settings: Settings, who: User | None) -> Buildings:
    """All of it, as it is now. Raises NotSignedIn and NotAllowed, as all of these do."""
    policy.require(who, Action.MANAGE_MAP)
    folder = realcity.folder_of(settings)
    return Buildings(
        sets=tuple(found for info in tiles.available(folder) for found in _built(folder, info)),
        shown=tiles.current(folder),
        chosen=tiles.chosen(folder),
        status=realcity.status(folder),
        wanted=realcity.wanted(folder),
        fetches=settings.store == "embedded",
    )


def fetch(settings: Settings, who: User | None, source: str) -> None:
    """Ask the worker for the real city from ``auto`` or one source.

    Raises InputError for an unknown source, WrongState where nothing is fetched.
    """
    policy.require(who, Action.MANAGE_MAP)
    realcity.start(_fetching_folder(settings), source)


def stop(settings: Settings, who: User | None) -> None:
    """Ask the worker to fetch no more; what it has is kept. Raises WrongState as ``fetch``."""
    policy.require(who, Action.MANAGE_MAP)
    realcity.stop(_fetching_folder(settings))


def show(settings: Settings, who: User | None, name: str | None) -> None:
    """Show this set from now on; None: the best there is. Raises InputError."""
    policy.require(who, Action.MANAGE_MAP)
    realcity.choose(realcity.folder_of(settings), name)


def _fetching_folder(settings: Settings) -> Path:
    if settings.store != "embedded":
        raise WrongState("with the store on AWS, tile sets are built by `map build` and published")
    return realcity.folder_of(settings)


def _built(folder: Path, info: TileSetInfo) -> list[BuiltSet]:
    try:
        stat = (folder / f"{info.name}.mbtiles").stat()
    except OSError:  # replaced or taken away at this very moment
        return []
    return [BuiltSet(info, datetime.fromtimestamp(stat.st_mtime, UTC), stat.st_size)]
