"""The map as a pydeck deck: base layers and buildings by URL, pins inline.

What must be known of Streamlit's map here: on a selection it dims whatever has a
``get_fill_color`` of its own, so areas and buildings are coloured through
``_sub_layer_props`` and only pins are dimmed; pydeck turns every plain string into
an expression, so strings meant as such are wrapped; nothing may be fetched from
another host, so there is no basemap and the tile parser is served by ourselves.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import pydeck
from pydeck.bindings.json_tools import default_serialize
from pydeck.types import String

from cityverse.domain.kinds import Kind
from cityverse.domain.places import EAST, NORTH, SOUTH, WEST
from cityverse.map import base
from cityverse.map.pins import Pin
from cityverse.map.tiles import TileSetInfo

Theme = Literal["light", "dark"]
Colour = list[int]

PINS = "pins"
ZOOM_LEAST, ZOOM_MOST = 10.8, 18.0
_WORKER = "/app/static/mvt-worker.js"
_ATLAS = "/app/static/pins.png"
_ICON = 128
_STEM_METRES = 150
_TITLE_MOST = 100
# Drawn one over the other on the ground, in this order, without fighting for depth.
_FLAT = {"depthCompare": "always", "depthWriteEnabled": False}

KIND_COLOURS: dict[str, Colour] = {
    Kind.NEWS: [229, 96, 77],
    Kind.POST: [74, 144, 226],
    Kind.MISSION: [47, 174, 122],
    Kind.EVENT: [224, 160, 48],
    Kind.ASSOCIATION: [155, 123, 224],
    Kind.CAMPAIGN: [219, 92, 148],
}
# Buildings one finds one's way by; a name alone has many a shop.
_LANDMARKS = (
    *("monument", "cathedral", "church", "train_station", "museum"),
    *("palace", "government", "public", "civic", "theatre"),
)
_NO_KIND: Colour = [128, 128, 128]


@dataclass(frozen=True, slots=True)
class View:
    """Where the camera starts: degrees, zoom, pitch and bearing."""

    lat: float = 48.8590
    lon: float = 2.3420
    zoom: float = 12.3
    pitch: float = 52
    bearing: float = -14


@dataclass(frozen=True, slots=True)
class _Palette:
    outside: Colour
    land: Colour
    water: Colour
    park: Colour
    street: Colour
    rail: Colour
    border: Colour
    label: Colour
    # Four steps of one hue, from the lowest to the highest buildings, and the monuments.
    buildings: tuple[Colour, Colour, Colour, Colour]
    monument: Colour
    material: dict[str, Any]


_PALETTES: dict[Theme, _Palette] = {
    "dark": _Palette(
        outside=[11, 15, 25],
        land=[19, 25, 39],
        water=[30, 72, 134],
        park=[22, 56, 47],
        street=[33, 42, 62],
        rail=[44, 46, 60],
        border=[110, 132, 180, 150],
        label=[205, 214, 232],
        buildings=([50, 63, 92], [64, 80, 114], [86, 105, 143], [124, 145, 184]),
        monument=[232, 190, 112],
        material={
            "ambient": 0.42,
            "diffuse": 0.6,
            "shininess": 36,
            "specularColor": [50, 60, 80],
        },
    ),
    "light": _Palette(
        outside=[229, 231, 230],
        land=[246, 243, 235],
        water=[156, 196, 227],
        park=[193, 217, 174],
        street=[255, 253, 248],
        rail=[222, 216, 206],
        border=[112, 122, 152, 150],
        label=[58, 62, 78],
        buildings=([240, 232, 216], [232, 221, 201], [223, 208, 183], [209, 189, 158]),
        monument=[226, 178, 98],
        material={
            "ambient": 0.66,
            "diffuse": 0.44,
            "shininess": 12,
            "specularColor": [40, 40, 40],
        },
    ),
}


class CompactDeck(pydeck.Deck):  # type: ignore[misc]
    """A deck whose JSON carries no blanks: half the bytes for the browser."""

    def to_json(self) -> str:
        """The specification for the browser."""
        return json.dumps(
            self,
            sort_keys=True,
            default=default_serialize,
            ensure_ascii=False,
            separators=(",", ":"),
        )


def deck(
    pins: Sequence[Pin], tile_set: TileSetInfo | None, *, theme: Theme, view: View
) -> pydeck.Deck:
    """The whole map; without a tile set it has no buildings."""
    palette = _PALETTES[theme]
    buildings = [] if tile_set is None else [_buildings(tile_set, palette)]
    if tile_set is not None and tile_set.generated:
        buildings.append(_monuments(palette))
    return CompactDeck(
        layers=[*_ground(palette), *buildings, _labels(palette), *_pins(pins)],
        map_provider=None,
        initial_view_state=pydeck.ViewState(
            latitude=view.lat,
            longitude=view.lon,
            zoom=view.zoom,
            pitch=view.pitch,
            bearing=view.bearing,
            min_zoom=ZOOM_LEAST,
            max_zoom=ZOOM_MOST,
            max_pitch=75,
            max_bounds=[[WEST - 0.1, SOUTH - 0.08], [EAST + 0.1, NORTH + 0.08]],
        ),
        tooltip={
            "html": "<b>{title}</b><br>{subtitle}",
            "style": {"maxWidth": "260px", "borderRadius": "8px", "fontSize": "13px"},
        },
    )


def _ground(palette: _Palette) -> list[pydeck.Layer]:
    around = [
        [[WEST - 1, SOUTH - 1], [EAST + 1, SOUTH - 1], [EAST + 1, NORTH + 1], [WEST - 1, NORTH + 1]]
    ]
    outside = {
        "type": "Feature",
        "properties": {},
        "geometry": {"type": "Polygon", "coordinates": [[*around[0], around[0][0]]]},
    }
    return [
        _areas("outside", outside, palette.outside),
        _areas("land", base.url("land"), palette.land),
        _areas("parks", base.url("parks"), palette.park),
        _lines("rails", palette.rail, "properties.width"),
        _lines("streets", palette.street, "properties.width"),
        _areas("squares", base.url("squares"), palette.street),
        # Borders follow the middle of the river: under the water they do not cut it in two.
        _lines("arrondissements", palette.border, "2", thinnest=1),
        _areas("water", base.url("water"), palette.water),
        _lines("bridges", palette.street, "properties.width"),
    ]


def _areas(name: str, data: Any, colour: Colour) -> pydeck.Layer:
    return pydeck.Layer(
        "GeoJsonLayer",
        data if isinstance(data, dict) else String(data),
        id=name,
        stroked=False,
        pickable=False,
        parameters=_FLAT,
        _sub_layer_props={"polygons-fill": {"getFillColor": colour}},
    )


def _lines(name: str, colour: Colour, width: str, thinnest: float = 0.5) -> pydeck.Layer:
    return pydeck.Layer(
        "GeoJsonLayer",
        String(base.url(name)),
        id=name,
        filled=False,
        pickable=False,
        line_cap_rounded=True,
        line_joint_rounded=True,
        line_width_min_pixels=thinnest,
        get_line_width=width,
        parameters=_FLAT,
        _sub_layer_props={"linestrings": {"getColor": colour}},
    )


def _buildings(tile_set: TileSetInfo, palette: _Palette) -> pydeck.Layer:
    low, middle, high, highest = (json.dumps(colour) for colour in palette.buildings)
    landmark = "||".join(f"properties.kind=='{kind}'" for kind in _LANDMARKS)
    colour = (
        f"@@=({landmark}) ? {json.dumps(palette.monument)} : properties.height > 34 ? {highest}"
        f" : properties.height > 25 ? {high} : properties.height > 18 ? {middle} : {low}"
    )
    return pydeck.Layer(
        "MVTLayer",
        data=String(tile_set.url),
        id="buildings",
        min_zoom=tile_set.min_zoom,
        max_zoom=tile_set.max_zoom,
        extruded=True,
        # Monuments of the sample are drawn apart, since tiles know no height of a base.
        get_elevation="properties.kind == 'monument' ? 0 : properties.height",
        # A tooltip has one template for all layers, and picking a house would dim all pins.
        pickable=False,
        material=palette.material,
        max_requests=8,
        load_options={"mvt": {"workerUrl": _WORKER}},
        _sub_layer_props={"polygons-fill": {"getFillColor": colour}},
    )


def _monuments(palette: _Palette) -> pydeck.Layer:
    return pydeck.Layer(
        "GeoJsonLayer",
        String(base.url("monuments")),
        id="monuments",
        extruded=True,
        get_elevation="properties.height",
        pickable=False,
        material=palette.material,
        _sub_layer_props={"polygons-fill": {"getFillColor": palette.monument}},
    )


def _labels(palette: _Palette) -> pydeck.Layer:
    return pydeck.Layer(
        "GeoJsonLayer",
        String(base.url("labels")),
        id="labels",
        pickable=False,
        point_type=String("text"),
        get_text="properties.name",
        get_text_size="properties.size",
        get_text_color=palette.label,
        text_character_set=String("auto"),
        text_font_family=String("Source Sans, sans-serif"),
        text_font_weight=600,
        text_font_settings={"sdf": True, "fontSize": 48, "buffer": 8},
        text_outline_width=3,
        text_outline_color=palette.outside,
        parameters={"depthCompare": "always"},
    )


def _pins(pins: Sequence[Pin]) -> list[pydeck.Layer]:
    exact = [_spot(pin) for pin in pins if not pin.area]
    near = [_spot(pin) for pin in pins if pin.area]
    return [
        # Somewhere within this ring: an item known only to its area must not look exact.
        _discs("areas", near, 320, _by_kind(alpha=24), get_line_color=_by_kind(alpha=170)),
        _discs("halos", exact, 42, _by_kind(alpha=80)),
        pydeck.Layer(
            "LineLayer",
            exact,
            id="stems",
            get_source_position="p",
            get_target_position=f"[p[0],p[1],{_STEM_METRES}]",
            get_color=_by_kind(),
            get_width=2,
            width_units=String("pixels"),
            pickable=False,
        ),
        pydeck.Layer(
            "IconLayer",
            [_row(pin) for pin in pins],
            id=PINS,
            icon_atlas=String(_ATLAS),
            icon_mapping=_icon_mapping(),
            get_icon="kind",
            get_position="p",
            get_size=30,
            size_units=String("pixels"),
            size_min_pixels=18,
            billboard=True,
            pickable=True,
            auto_highlight=True,
            highlight_color=[255, 255, 255, 70],
            parameters={"depthCompare": "always"},
        ),
    ]


def _discs(name: str, spots: list[Any], metres: float, fill: str, **more: str) -> pydeck.Layer:
    return pydeck.Layer(
        "ScatterplotLayer",
        spots,
        id=name,
        get_position="p",
        get_radius=metres,
        radius_min_pixels=5,
        get_fill_color=fill,
        stroked=bool(more),
        line_width_min_pixels=1.5,
        get_line_width=6,
        pickable=False,
        parameters=_FLAT,
        **more,
    )


def _by_kind(alpha: int = 255) -> str:
    """An expression for the colour of an item's kind."""
    cases = (f"k=='{kind}'?{_compact([*rgb, alpha])}" for kind, rgb in KIND_COLOURS.items())
    return f"{':'.join(cases)}:{_compact([*_NO_KIND, alpha])}"


def _compact(colour: Colour) -> str:
    return json.dumps(colour, separators=(",", ":"))


def _spot(pin: Pin) -> dict[str, Any]:
    return {"p": _point(pin), "k": pin.kind}


def _row(pin: Pin) -> dict[str, Any]:
    title = pin.title
    return {
        "id": pin.id,
        "kind": pin.kind,
        "p": [*_point(pin), 20 if pin.area else _STEM_METRES],
        "title": title if len(title) <= _TITLE_MOST else f"{title[: _TITLE_MOST - 1].rstrip()}…",
        "subtitle": pin.subtitle,
    }


def _point(pin: Pin) -> list[float]:
    # Five decimals are about a metre; all of this travels on every change of a filter.
    return [round(pin.lon, 5), round(pin.lat, 5)]


def _icon_mapping() -> dict[str, dict[str, Any]]:
    return {
        kind: {"x": number * _ICON, "y": 0, "width": _ICON, "height": _ICON, "mask": False}
        for number, kind in enumerate(KIND_COLOURS)
    }
