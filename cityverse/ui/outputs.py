"""What a filter lets through, for other programs: ``/city.atom``, ``.geojson`` and ``.ics``.

The words of the address are those of the first page, and ``lang`` is ``fr`` or ``en``.
Atom: RFC 4287, with points as GeoRSS Simple. GeoJSON: RFC 7946; an item without a place
has the geometry null. iCalendar: RFC 5545, missions and events alone; with ``item`` that
one item.
"""

from __future__ import annotations

import hashlib
import json
import logging
import threading
import uuid
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import quote
from xml.etree import ElementTree as Xml

from icalendar import Calendar, Event
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import BaseRoute, Route

from cityverse.community import city
from cityverse.community.city import CityItem, Filter
from cityverse.data.store import Store, connect
from cityverse.domain.kinds import Kind
from cityverse.errors import CityVerseError, InputError, NotFound
from cityverse.settings import Settings
from cityverse.ui import address
from cityverse.ui.texts import DEFAULT, LANGUAGES, Texts

log = logging.getLogger(__name__)

ATOM, GEOJSON, ICS = "/city.atom", "/city.geojson", "/city.ics"
# What can stand in a calendar.
DATED = frozenset({Kind.MISSION, Kind.EVENT})
_ATOM = "http://www.w3.org/2005/Atom"
_GEORSS = "http://www.georss.org/georss"
_HEADERS = {
    "Cache-Control": "public, max-age=300",
    "Access-Control-Allow-Origin": "*",
    "X-Content-Type-Options": "nosniff",
}
_NEVER_KEPT = {"Cache-Control": "no-store"}

_Write = Callable[[Texts, str, Filter, "list[CityItem]"], bytes]


def routes(settings: Settings) -> list[BaseRoute]:
    """The routes over the store of these settings."""
    store = Connection(settings)
    return [
        Route(ATOM, _route(store, _atom, "application/atom+xml"), methods=["GET", "HEAD"]),
        Route(GEOJSON, _route(store, _geojson, "application/geo+json"), methods=["GET", "HEAD"]),
        Route(ICS, _route(store, _ics, "text/calendar"), methods=["GET", "HEAD"]),
    ]


class Connection:
    """Calling it gives the store, connected with when it is first asked for."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._lock = threading.Lock()
        self._store: Store | None = None

    def __call__(self) -> Store:
        """The store."""
        with self._lock:
            if self._store is None:
                self._store = connect(self._settings)
            return self._store


def _route(
    store: Callable[[], Store], write: _Write, media_type: str
) -> Callable[[Request], Response]:
    # A plain function: Starlette runs it in a thread, so reading blocks nobody.
    def answer(request: Request) -> Response:
        try:
            wanted = address.filter_of(request.query_params)
            texts = Texts(_language(request))
            items = _items(store(), wanted, request.query_params.get("item"))
        except NotFound as error:
            return PlainTextResponse(str(error), 404, _NEVER_KEPT)
        except InputError as error:
            return PlainTextResponse(str(error), 400, _NEVER_KEPT)
        except CityVerseError as error:
            log.warning("%s: %s", request.url.path, error)
            return PlainTextResponse("try again later", 503, _NEVER_KEPT | {"Retry-After": "30"})
        body = write(texts, str(request.base_url).rstrip("/"), wanted, items)
        etag = f'"{hashlib.sha256(body).hexdigest()[:32]}"'
        headers = {**_HEADERS, "ETag": etag}
        # Proxies that compress mark tags as weak, and there may be a list of them.
        if etag in request.headers.get("if-none-match", ""):
            return Response(status_code=304, headers=headers)
        return Response(body, media_type=media_type, headers=headers)

    return answer


def _items(store: Store, wanted: Filter, key: str | None) -> list[CityItem]:
    """What the filter lets through, or one item alone."""
    if key is None:
        return list(city.look(store, wanted, datetime.now(UTC)).items)
    item = city.find(store, key)
    if item is None:
        raise NotFound("no such item")
    return [item]


def _language(request: Request) -> str:
    language = request.query_params.get("lang", DEFAULT)
    if language not in LANGUAGES:
        raise InputError(f"lang: one of {', '.join(LANGUAGES)}")
    return language


def _atom(texts: Texts, site: str, wanted: Filter, items: list[CityItem]) -> bytes:
    query = address.query_of(wanted)
    here = f"{site}{ATOM}" + (f"?{query}" if query else "")
    feed = Xml.Element(
        "feed", {"xmlns": _ATOM, "xmlns:georss": _GEORSS, "xml:lang": texts.language}
    )
    _add(feed, "id", _urn(here))
    _add(feed, "title", texts("outputs.title"))
    _add(feed, "updated", max((item.published for item in items), default=_NOTHING_YET).isoformat())
    Xml.SubElement(feed, "link", rel="self", type="application/atom+xml", href=here)
    Xml.SubElement(feed, "link", rel="alternate", href=f"{site}/" + (f"?{query}" if query else ""))
    for item in items:
        _entry(texts, site, Xml.SubElement(feed, "entry"), item)
    return bytes(Xml.tostring(feed, "utf-8", xml_declaration=True))


# A feed without entries must still say when it changed (RFC 4287, 4.2.15).
_NOTHING_YET = datetime(1970, 1, 1, tzinfo=UTC)


def _entry(texts: Texts, site: str, entry: Xml.Element, item: CityItem) -> None:
    _add(entry, "id", _urn(item.key))
    _add(entry, "title", _title(texts, item))
    _add(entry, "updated", item.published.isoformat())
    _add(Xml.SubElement(entry, "author"), "name", item.by)
    Xml.SubElement(entry, "link", rel="alternate", href=item.link or _page(site, item))
    Xml.SubElement(entry, "category", term=item.kind, label=texts(f"kind.{item.kind}.one"))
    for topic in item.topics:
        Xml.SubElement(entry, "category", term=topic, label=texts(f"about.{topic}"))
    _add(entry, "summary", item.text)
    if item.location is not None:
        _add(entry, "georss:point", f"{item.location.lat} {item.location.lon}")
        _add(entry, "georss:featurename", item.location.place)


def _add(parent: Xml.Element, name: str, text: str) -> None:
    Xml.SubElement(parent, name).text = text


def _urn(name: str) -> str:
    return uuid.uuid5(uuid.NAMESPACE_URL, f"cityverse:{name}").urn


def _title(texts: Texts, item: CityItem) -> str:
    return f"{item.title} ({texts('item.demo_short')})" if item.demo else item.title


def _page(site: str, item: CityItem) -> str:
    return f"{site}/?item={quote(item.key)}"


def _geojson(texts: Texts, site: str, wanted: Filter, items: list[CityItem]) -> bytes:
    collection = {
        "type": "FeatureCollection",
        "title": texts("outputs.title"),
        "features": [_feature(texts, site, item) for item in items],
    }
    return json.dumps(collection, ensure_ascii=False, separators=(",", ":")).encode()


def _feature(texts: Texts, site: str, item: CityItem) -> dict[str, Any]:
    place = item.location
    return {
        "type": "Feature",
        "id": item.key,
        "geometry": place and {"type": "Point", "coordinates": [place.lon, place.lat]},
        "properties": {
            "kind": item.kind,
            "title": _title(texts, item),
            "text": item.text,
            "by": item.by,
            "when": item.when.isoformat(),
            "ends": item.ends and item.ends.isoformat(),
            "link": item.link,
            "page": _page(site, item),
            "place": place and place.place,
            "precision": place and place.precision,
            "arrondissement": place and place.arrondissement,
            "evidence": [e.words for e in place.evidence] if place else [],
            "source": item.source,
            "topics": list(item.topics),
            "language": item.language,
            "demo": item.demo,
        },
    }


def _ics(texts: Texts, site: str, wanted: Filter, items: list[CityItem]) -> bytes:
    calendar = Calendar.new(
        uid=_urn(f"{site}{ICS}?{address.query_of(wanted)}"),
        last_modified=max((item.published for item in items), default=_NOTHING_YET),
        name=texts("outputs.title"),
        prodid="-//CityVerse//city//EN",
        language=texts.language,
        refresh_interval=timedelta(hours=1),
        subcomponents=[appointment(texts, site, i) for i in items if i.kind in DATED],
    )
    return bytes(calendar.to_ical())


def appointment(texts: Texts, site: str, item: CityItem) -> Event:
    """An item as an entry of a calendar; ``site`` is our own address without a slash."""
    entry = Event.new(
        uid=_urn(item.key),
        # The same at each request, or every copy would count as changed.
        stamp=item.published,
        start=item.when,
        end=item.ends,
        summary=_title(texts, item),
        description=f"{item.by}\n\n{item.text}",
        location=item.location.place if item.location else None,
        url=_page(site, item),
    )
    if item.location is not None:
        entry.add("geo", (item.location.lat, item.location.lon))
    return entry
