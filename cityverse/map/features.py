"""Buildings on their way from any source to the tiles: GeoJSON features, one a line."""

from __future__ import annotations

import json
from array import array
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from itertools import islice
from pathlib import Path
from typing import IO, NamedTuple

import numpy as np
import numpy.typing as npt
import shapely
from shapely.geometry.base import BaseGeometry

from cityverse.errors import MapInputUnreadable
from cityverse.map import known

BATCH = 2000
# Five times what Paris has, whoever maps it.
MOST = 1_000_000
_DECIMALS = 6


class Feature(NamedTuple):
    """A building: its shape in metres (see ``known``), heights in metres, and what it is.

    ``zooms`` bounds the tiles it stands in; both ends belong to it. ``ref`` is the source's
    own name for it; a ``part`` belongs to a building that may be there as a whole as well.
    """

    shape: BaseGeometry
    height: float
    min_height: float = 0.0
    levels: int = 0
    name: str | None = None
    kind: str = "building"
    zooms: tuple[int, int] | None = None
    ref: str | None = None
    part: bool = False


@dataclass(slots=True)
class Report:
    """What became of the buildings of a source: how many were read, kept, mended, left out.

    ``noted`` counts what was doubtful about those that were read.
    """

    read: int = 0
    kept: int = 0
    repaired: int = 0
    skipped: Counter[str] = field(default_factory=Counter)
    noted: Counter[str] = field(default_factory=Counter)

    def skip(self, reason: str) -> None:
        """Count a building that is left out."""
        self.skipped[reason] += 1

    def __str__(self) -> str:
        parts = [f"{self.read} buildings read", f"{self.kept} kept"]
        if self.repaired:
            parts.append(f"{self.repaired} repaired")
        parts += [f"{count} left out: {reason}" for reason, count in sorted(self.skipped.items())]
        parts += [f"{count} {what}" for what, count in sorted(self.noted.items())]
        return ", ".join(parts)


def write(features: Iterable[Feature], source: str, output: IO[str]) -> int:
    """Write features as GeoJSON lines numbered from 1; answers with their number."""
    number = 0
    for batch in batches(features):
        geometries = shapely.to_geojson(_in_degrees(shapes(batch)))
        numbered = enumerate(zip(batch, geometries, strict=True), number + 1)
        output.write("".join(_line(f, n, source, geometry) for n, (f, geometry) in numbered))
        number += len(batch)
    return number


def batches(features: Iterable[Feature]) -> Iterator[list[Feature]]:
    """The features in lists of up to ``BATCH``: arrays of shapes are quick, single ones slow."""
    stream = iter(features)
    while batch := list(islice(stream, BATCH)):
        yield batch


class Spool:
    """Features waiting in a file until it is known which of them are the most massive.

    Only two numbers of each stay in memory.
    """

    def __init__(self, path: Path, source: str) -> None:
        self._path = path
        self._source = source
        self._mass = array("d")
        self._named = array("b")

    def __len__(self) -> int:
        return len(self._mass)

    def fill(self, features: Iterable[Feature]) -> None:
        """Take all features. Raises MapInputUnreadable when they are too many."""
        with self._path.open("w", encoding="utf-8") as file:
            write(self._weighed(features), self._source, file)

    def _weighed(self, features: Iterable[Feature]) -> Iterator[Feature]:
        for batch in batches(features):
            if len(self) + len(batch) > MOST:
                raise MapInputUnreadable(f"there are more than {MOST:,} buildings: choose a box")
            self._mass.extend((shapely.area(shapes(batch)) * [f.height for f in batch]).tolist())
            self._named.extend(f.name is not None for f in batch)
            yield from batch

    def lines(self, zooms: Mapping[int, float], deepest: int) -> Iterator[str]:
        """The lines of all features, with the zoom from which each is shown.

        ``zooms`` says which share of them a zoom may show, the most massive first and
        named ones always; mass is area × height.
        """
        rank = np.empty(len(self))
        rank[np.argsort(-np.array(self._mass), kind="stable")] = np.arange(len(self)) / len(self)
        with self._path.open(encoding="utf-8") as file:
            for line, place, named in zip(file, rank.tolist(), self._named, strict=True):
                first = min(z for z, share in zooms.items() if place < share or named)
                yield _HEAD + _zooms((first, deepest)) + line.removeprefix(_HEAD)


def shapes(features: list[Feature]) -> npt.NDArray[np.object_]:
    """The shapes of features, (n,)."""
    return np.array([feature.shape for feature in features], dtype=object)


def _in_degrees(metric: npt.NDArray[np.object_]) -> npt.NDArray[np.object_]:
    # Many shapes at once: one by one this takes longer than all the rest.
    degrees: npt.NDArray[np.object_] = shapely.transform(
        metric, lambda metres: np.round(known.to_degrees(metres), _DECIMALS)
    )
    return degrees


_HEAD = '{"type":"Feature",'


def _line(feature: Feature, number: int, source: str, geometry: str) -> str:
    # Put together by hand: an encoder takes ten times as long over so many lines.
    name = f',"name":{_text(feature.name)}' if feature.name else ""
    own = number if feature.ref is None else json.dumps(feature.ref, ensure_ascii=False)
    return (
        f'{_HEAD}{_zooms(feature.zooms)}"id":{number},"properties":{{"id":{own},'
        f'"height":{feature.height:.1f},"min_height":{feature.min_height:.1f},'
        f'"levels":{feature.levels},"kind":{_text(feature.kind)},"source":{_text(source)}{name}}},'
        f'"geometry":{geometry}}}\n'
    )


@lru_cache(maxsize=100)
def _zooms(zooms: tuple[int, int] | None) -> str:
    return "" if zooms is None else f'"tippecanoe":{{"minzoom":{zooms[0]},"maxzoom":{zooms[1]}}},'


@lru_cache(maxsize=1000)
def _text(text: str) -> str:
    return json.dumps(text, ensure_ascii=False)
