"""Places out of files of public open data, as their portals export them.

Read are GeoJSON, CSV (with ``;`` or ``,``) and JSON of an Opendatasoft portal
(opendata.paris.fr, data.iledefrance-mobilites.fr and others) and answers of the Overpass
API. A file is known by its fields, not by its name. What is read are sightings: a name,
a type, and points where it was seen; ``cityverse.news.places`` makes places of them.
"""

from __future__ import annotations

import csv
import io
import json
import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cityverse.errors import InputError
from cityverse.news.tokens import PARTICLES, fold_phrase

Record = dict[str, Any]
Point = tuple[float, float]

LARGEST = 128 * 1024 * 1024
_POINTS_MOST = 60
_NAME_LONGEST = 100
# Latitude and longitude (degrees, WGS 84) of the region: tells the two apart in any order.
_LATITUDES, _LONGITUDES = (48.0, 49.4), (1.3, 3.7)


@dataclass(frozen=True, slots=True)
class Sighting:
    """A place named by one record; ``points`` are (lat, lon) in degrees, maybe none.

    ``official`` tells that the record is about the place itself, not an address in it;
    ``also`` are further ways to write it.
    """

    name: str
    type: str
    points: tuple[Point, ...] = ()
    arrondissement: int | None = None
    official: bool = True
    also: tuple[str, ...] = ()


# --- what kind of place a name's first word tells ------------------------------------------


def _by_word(words_of: dict[str, str]) -> dict[str, str]:
    return {word: type_ for type_, words in words_of.items() for word in words.split()}


STREETS = _by_word(
    {
        "street": "rue avenue boulevard quai passage impasse villa cite allee allees cours chaussee"
        " cour galerie hameau mail promenade port ruelle sentier voie route carrefour rond terrasse"
        " peristyle chemin cote escalier berge faubourg",
        "square": "place placette esplanade parvis rotonde",
        "park": "square jardin jardins parc pelouse",
        "bridge": "pont passerelle viaduc",
        "gate": "porte",
    }
)
_SITES = _by_word(
    {
        "hospital": "hopital hopitaux clinique maternite",
        "school": "lycee college ecole conservatoire internat",
        "university": "universite faculte campus institut",
        "venue": "theatre cinema salle cirque cabaret opera auditorium",
        "museum": "musee maison fondation pavillon",
        "monument": "eglise basilique cathedrale chapelle temple synagogue mosquee",
        "pool": "piscine bassin",
        "stadium": "stade gymnase centre tennis halle complexe espace terrain",
        "library": "mediatheque bibliotheque ludotheque",
        "market": "marche",
        "cemetery": "cimetiere",
        "institution": "mairie",
        "station": "gare",
    }
)


def kind_of(name: str) -> str | None:
    """The type of a place whose name starts with a word for it ("Théâtre …"), else None."""
    first, _, rest = fold_phrase(name).partition(" ")
    return (STREETS.get(first) or _SITES.get(first)) if rest else None


# --- reading files ------------------------------------------------------------------------


def read(path: Path) -> tuple[str | None, list[Sighting]]:
    """What a file is (None: nothing known here) and the places it names.

    Raises InputError for a file that is too large, cut short, or no text.
    """
    records = _records(path)
    first = next(records, None)
    if first is None:
        return None, []
    reader = _reader_of(first)
    if reader is None:
        return None, []
    sightings = [
        sighting
        for record in (first, *records)
        for sighting in reader.sightings(record)
        if 2 < len(sighting.name) <= _NAME_LONGEST
    ]
    return reader.name, sightings


def _records(path: Path) -> Iterator[Record]:
    """The records of a file, field names in lower case; ``points`` are theirs."""
    try:
        if path.stat().st_size > LARGEST:
            raise InputError(f"{path.name} is larger than {LARGEST // 2**20} MB")
        text = path.read_text(encoding="utf-8-sig")
    except OSError as error:
        raise InputError(f"{path.name} cannot be read: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise InputError(f"{path.name} is not UTF-8") from error
    if path.suffix.lower() == ".csv":
        yield from _csv_records(text, path.name)
    else:
        yield from _json_records(text, path.name)


def _csv_records(text: str, name: str) -> Iterator[Record]:
    header = text.partition("\n")[0]
    delimiter = max(";,\t", key=header.count)
    csv.field_size_limit(LARGEST)
    try:
        for row in csv.DictReader(io.StringIO(text), delimiter=delimiter):
            yield _with_points({str(k).strip().lower(): v for k, v in row.items() if k})
    except csv.Error as error:
        raise InputError(f"{name} is no CSV: {error}") from error


def _json_records(text: str, name: str) -> Iterator[Record]:
    try:
        data = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise InputError(f"{name} is no JSON, or was cut short") from error
    if isinstance(data, dict):
        if str(data.get("remark", "")).startswith("runtime error"):
            raise InputError(f"{name} is incomplete, says Overpass")
        listed = data.get("features") or data.get("elements") or data.get("records")
    else:
        listed = data
    for thing in listed if isinstance(listed, list) else ():
        if isinstance(thing, dict):
            yield _with_points(_flat(thing))


def _flat(thing: Record) -> Record:
    """The fields of a GeoJSON feature, a portal's record or an element of OpenStreetMap."""
    inner = thing.get("properties") or thing.get("fields") or thing.get("tags")
    fields = inner if isinstance(inner, dict) else {} if "type" in thing else thing
    record = {str(key).lower(): value for key, value in fields.items()}
    if "geometry" in thing:
        record["geometry"] = thing["geometry"]
    if isinstance(thing.get("tags"), dict) or "@id" in record:
        record["osm"] = True
        for key in ("center", "bounds", "lat", "lon"):
            if key in thing:
                record[f"osm {key}"] = thing[key]
    return record


# --- points -------------------------------------------------------------------------------

_POINT_FIELDS = (
    "geometry", "geo_shape", "geom", "osm center", "osm bounds", "geo_point_2d", "geo_point",
    "geom_x_y", "wgs84", "geo_coordinates", "coordonneesxy", "coordonnees_geo", "géolocalisation",
)  # fmt: skip
_NUMBER = re.compile(r"-?\d+\.\d+")


def _with_points(record: Record) -> Record:
    record["points"] = _points(record)
    return record


def _points(record: Record) -> tuple[Point, ...]:
    for field in _POINT_FIELDS:
        found = tuple(_pairs(record.get(field)))
        if found:
            step = -(-len(found) // _POINTS_MOST)
            return found[::step]
    for y, x in (("osm lat", "osm lon"), ("lat", "lng"), ("lat", "lon"), ("latitude", "longitude")):
        if y in record and x in record:
            return tuple(_pair([record[y], record[x]]))
    return ()


def _pairs(value: Any, depth: int = 0) -> Iterator[Point]:
    """Every point in a geometry, a pair, a mapping or a text, whatever their order."""
    if depth > 8 or value is None:
        return
    if isinstance(value, str):
        numbers = _NUMBER.findall(value[:100_000])
        for lat, lon in zip(numbers[::2], numbers[1::2], strict=False):
            yield from _pair([lat, lon])
    elif isinstance(value, dict):
        if "lat" in value and "lon" in value:
            yield from _pair([value["lat"], value["lon"]])
        elif "minlat" in value:
            yield from _pair([_middle(value, "lat"), _middle(value, "lon")])
        else:
            for inner in (value.get("coordinates"), value.get("geometry"), value.get("geometries")):
                yield from _pairs(inner, depth + 1)
    elif isinstance(value, list):
        if len(value) >= 2 and all(isinstance(v, int | float | str) for v in value[:2]):
            yield from _pair(value)
        else:
            for inner in value:
                yield from _pairs(inner, depth + 1)


def _middle(bounds: Record, axis: str) -> float | None:
    try:
        return (float(bounds[f"min{axis}"]) + float(bounds[f"max{axis}"])) / 2
    except (KeyError, TypeError, ValueError):
        return None


def _pair(values: list[Any]) -> Iterator[Point]:
    try:
        a, b = float(values[0]), float(values[1])
    except (TypeError, ValueError):
        return
    for lat, lon in ((a, b), (b, a)):
        if _LATITUDES[0] < lat < _LATITUDES[1] and _LONGITUDES[0] < lon < _LONGITUDES[1]:
            yield lat, lon
            return


# --- names --------------------------------------------------------------------------------

_HOUSE = re.compile(
    r"^\s*(?:\d{1,4}\s?(?:bis|ter|quater|[a-d](?![a-z]))?\s*(?:[-/&,]|[àa]\s|et\s)?\s*)+",
    re.IGNORECASE,
)
_REST = re.compile(r"\s*(?:[,;(/\n]|\b75\d{3}\b|\bparis\b).*$", re.IGNORECASE | re.DOTALL)
_SHORT = {
    "r": "rue", "q": "quai", "all": "allée", "pas": "passage", "pass": "passage", "bd": "boulevard",
    "av": "avenue", "pl": "place", "sq": "square", "imp": "impasse", "rpt": "rond-point",
    "crs": "cours", "ave": "avenue", "bld": "boulevard", "boul": "boulevard", "espl": "esplanade",
}  # fmt: skip
_WORDS_MOST = 9


def street_of(address: str) -> str | None:
    """The street in an address ("12 bis, R DE RIVOLI 75001 PARIS"), or None."""
    text = _REST.sub("", _HOUSE.sub("", address.replace("_", " ")[:200])).strip(" -.")
    first, _, rest = text.partition(" ")
    first = _SHORT.get(first.lower().rstrip("."), first)
    words = fold_phrase(rest).split()
    tells = [word for word in words if word not in PARTICLES]
    if fold_phrase(first) not in STREETS or not tells or len(words) > _WORDS_MOST:
        return None
    return f"{first} {rest}"


def _text(record: Record, *fields: str) -> str:
    for field in fields:
        value = record.get(field)
        if isinstance(value, str) and value.strip():
            return " ".join(value.split())
    return ""


_DISTRICT = re.compile(r"(?:75[01])?(\d{1,2})(?:e|er|eme|ème)?\b")


def _district(record: Record, *fields: str) -> int | None:
    for field in fields:
        found = _DISTRICT.search(str(record.get(field) or ""))
        if found and 1 <= int(found[1]) <= 20:
            return int(found[1])
    return None


# --- what each dataset's fields mean --------------------------------------------------------


def _official_street(record: Record) -> Iterator[Sighting]:
    name = _text(record, "typo_min", "l_longmin", "l_voie", "street")
    kind = kind_of(name)
    if kind:
        district = _district(record, "arrdt", "arrondissement", "c_ar")
        yield Sighting(name, kind, record["points"], district)


def _address(*fields: str) -> Callable[[Record], Iterator[Sighting]]:
    def sightings(record: Record) -> Iterator[Sighting]:
        street = street_of(_text(record, *fields))
        if street and record["points"]:
            kind = kind_of(street) or "street"
            yield Sighting(street, kind, record["points"], official=False)

    return sightings


def _shop(record: Record) -> Iterator[Sighting]:
    street = street_of(f"{_text(record, 'typ_voie')} {_text(record, 'lib_voie')}")
    if street and record["points"]:
        yield Sighting(street, kind_of(street) or "street", record["points"], official=False)


def _station(record: Record) -> Iterator[Sighting]:
    names = {
        name: None
        for field in ("nom_zdc", "nom_gares", "nom_gare", "nom_iv")
        if (name := _text(record, field))
    }
    if names and record["points"]:
        first, *others = names
        yield Sighting(first, "station", record["points"], also=tuple(others))


_CARE = re.compile(r"\s*[\"(].*$| AP-?HP.*$|\bGHU .*$|\bGH .*$")
_CARE_WORDS = re.compile(r"^(?:hopital|clinique|maternite|institut|hopitaux)\b")
_DAY_CARE = re.compile(r"\b(?:de jour|de nuit|dialyse|h\.?d\.?j|hdj|cattp|cmp|antenne|unite)\b")


def _hospital(record: Record) -> Iterator[Sighting]:
    name = _CARE.sub("", _text(record, "raison_sociale")).strip()
    folded = fold_phrase(name)
    if record["points"] and _CARE_WORDS.match(folded) and not _DAY_CARE.search(folded):
        yield Sighting(name, "hospital", record["points"])


def _market(record: Record) -> Iterator[Sighting]:
    name = _text(record, "nom_long", "marche", "nom_court")
    if name and record["points"]:
        named = name if fold_phrase(name).startswith("marche ") else f"Marché {name}"
        yield Sighting(named, "market", record["points"])


def _park(record: Record) -> Iterator[Sighting]:
    name = _text(record, "nom_ev", "nom")
    if kind_of(name) is None:
        name = f"{_text(record, 'denom', 'type_ev', 'categorie')} {name}"
    if kind_of(name) == "park" and record["points"]:
        yield Sighting(name, "park", record["points"])


def _cinema(record: Record) -> Iterator[Sighting]:
    name = _text(record, "enseigne", "nom", "nom_etablissement")
    if name and record["points"]:
        yield Sighting(f"Cinéma {name}", "venue", record["points"])


_SPORT = frozenset({"pool", "stadium", "school"})


def _named(*fields: str, kinds: frozenset[str] | None = None) -> Any:
    """Records whose name itself says what the place is ("Piscine …")."""

    def sightings(record: Record) -> Iterator[Sighting]:
        name = _text(record, *fields)
        kind = kind_of(name)
        if kind and (kinds is None or kind in kinds) and record["points"]:
            yield Sighting(name, kind, record["points"])

    return sightings


def _higher_education(record: Record) -> Iterator[Sighting]:
    name = _text(record, "libellé", "uo_lib", "libelle")
    if name and record["points"]:
        short = [_text(record, "nom court", "nom_court"), _text(record, "sigle")]
        also = tuple(text for text in short if len(text) > 2 and text != name)
        yield Sighting(name, "university", record["points"], also=also)


# OpenStreetMap: tag and value -> the type, and the word that makes a bare name safe.
_OSM: dict[tuple[str, str], tuple[str, str]] = {
    ("amenity", "hospital"): ("hospital", "hôpital"),
    ("amenity", "clinic"): ("hospital", "clinique"),
    ("amenity", "school"): ("school", "école"),
    ("amenity", "college"): ("school", "école"),
    ("amenity", "university"): ("university", "université"),
    ("amenity", "theatre"): ("venue", "théâtre"),
    ("amenity", "cinema"): ("venue", "cinéma"),
    ("amenity", "music_venue"): ("venue", "salle"),
    ("amenity", "arts_centre"): ("venue", "centre culturel"),
    ("amenity", "library"): ("library", "bibliothèque"),
    ("amenity", "marketplace"): ("market", "marché"),
    ("amenity", "place_of_worship"): ("monument", "église"),
    ("amenity", "townhall"): ("institution", "mairie"),
    ("amenity", "prison"): ("institution", "prison"),
    ("tourism", "museum"): ("museum", "musée"),
    ("leisure", "park"): ("park", "parc"),
    ("leisure", "garden"): ("park", "jardin"),
    ("leisure", "stadium"): ("stadium", "stade"),
    ("leisure", "sports_centre"): ("stadium", "centre sportif"),
    ("leisure", "swimming_pool"): ("pool", "piscine"),
    ("landuse", "cemetery"): ("cemetery", "cimetière"),
    ("shop", "mall"): ("shop", "centre commercial"),
    ("shop", "department_store"): ("shop", "magasin"),
    ("railway", "station"): ("station", "gare"),
    ("man_made", "bridge"): ("bridge", "pont"),
}
_OSM_STREETS = {
    "residential", "pedestrian", "living_street", "primary", "secondary", "tertiary",
    "unclassified", "trunk", "steps", "footway", "service",
}  # fmt: skip


def _openstreetmap(record: Record) -> Iterator[Sighting]:
    name = _text(record, "name:fr", "name")
    if not name or not record["points"]:
        return
    kind = kind_of(name)
    if record.get("highway") in _OSM_STREETS or record.get("place") == "square":
        if kind in {"street", "square", "bridge", "gate", "park"}:
            yield Sighting(name, kind, record["points"])
        return
    for (tag, value), (type_, word) in _OSM.items():
        if record.get(tag) == value:
            also = tuple(
                t for t in (_text(record, "official_name"), _text(record, "alt_name")) if t
            )
            known = kind is not None or fold_phrase(name).startswith(fold_phrase(word))
            named = name if known or type_ in {"station", "university"} else f"{word} {name}"
            others = (_text(record, "official_name"), _text(record, "alt_name"))
            also = tuple(text for text in others if text and kind_of(text))
            yield Sighting(named[0].upper() + named[1:], type_, record["points"], also=also)
            return


@dataclass(frozen=True, slots=True)
class _Reader:
    """How a dataset is told by its fields, and how its records are read."""

    name: str
    fields: tuple[frozenset[str], ...]
    sightings: Callable[[Record], Iterable[Sighting]]


def _any(*alternatives: str) -> tuple[frozenset[str], ...]:
    return tuple(frozenset(alternative.split("|")) for alternative in alternatives)


_READERS: tuple[_Reader, ...] = (
    _Reader("OpenStreetMap", _any("osm"), _openstreetmap),
    _Reader("streets of the city", _any("typo_min", "l_longmin"), _official_street),
    _Reader("names of streets", _any("street|arrondissement"), _official_street),
    _Reader("stations", _any("nom_gares", "nom_zdc", "nom_gare|res_com"), _station),
    _Reader("hospitals", _any("raison_sociale|finess_et"), _hospital),
    _Reader("markets", _any("marche", "nom_long|type_march"), _market),
    _Reader("parks and gardens", _any("nom_ev", "nom|denom"), _park),
    _Reader("cinemas", _any("enseigne|noauto", "nom|ecrans"), _cinema),
    _Reader("sports grounds", _any("insnom"), _named("insnom", "equnom", kinds=_SPORT)),
    _Reader("higher education", _any("libellé|uai - identifiant", "uo_lib"), _higher_education),
    _Reader("cultural institutions", _any("structure|wgs84"), _named("structure")),
    _Reader("neighbourhood amenities", _any("designation_longue"), _named("designation_longue")),
    _Reader(
        "filming places",
        _any("localisation de la scène", "adresse_lieu"),
        _address("localisation de la scène", "adresse_lieu"),
    ),
    _Reader(
        "street trees",
        _any("emplacement - site / adresse", "idbase|libellefrancais"),
        _address("emplacement - site / adresse", "adresse"),
    ),
    _Reader("charging points", _any("adresse_station"), _address("adresse_station")),
    _Reader("traffic counts", _any("libelle|libelle_nd_aval"), _address("libelle")),
    _Reader("addresses", _any("l_adr"), _address("l_adr")),
    _Reader("shops by address", _any("typ_voie|lib_voie"), _shop),
)


def _reader_of(record: Record) -> _Reader | None:
    fields = record.keys()
    for reader in _READERS:
        if any(wanted <= fields for wanted in reader.fields):
            return reader
    return None
