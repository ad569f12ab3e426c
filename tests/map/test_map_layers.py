"""What the browser is sent: small, complete, nothing from elsewhere, no text as code."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest

from cityverse.domain.kinds import Kind
from cityverse.domain.places import Precision
from cityverse.map import base, layers
from cityverse.map.pins import Pin, spread
from cityverse.map.tiles import TileSetInfo

REAL = TileSetInfo("overpass", "0f", "© OSM", 11, 15)
SAMPLE = TileSetInfo("sample", "1e", "generated", 11, 15)
HOSTILE = "<img src=x onerror=alert(1)>{id}@@=Math.random()\"'\\\u2028"


def pins(number: int = 160) -> list[Pin]:
    kinds, precisions = list(Kind), list(Precision)
    return [
        Pin(
            id=f"{kinds[n % 5]}:{n:032x}",
            kind=kinds[n % 5],
            lat=48.83 + 0.05 * (n * 0.618 % 1),
            lon=2.28 + 0.12 * (n * 0.414 % 1),
            title=f"Le marché de la place d’Aligre fête ses {n} ans avec les habitants du quartier",
            subtitle="Les Amis du Faubourg · il y a 3 heures · démo",
            precision=precisions[n % 6],
        )
        for n in range(number)
    ]


def drawn(
    items: list[Pin] | None = None, tiles: TileSetInfo | None = SAMPLE, theme: layers.Theme = "dark"
) -> dict[str, Any]:
    deck = layers.deck(pins() if items is None else items, tiles, theme=theme, view=layers.View())
    found: dict[str, Any] = json.loads(deck.to_json())
    return found


def layer(deck: dict[str, Any], name: str) -> dict[str, Any]:
    (found,) = (layer for layer in deck["layers"] if layer["id"] == name)
    return found


def strings(value: Any) -> list[str]:
    if isinstance(value, str):
        return [value]
    children = value.values() if isinstance(value, dict) else value
    return [s for c in children for s in strings(c)] if isinstance(value, dict | list) else []


THEMES = pytest.mark.parametrize("theme", ["light", "dark"])


@THEMES
def test_nothing_comes_from_another_host(theme):
    deck = drawn(theme=theme)
    assert not [text for text in strings(deck) if re.search(r"//|[a-z]+:/|^data:", text)]
    # Streamlit's word for "no style given"; with a provider it would become one of Carto's.
    assert deck.get("mapStyle") in (None, "__MAP_STYLE__")
    assert not {"mapProvider", "googleMapsKey", "mapboxKey"} & set(deck)
    assert layer(deck, "buildings")["loadOptions"]["mvt"]["workerUrl"].startswith("/app/static/")


@THEMES
def test_every_layer_has_a_name_of_its_own(theme):
    names = [one["id"] for one in drawn(theme=theme)["layers"]]
    assert len(set(names)) == len(names)
    assert {"water", "land", "buildings", "monuments", layers.PINS} <= set(names)


def test_the_message_stays_small():
    sizes = [
        len(layers.deck(items, SAMPLE, theme="dark", view=layers.View()).to_json().encode())
        for items in ([], pins(160))
    ]
    assert sizes[0] <= 8_000
    # With titles of 80 characters, and an id as long as that of an article.
    assert (sizes[1] - sizes[0]) / 160 <= 320


def test_the_same_pins_give_the_same_message():
    # Streamlit sends nothing when nothing changed.
    messages = {
        layers.deck(spread(items), SAMPLE, theme="light", view=layers.View()).to_json()
        for items in (pins(), pins()[::-1])
    }
    assert len(messages) == 1


def test_buildings_come_by_url_of_the_tile_set():
    buildings = layer(drawn(tiles=REAL), "buildings")
    assert buildings["@@type"] == "MVTLayer"
    assert buildings["data"] == "/tiles/overpass/0f/{z}/{x}/{y}.pbf"
    assert (buildings["minZoom"], buildings["maxZoom"]) == (11, 15)
    assert "properties.height" in buildings["getElevation"]


def test_without_tiles_there_are_no_buildings():
    names = {one["id"] for one in drawn(tiles=None)["layers"]}
    assert not {"buildings", "monuments"} & names
    assert layers.PINS in names


def test_monuments_of_the_sample_do_not_stand_among_real_buildings():
    assert "monuments" not in {one["id"] for one in drawn(tiles=REAL)["layers"]}


def test_the_ground_comes_by_url():
    deck = drawn()
    urls = {s for s in strings(deck) if s.startswith("/map/base/")}
    assert urls == {base.url(name) for name in base.NAMES}


def test_ground_and_buildings_are_not_dimmed_by_a_selection():
    # Streamlit dims what has a colour of its own; pins shall be dimmed, the city shall not.
    for one in drawn()["layers"]:
        if one["@@type"] in {"MVTLayer", "GeoJsonLayer"}:
            assert not {"getFillColor", "getLineColor"} & set(one), one["id"]
            assert one.get("pickable") is False, one["id"]


def test_expressions_name_what_a_row_has():
    """Whatever is marked as an expression is one: a plain word would be a variable."""
    deck = drawn()
    rows = {
        key for one in deck["layers"] if isinstance(one.get("data"), list) for key in one["data"][0]
    }
    words = rows | {"properties"}
    for text in strings(deck):
        if text.startswith("@@="):
            bare = re.sub(r"'[^']*'|\.\w+", "", text[3:])
            assert set(re.findall(r"[a-zA-Z_]\w*", bare)) <= words, text
            assert "@@=" not in text[3:]
            assert bare.count("[") == bare.count("]")


def test_words_meant_as_such_are_no_expressions():
    deck = drawn()
    assert layer(deck, layers.PINS)["sizeUnits"] == "pixels"
    assert layer(deck, "labels")["pointType"] == "text"
    assert layer(deck, layers.PINS)["iconAtlas"].endswith("pins.png")


def test_every_kind_has_a_colour_and_a_sign():
    signs = layer(drawn(), layers.PINS)["iconMapping"]
    assert set(signs) == set(Kind) == set(layers.KIND_COLOURS)
    assert len({json.dumps(colour) for colour in layers.KIND_COLOURS.values()}) == len(Kind)
    assert len({(sign["x"], sign["y"]) for sign in signs.values()}) == len(Kind)


def test_the_text_of_an_item_is_data_never_template_or_code():
    one = Pin("post:1", "post", 48.85, 2.35, HOSTILE, HOSTILE, Precision.PLACE)
    plain = layers.deck([one], SAMPLE, theme="dark", view=layers.View())
    harmless = layers.deck(
        [Pin("post:1", "post", 48.85, 2.35, "a", "b", Precision.PLACE)],
        SAMPLE,
        theme="dark",
        view=layers.View(),
    )
    assert plain._tooltip == harmless._tooltip
    deck = json.loads(plain.to_json())
    (row,) = layer(deck, layers.PINS)["data"]
    assert (row["title"], row["subtitle"]) == (HOSTILE, HOSTILE)
    row.update(title="a", subtitle="b")
    assert deck == json.loads(harmless.to_json())


def test_the_tooltip_asks_only_for_what_a_row_has():
    deck = layers.deck(pins(1), SAMPLE, theme="dark", view=layers.View())
    asked = set(re.findall(r"{(\w+)}", deck._tooltip["html"]))
    (row,) = layer(json.loads(deck.to_json()), layers.PINS)["data"]
    assert asked <= set(row)


def test_an_item_known_to_an_area_only_has_no_stem():
    deck = drawn([p for p in pins(12) if p.area])
    assert layer(deck, "stems")["data"] == []
    assert len(layer(deck, layers.PINS)["data"]) == 4


def test_a_very_long_title_is_cut():
    one = Pin("post:1", "post", 48.85, 2.35, "long " * 200, "", Precision.PLACE)
    (row,) = layer(drawn([one]), layers.PINS)["data"]
    assert len(row["title"]) <= 100
    assert row["title"].endswith("…")
