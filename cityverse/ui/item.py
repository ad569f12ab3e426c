"""The dialog of one item: what it says, where it is, why it stands there, what one can do."""

from __future__ import annotations

from urllib.parse import urlencode

import streamlit as st
from babel.numbers import format_decimal

from cityverse.community.city import CityItem
from cityverse.domain.kinds import Kind
from cityverse.domain.places import Location, Precision
from cityverse.ui import (
    applying,
    attending,
    campaigns,
    markup,
    narrowing,
    outputs,
    placing,
    posted,
    reporting,
    talking,
    withdrawing,
)
from cityverse.ui.shell import Page

# Closer than this two items are at one place.
_SAME_PLACE = 30
# From which score on a place is so certain; below .5 an article has none.
CERTAINTY = (("high", 0.9), ("good", 0.7), ("fair", 0.0))
_WIDE = (Precision.QUARTIER, Precision.ARRONDISSEMENT)


def show(page: Page, item: CityItem, around: list[tuple[CityItem, int]]) -> None:
    """Open the dialog; ``around`` are missions and events nearby with metres."""
    title = page.texts(f"kind.{item.kind}.one")

    @st.dialog(title, width="medium", on_dismiss=close)
    def dialog() -> None:
        st.html(_body(page, item))
        if item.files or item.previews:
            st.html(posted.content(page, item))
        if item.location is not None:
            st.html(_whereabouts(page, item, item.location))
            _around(page, item, item.location)
        else:
            st.caption(page.texts("evidence.no_place" if item.corrected else "item.no_place"))
        if item.kind is Kind.NEWS:
            placing.draw(page, item)
            withdrawing.draw(page, item)
        if item.also:
            st.html(_also(page, item))
        posted.share(page, item)
        if around:
            _nearby(page, around)
        if item.kind is Kind.POST:
            talking.draw(page, item.id)
        elif item.kind is Kind.MISSION:
            applying.draw(page, item.id)
        elif item.kind is Kind.EVENT:
            attending.draw(page, item.id)
        elif item.kind is Kind.CAMPAIGN:
            campaigns.draw_in_dialog(page, item.id)
        elif item.kind is Kind.ASSOCIATION:
            talking.draw_follow(page, item.id)
        if item.kind is not Kind.NEWS:
            reporting.draw(page, item.key)

    dialog()


def close() -> None:
    """Forget which item is open."""
    st.session_state.pop("open_item", None)
    st.query_params.pop("item", None)
    talking.close()
    placing.close()
    reporting.close()


def _body(page: Page, item: CityItem) -> str:
    texts = page.texts
    demo = f" · <em>{markup.text(texts('item.demo'))}</em>" if item.demo else ""
    evidence = item.location.evidence if item.location else ()
    parts = [
        f"<h3 style='margin:0 0 .2rem'>{markup.marked(item.title, 'title', evidence)}</h3>",
        f"<p style='opacity:.8;margin:0 0 .8rem'>{markup.text(_by(page, item))} · "
        f"{markup.text(_time(page, item))}{demo}</p>",
    ]
    if item.labelled:
        parts.insert(0, f"<p class='labelled'>⚠ {markup.text(texts('moderation.labelled'))}</p>")
    about = _about(page, item)
    if about:
        parts.append(f"<p style='opacity:.8;margin:0 0 .6rem'>{about}</p>")
    if item.text and item.text != item.title:
        parts.append(f"<p>{markup.marked(item.text, 'summary', evidence)}</p>")
    if item.kind in outputs.DATED:
        address = f"{outputs.ICS}?{urlencode({'item': item.key, 'lang': page.language})}"
        parts.append(f"<p>{markup.own_link(address, texts('outputs.this'))}</p>")
    if item.link:
        label = texts("item.read_at", source=item.by)
        parts.append(f"<p>{markup.link(item.link, label + ' ↗')}</p>")
    return "".join(parts)


def _by(page: Page, item: CityItem) -> str:
    return page.texts("item.by_resident", name=item.by) if item.by_resident else item.by


def _time(page: Page, item: CityItem) -> str:
    texts = page.texts
    if item.kind is Kind.ASSOCIATION:
        return texts("item.since", date=texts.full_moment(item.when))
    if item.ends is not None:
        until = texts.full_moment(item.ends)
        return texts("item.from_to", start=texts.full_moment(item.when), end=until)
    return texts.full_moment(item.when)


def _whereabouts(page: Page, item: CityItem, location: Location) -> str:
    texts = page.texts
    where = markup.text(location.place)
    if location.arrondissement and location.precision is not Precision.ARRONDISSEMENT:
        where += (
            f" ({markup.text(texts('place.in', ordinal=texts.ordinal(location.arrondissement)))})"
        )
    lines = [
        f"<h4 style='margin:.4rem 0'>{markup.text(texts('item.why_here'))}</h4>",
        f"<p style='margin:0'><strong>{where}</strong> — "
        f"{markup.text(texts(f'precision.{location.precision}'))}</p>",
        f"<p style='margin:.3rem 0 0'>{_reason(page, item, location)}</p>",
    ]
    if location.precision in _WIDE:
        lines.append(f"<p style='opacity:.8'>{markup.text(texts('item.area_only'))}</p>")
    return "".join(lines)


def _around(page: Page, item: CityItem, location: Location) -> None:
    """The way to all that is close to an item."""
    if st.button(
        page.texts("near.here"),
        icon=":material/my_location:",
        key=f"around-{item.key}",
        type="tertiary",
        on_click=_look_around,
        args=(location,),
    ):
        st.switch_page("Home.py")


def _look_around(location: Location) -> None:
    close()
    narrowing.around_here(location)


def _about(page: Page, item: CityItem) -> str:
    """The topics of an article, and its language where it is another than the page's."""
    words = [page.texts(f"about.{topic}") for topic in item.topics]
    if item.language not in {None, page.language}:
        words.append(page.texts.language_name(item.language or ""))
    return " · ".join(markup.text(word) for word in words)


def _also(page: Page, item: CityItem) -> str:
    """The other articles of the same story."""
    rows = "".join(
        f"<li>{markup.text(other.by)} : {markup.link(other.link or '', other.title + ' ↗')}</li>"
        for other in item.also
    )
    heading = markup.text(page.texts("item.also_told"))
    return f"<h4 style='margin:.4rem 0'>{heading}</h4><ul style='margin:0'>{rows}</ul>"


def _reason(page: Page, item: CityItem, location: Location) -> str:
    texts = page.texts
    if item.kind is not Kind.NEWS:
        return markup.text(
            texts("evidence.stated_resident" if item.by_resident else "evidence.stated")
        )
    if item.corrected:
        return markup.text(texts("evidence.reader"))
    words = [e for e in location.evidence if e.field in {"title", "summary"}]
    if not words:
        return markup.text(texts("evidence.feed"))
    quoted = ", ".join(f"<mark>{markup.text(e.words)}</mark>" for e in words)
    certainty = markup.text(texts(f"certainty.{certainty_of(location.score)}"))
    return f"{markup.text(texts('evidence.words'))} {quoted}. {certainty}"


def certainty_of(score: float) -> str:
    """How sure a place is, in a word of the catalogue; ``score`` lies between 0 and 1."""
    return next(word for word, least in CERTAINTY if score >= least)


def _nearby(page: Page, around: list[tuple[CityItem, int]]) -> None:
    texts = page.texts
    with st.container(gap="xxsmall"):
        st.markdown(f"**{texts('item.nearby')}**")
        for other, metres in around:
            kind = texts(f"kind.{other.kind}.one")
            where = _distance(page, metres)
            label = f"{markup.label(other.title)} · {kind}, {where}"
            key = f"near-{other.key}"
            if st.button(label, key=key, type="tertiary", icon=":material/arrow_forward:"):
                st.session_state["open_item"] = other.key
                st.rerun()


def _distance(page: Page, metres: int) -> str:
    """To tens of metres at most, since an item's point is no survey mark."""
    if metres < _SAME_PLACE:
        return page.texts("distance.same_place")
    if metres < 1000:
        return page.texts("distance.metres", number=round(metres, -1))
    kilometres = format_decimal(round(metres / 1000, 1), locale=page.language)
    return page.texts("distance.kilometres", number=kilometres)
