"""The calendar: one's missions and events, or an association's, by week or month."""

from __future__ import annotations

from datetime import date, datetime, time, timedelta
from urllib.parse import urlencode

import streamlit as st
from babel.dates import format_date

from cityverse.community import agenda, missions
from cityverse.community.agenda import Entry
from cityverse.community.city import CITY_ZONE
from cityverse.data.repository import Window
from cityverse.data.timeline import is_hidden
from cityverse.domain.kinds import Kind
from cityverse.domain.people import User
from cityverse.settings import current
from cityverse.ui import acting, address, calendars, certificate, markup, signed_in
from cityverse.ui.shell import Page

_SPANS = ("week", "month")
_DAY = "calendar_day"


def draw(page: Page) -> None:
    """Draw the whole page, for who is signed in."""
    texts, user = page.texts, page.user
    if user is None:
        return
    st.title(texts("calendar.title"))
    acting.say(page)
    association_id = _whose(page, user)
    st.caption(texts("calendar.of_association" if association_id else "calendar.subtitle"))
    start, end = _span(page)
    st.markdown(f"**{_period(page, start, end)}**")
    if association_id:
        entries = agenda.of_association(page.store, association_id, Window(start, end))
    else:
        entries = agenda.of_person(page.store, user)
    shown = agenda.within(entries, start, end)
    if shown:
        st.html(_table(page, shown))
    else:
        st.info(texts("calendar.empty"), icon=":material/event_available:")
    _subscribe(page, user, association_id)
    if not association_id:
        _hours(page, user)


def _whose(page: Page, user: User) -> str:
    """The id of the association whose calendar is wanted, or nothing for one's own."""
    texts = page.texts
    wanted = st.query_params.get("association", "")
    association = page.store.associations.find(wanted) if 0 < len(wanted) <= 64 else None
    names = {"": texts("calendar.mine")}
    names |= {one.id: one.name for one in missions.teams(page.store, user)}
    if association is not None and not is_hidden(association):
        names[association.id] = association.name
        st.session_state.setdefault("calendar_whose", association.id)
    if len(names) == 1:
        return ""
    chosen = st.selectbox(
        texts("calendar.whose"),
        list(names),
        format_func=lambda one: names.get(one, one),
        key="calendar_whose",
        width=320,
    )
    address.write("association", chosen)
    return str(chosen)


def _span(page: Page) -> tuple[datetime, datetime]:
    """The days that are shown, from the first midnight to the last, in Paris."""
    texts = page.texts
    today = page.now.astimezone(CITY_ZONE).date()
    address.restore("span", _span_of)
    address.restore(_DAY, date.fromisoformat)
    with st.container(horizontal=True, vertical_alignment="bottom"):
        span = st.segmented_control(
            texts("calendar.span"),
            _SPANS,
            required=True,
            default=None if "span" in st.session_state else "month",
            format_func=lambda one: texts(f"calendar.{one}"),
            key="span",
        )
        first, following = _bounds(st.session_state.get(_DAY) or today, span or "month")
        for text, day in (
            ("calendar.previous", first - timedelta(days=1)),
            ("calendar.today", today),
            ("calendar.next", following),
        ):
            st.button(texts(text), key=text, on_click=_go, args=(day,))
    address.write("span", "" if span == "month" else str(span))
    shown = st.session_state.get(_DAY)
    address.write(_DAY, shown.isoformat() if isinstance(shown, date) and shown != today else "")
    return _midnight(first), _midnight(following)


def _span_of(word: str) -> str:
    if word not in _SPANS:
        raise ValueError(word)
    return word


def _bounds(day: date, span: str) -> tuple[date, date]:
    if span == "week":
        first = day - timedelta(days=day.weekday())
        return first, first + timedelta(days=7)
    first = day.replace(day=1)
    return first, (first + timedelta(days=32)).replace(day=1)


def _midnight(day: date) -> datetime:
    return datetime.combine(day, time.min, CITY_ZONE)


def _go(day: date) -> None:
    st.session_state[_DAY] = day


def _period(page: Page, start: datetime, end: datetime) -> str:
    if (end - start).days > 8:
        return str(format_date(start.date(), "LLLL y", locale=page.language)).capitalize()
    last = end.date() - timedelta(days=1)
    days = (format_date(day, "long", locale=page.language) for day in (start.date(), last))
    return " – ".join(days)


def _table(page: Page, entries: list[Entry]) -> str:
    """A table with headings, which a screen reader can walk through."""
    texts = page.texts
    style = "text-align:left;padding:.3rem .6rem"
    heads = "".join(
        f"<th scope='col' style='{style}'>{markup.text(texts(key))}</th>"
        for key in ("calendar.when", "calendar.what", "calendar.where", "calendar.state")
    )
    rows = "".join(_row(page, one) for one in entries)
    return (
        "<div style='overflow-x:auto'><table style='width:100%;border-collapse:collapse'>"
        f"<thead><tr>{heads}</tr></thead><tbody>{rows}</tbody></table></div>"
    )


def _row(page: Page, entry: Entry) -> str:
    texts, item = page.texts, entry.item
    script = "Missions?mission" if item.kind is Kind.MISSION else "Events?event"
    link = markup.own_link(f"/{script}={item.id}", item.title)
    state = texts("calendar.attending")
    if entry.cancelled:
        state = texts("events.cancelled")
    elif entry.state is not None:
        state = texts(f"application_state.{entry.state}")
    elif item.kind is Kind.MISSION and item.places_left is not None:
        state = texts.count("item.places_left", item.places_left)
    elif "association" in st.query_params:
        state = texts(f"kind.{item.kind}.one")
    where = item.location.place if item.location else texts("item.whole_city")
    cells = (
        markup.text(texts.full_moment(item.when)),
        f"{link}<br><span style='opacity:.75'>{markup.text(item.by)}</span>",
        markup.text(where),
        markup.text(state),
    )
    style = "padding:.35rem .6rem;border-top:1px solid rgba(128,128,128,.35);vertical-align:top"
    return "<tr>" + "".join(f"<td style='{style}'>{cell}</td>" for cell in cells) + "</tr>"


def _subscribe(page: Page, user: User, association_id: str) -> None:
    texts = page.texts
    with st.expander(texts("calendar.subscribe"), icon=":material/calendar_add_on:"):
        if association_id:
            words = urlencode({"id": association_id, "lang": page.language})
            path = f"{calendars.ASSOCIATION}?{words}"
            st.caption(texts("calendar.public"))
        else:
            path = calendars.address_of(current(), user, page.language)
            st.caption(texts("calendar.private"))
        st.code(f"{_site()}{path}", language=None, wrap_lines=True)
        if not association_id:
            st.button(
                texts("calendar.renew"), icon=":material/autorenew:", on_click=_renew, args=(page,)
            )


def _site() -> str:
    """Our own address, as the browser knows it."""
    public = current().public_url
    if public:
        return public
    url = st.context.url or ""
    return "/".join(url.split("/")[:3])


def _renew(page: Page) -> None:
    # As the page knew them: pressed twice, the address changes once.
    who = signed_in.user(page.store)
    as_drawn = page.user if who is not None and page.user and page.user.id == who.id else None
    acting.attempt(lambda: agenda.renew(page.store, as_drawn), "calendar.renewed")


def _hours(page: Page, user: User) -> None:
    texts = page.texts
    hours = agenda.hours_of(page.store, user)
    if not hours:
        st.caption(texts("calendar.no_hours"))
        return
    total = certificate.length(sum(one.minutes for one in hours))
    st.markdown(texts("calendar.hours", hours=total))
    st.download_button(
        texts("calendar.certificate"),
        lambda: certificate.pdf(texts, user, hours, acting.now()),
        file_name="cityverse-hours.pdf",
        mime="application/pdf",
        icon=":material/workspace_premium:",
        on_click="ignore",
    )
