"""Calendars for other programs: ``/agenda.ics`` of a person, ``/association.ics``.

The address of a person's calendar is private: it bears a key, which they can renew.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from urllib.parse import urlencode

from icalendar import Calendar
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import BaseRoute, Route

from cityverse.community import agenda
from cityverse.community.agenda import Entry
from cityverse.data import store as stores
from cityverse.data.repository import Window
from cityverse.data.store import Store
from cityverse.data.timeline import is_hidden
from cityverse.domain.applications import ApplicationState
from cityverse.domain.people import User
from cityverse.errors import CityVerseError, NotFound
from cityverse.settings import Settings
from cityverse.ui import outputs
from cityverse.ui.texts import DEFAULT, LANGUAGES, Texts

log = logging.getLogger(__name__)

PERSON, ASSOCIATION = "/agenda.ics", "/association.ics"
_PRIVATE = {
    "Cache-Control": "private, no-store",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
}
_PUBLIC = {"Cache-Control": "public, max-age=300", "X-Content-Type-Options": "nosniff"}
_BACK = timedelta(days=31)

_Read = Callable[[Store, Mapping[str, str]], tuple[str, list[Entry]]]


def routes(settings: Settings) -> list[BaseRoute]:
    """The routes over the store of these settings."""
    store = outputs.Connection(settings)

    def person(store: Store, words: Mapping[str, str]) -> tuple[str, list[Entry]]:
        secret = stores.secret(settings)
        who, key = words.get("who", ""), words.get("key", "")
        return "CityVerse", agenda.behind(store, secret, who, key)

    return [
        Route(PERSON, _route(store, person, _PRIVATE), methods=["GET", "HEAD"]),
        Route(ASSOCIATION, _route(store, _of_association, _PUBLIC), methods=["GET", "HEAD"]),
    ]


def address_of(settings: Settings, who: User, language: str) -> str:
    """The private address of a person's calendar, from the slash on."""
    key = agenda.key_of(stores.secret(settings), who)
    return f"{PERSON}?{urlencode({'who': who.id, 'key': key, 'lang': language})}"


def _of_association(store: Store, words: Mapping[str, str]) -> tuple[str, list[Entry]]:
    association_id = words.get("id", "")
    found = store.associations.find(association_id) if 0 < len(association_id) <= 64 else None
    if found is None or is_hidden(found):
        raise NotFound("there is no such association")
    window = Window(datetime.now(UTC) - _BACK)
    return found.name, agenda.of_association(store, found.id, window)


def _route(
    store: Callable[[], Store], read: _Read, headers: Mapping[str, str]
) -> Callable[[Request], Response]:
    # A plain function: Starlette runs it in a thread, so reading blocks nobody.
    def answer(request: Request) -> Response:
        language = request.query_params.get("lang", DEFAULT)
        texts = Texts(language if language in LANGUAGES else DEFAULT)
        never_kept = {"Cache-Control": "no-store"}
        try:
            name, entries = read(store(), request.query_params)
        except NotFound as error:
            return PlainTextResponse(str(error), 404, never_kept)
        except CityVerseError as error:
            log.warning("%s: %s", request.url.path, error)
            return PlainTextResponse("try again later", 503, never_kept | {"Retry-After": "30"})
        site = str(request.base_url).rstrip("/")
        body = _ics(texts, site, name, entries)
        return Response(body, media_type="text/calendar", headers=dict(headers))

    return answer


def _ics(texts: Texts, site: str, name: str, entries: list[Entry]) -> bytes:
    calendar = Calendar.new(
        name=name,
        prodid="-//CityVerse//agenda//EN",
        language=texts.language,
        refresh_interval=timedelta(hours=1),
    )
    for entry in entries:
        appointment = outputs.appointment(texts, site, entry.item)
        if entry.cancelled:
            appointment.add("status", "CANCELLED")
        elif entry.state in {ApplicationState.PENDING, ApplicationState.WAITING}:
            appointment.add("status", "TENTATIVE")
        calendar.add_component(appointment)
    return bytes(calendar.to_ical())
