"""Buildings of IGN's BD TOPO, with measured heights, by its Web Feature Service.

The service answers in pages of GeoJSON. Servers differ in the order in which they take
and give latitude and longitude, and a wrong order looks like an empty city: so it is
tried where there are buildings for certain.
Source: https://geoservices.ign.fr/documentation/donnees/vecteur/bdtopo.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

from shapely.geometry.base import BaseGeometry

from cityverse.errors import FetchError
from cityverse.map import cells, geojson
from cityverse.map.cells import Cell
from cityverse.map.clean import cleaned
from cityverse.map.features import Feature, Report
from cityverse.map.values import heights, metres, text

SOURCE = "bdtopo"
ATTRIBUTION = "© IGN BD TOPO® (Licence Ouverte 2.0)"
ENDPOINT = "https://data.geopf.fr/wfs/ows"
_TYPE = "BDTOPO_V3:batiment"
_PAGE = 1000
# A box that is not understood may mean all of France.
_CELL_MOST = 40_000
_STARTS_MOST = 4
# Around Notre-Dame and the Hôtel de Ville there are buildings.
_CONTROL = Cell(48.8520, 2.3440, 48.8575, 2.3530, (4,))
_CONTROL_NEAR = 0.005
_PROPERTIES = (
    *("cleabs", "nature", "usage_1", "construction_legere", "etat_de_l_objet", "hauteur"),
    *("nombre_d_etages", "altitude_minimale_sol", "altitude_minimale_toit"),
)
_NOT_STANDING = {"En projet", "Détruit"}
_LIGHT = 4.0
_KINDS = {
    "Arc de triomphe": "monument",
    "Chapelle": "chapel",
    "Château": "palace",
    "Église": "church",
    "Industriel, agricole ou commercial": "industrial",
    "Monument": "monument",
    "Serre": "greenhouse",
    "Tour, donjon": "monument",
    "Tribune": "grandstand",
    "Annexe": "annex",
    "Commercial et services": "commercial",
    "Industriel": "industrial",
    "Religieux": "religious",
    "Résidentiel": "residential",
    "Sportif": "sports",
}


@dataclass(frozen=True, slots=True)
class _Axes:
    """How boxes are given to the server, and whether its answers have latitude first."""

    system: str
    latitude_first: bool
    swapped: bool = False


_TRIED = (
    _Axes("CRS:84", latitude_first=False),
    _Axes("urn:ogc:def:crs:EPSG::4326", latitude_first=True),
    _Axes("EPSG:4326", latitude_first=False),
)


@dataclass(frozen=True, slots=True)
class _Page:
    """Features of a page, and how many there are on all pages, if the server knows."""

    features: list[Any]
    total: int | None


class _ChangedMeanwhileError(Exception):
    """The pages do not belong together."""


class BdTopo:
    """The buildings of the city from the service, one cell after the other."""

    source = SOURCE

    def __init__(self, service: cells.Service) -> None:
        self._service = service
        self._axes: _Axes | None = None

    def fetch(self, cell: Cell) -> bytes:
        """The buildings of a cell as a JSON list of features; raises FetchError."""
        axes = self._axes = self._axes or self._found_axes()
        for _ in range(_STARTS_MOST):
            try:
                found = self._pages(cell, axes)
            except _ChangedMeanwhileError:
                continue
            return json.dumps([_reduced(feature, axes) for feature in found]).encode()
        raise FetchError("protocol", "the number of buildings keeps changing between pages")

    def _found_axes(self) -> _Axes:
        for axes in _TRIED:
            page = self._service.json(self._url(_CONTROL, axes, 0, 20), _page)
            swapped = _order(page.features)
            if swapped is not None:
                return _Axes(axes.system, axes.latitude_first, swapped)
        raise FetchError("axes", "whatever the order of the axes, there is nothing in the centre")

    def _pages(self, cell: Cell, axes: _Axes) -> list[Any]:
        found: list[Any] = []
        first = page = self._page(cell, axes, 0)
        while page.features:
            found += page.features
            if len(found) > _CELL_MOST:
                raise FetchError("too_large", f"more than {_CELL_MOST} buildings in one cell")
            if len(found) == first.total:
                return found
            page = self._page(cell, axes, len(found))
            if page.total != first.total:
                raise _ChangedMeanwhileError
        if first.total is not None and len(found) != first.total:
            raise _ChangedMeanwhileError
        return found

    def _page(self, cell: Cell, axes: _Axes, start: int) -> _Page:
        return self._service.json(self._url(cell, axes, start, _PAGE), _page)

    def _url(self, cell: Cell, axes: _Axes, start: int, count: int) -> str:
        sides = (cell.west, cell.south, cell.east, cell.north)
        if axes.latitude_first:
            sides = (cell.south, cell.west, cell.north, cell.east)
        query = {
            "SERVICE": "WFS",
            "VERSION": "2.0.0",
            "REQUEST": "GetFeature",
            "TYPENAMES": _TYPE,
            "OUTPUTFORMAT": "application/json",
            "SRSNAME": axes.system,
            "BBOX": ",".join([*(f"{side:.6f}" for side in sides), axes.system]),
            "SORTBY": "cleabs",
            "STARTINDEX": start,
            "COUNT": count,
        }
        joint = "&" if "?" in self._service.endpoint else "?"
        return f"{self._service.endpoint}{joint}{urlencode(query)}"

    @staticmethod
    def read(
        fetched: Iterator[bytes], report: Report, within: BaseGeometry | None
    ) -> Iterator[Feature]:
        """The buildings of all cells together, cleaned."""
        raw = (f for cell in fetched for f in _buildings(json.loads(cell), report))
        return cleaned(raw, report, within)


def _page(answer: Any) -> _Page:
    """A page of an answer; raises FetchError for anything else."""
    if not isinstance(answer, dict) or not isinstance(answer.get("features"), list):
        raise FetchError("protocol", "no features of a WFS in GeoJSON")
    total = answer.get("numberMatched", answer.get("totalFeatures"))
    known = isinstance(total, int) and not isinstance(total, bool) and total >= 0
    return _Page(answer["features"], total if known else None)


def _order(features: list[Any]) -> bool | None:
    """Whether latitude comes first in features of the control box; None if they are not there."""
    points = [point for feature in features if (point := _first_point(feature)) is not None]
    for swapped in (False, True):
        if points and all(_in_control(*(p[::-1] if swapped else p)) for p in points):
            return swapped
    return None


def _first_point(feature: Any) -> tuple[float, float] | None:
    try:
        inner = feature["geometry"]["coordinates"]
        while isinstance(inner[0], list):
            inner = inner[0]
        return float(inner[0]), float(inner[1])
    except (AttributeError, IndexError, KeyError, TypeError, ValueError):
        return None


def _in_control(lon: float, lat: float) -> bool:
    # A building that touches the box may begin outside of it.
    near = _CONTROL_NEAR
    return (
        _CONTROL.west - near <= lon <= _CONTROL.east + near
        and _CONTROL.south - near <= lat <= _CONTROL.north + near
    )


def _reduced(feature: Any, axes: _Axes) -> Any:
    """What is needed of a feature, longitude first."""
    if not isinstance(feature, dict):
        return None
    properties = feature.get("properties")
    facts = properties if isinstance(properties, dict) else {}
    geometry = feature.get("geometry")
    if axes.swapped:
        geometry = geojson.swapped(geometry)
    return {"geometry": geometry, "properties": {k: facts[k] for k in _PROPERTIES if k in facts}}


def _buildings(features: list[Any], report: Report) -> Iterator[Feature]:
    for feature in features:
        report.read += 1
        shape = None if feature is None else geojson.shape(feature["geometry"])
        if shape is None:
            report.skip("broken geometry")
        elif feature["properties"].get("etat_de_l_objet") in _NOT_STANDING:
            report.skip("not built yet, or no more")
        else:
            yield _building(shape, feature["properties"], report)


def _building(shape: BaseGeometry, facts: dict[str, Any], report: Report) -> Feature:
    measured = facts.get("hauteur")
    if metres(measured) is None and not facts.get("nombre_d_etages"):
        measured = _from_altitudes(facts) or measured
        if measured is None and facts.get("construction_legere") is True:
            measured = _LIGHT
    height, levels = heights(measured, facts.get("nombre_d_etages"), report)
    kinds = [_KINDS.get(str(facts.get(name))) for name in ("nature", "usage_1")]
    kind = next((kind for kind in kinds if kind), "building")
    return Feature(shape, height, levels=levels, kind=kind, ref=text(facts.get("cleabs")))


def _from_altitudes(facts: dict[str, Any]) -> float | None:
    top, ground = facts.get("altitude_minimale_toit"), facts.get("altitude_minimale_sol")
    if isinstance(top, int | float) and isinstance(ground, int | float):
        return metres(top - ground)
    return None
