"""Buildings on their way from any source to the tiles: GeoJSON features, one a line."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from functools import lru_cache
from itertools import islice
from typing import IO, NamedTuple

import numpy as np
import numpy.typing as npt
import shapely
from shapely.geometry.base import BaseGeometry

from cityverse.map import known

_DECIMALS = 6
_BATCH = 2000


class Feature(NamedTuple):
    """A building: its shape in metres (see ``known``), heights in metres, and what it is.

    ``zooms`` bounds the tiles it stands in; both ends belong to it.
    """

    shape: BaseGeometry
    height: float
    min_height: float = 0.0
    levels: int = 0
    name: str | None = None
    kind: str = "building"
    zooms: tuple[int, int] | None = None


@dataclass(slots=True)
class Report:
    """What became of the buildings of a source: how many were read, kept, mended, left out."""

    read: int = 0
    kept: int = 0
    repaired: int = 0
    skipped: Counter[str] = field(default_factory=Counter)

    def skip(self, reason: str) -> None:
        """Count a building that is left out."""
        self.skipped[reason] += 1

    def __str__(self) -> str:
        parts = [f"{self.read} buildings read", f"{self.kept} kept"]
        if self.repaired:
            parts.append(f"{self.repaired} repaired")
        parts += [f"{count} left out: {reason}" for reason, count in sorted(self.skipped.items())]
        return ", ".join(parts)


def write(features: Iterable[Feature], source: str, output: IO[str]) -> int:
    """Write features as GeoJSON lines with ids from 1; answers with their number."""
    number = 0
    stream = iter(features)
    while batch := list(islice(stream, _BATCH)):
        geometries = shapely.to_geojson(_in_degrees(_shapes(batch)))
        numbered = enumerate(zip(batch, geometries, strict=True), number + 1)
        output.write("".join(_line(f, n, source, geometry) for n, (f, geometry) in numbered))
        number += len(batch)
    return number


def _shapes(features: list[Feature]) -> npt.NDArray[np.object_]:
    return np.array([feature.shape for feature in features], dtype=object)


def _in_degrees(shapes: npt.NDArray[np.object_]) -> npt.NDArray[np.object_]:
    # Many shapes at once: one by one this takes longer than all the rest.
    degrees: npt.NDArray[np.object_] = shapely.transform(
        shapes, lambda metres: np.round(known.to_degrees(metres), _DECIMALS)
    )
    return degrees


def _line(feature: Feature, number: int, source: str, geometry: str) -> str:
    # Put together by hand: an encoder takes ten times as long over so many lines.
    name = f',"name":{_text(feature.name)}' if feature.name else ""
    return (
        f'{{"type":"Feature","id":{number},{_zooms(feature.zooms)}"properties":{{"id":{number},'
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


def ranked(features: list[Feature], zooms: dict[int, float], deepest: int) -> list[Feature]:
    """The features with the zoom from which each is shown: the most massive ones first.

    ``zooms`` says which share of them a zoom may show; mass is area × height.
    """
    if not features:
        return []
    mass = shapely.area(_shapes(features)) * [f.height for f in features]
    rank = np.empty(len(features))
    rank[np.argsort(-mass, kind="stable")] = np.arange(len(features)) / len(features)
    return [
        f._replace(zooms=(min(z for z, share in zooms.items() if place < share or f.name), deepest))
        for f, place in zip(features, rank, strict=True)
    ]
