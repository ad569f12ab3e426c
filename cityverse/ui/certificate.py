"""The certificate of volunteering hours, as a PDF."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from datetime import datetime

from babel.dates import format_date

from cityverse.community.agenda import Hours
from cityverse.community.city import CITY_ZONE
from cityverse.domain.people import User
from cityverse.ui.texts import Texts

_FONT = "OpenSans"
_WIDTHS = (48, 82, 34, 22)


def pdf(texts: Texts, who: User, hours: Sequence[Hours], now: datetime) -> bytes:
    """What the associations confirmed of a person, one row a mission."""
    from fpdf import FPDF
    from ttf_opensans import opensans

    document = FPDF(format="A4")
    document.set_creation_date(now)
    document.set_title(texts("certificate.title"))
    document.set_lang(texts.language)
    for style, weight in (("", 400), ("B", 700)):
        document.add_font(_FONT, style, opensans(weight).path)
    document.set_margin(12)
    document.add_page()
    document.set_font(_FONT, "B", 18)
    document.multi_cell(0, 10, texts("certificate.title"), new_x="LMARGIN", new_y="NEXT")
    document.set_font(_FONT, "", 11)
    name = f"{who.first_name} {who.last_name}".strip()
    total = sum(one.minutes for one in hours)
    for line in (
        texts("certificate.person", name=name),
        texts("certificate.made", date=_day(texts, now)),
    ):
        document.multi_cell(0, 7, line, new_x="LMARGIN", new_y="NEXT")
    document.ln(4)
    document.set_font(_FONT, "", 9)
    with document.table(col_widths=_WIDTHS, text_align=("LEFT", "LEFT", "LEFT", "RIGHT")) as table:
        table.row(
            [texts(f"certificate.{name}") for name in ("association", "mission", "day", "hours")]
        )
        for one in hours:
            table.row(
                [
                    one.mission.association_name,
                    one.mission.title,
                    _day(texts, one.mission.starts),
                    length(one.minutes),
                ]
            )
    document.ln(4)
    document.set_font(_FONT, "B", 11)
    document.multi_cell(
        0, 7, texts("certificate.total", hours=length(total)), new_x="LMARGIN", new_y="NEXT"
    )
    document.set_font(_FONT, "", 8)
    document.multi_cell(0, 5, texts("certificate.reference", reference=_reference(who, hours)))
    return bytes(document.output())


def length(minutes: int) -> str:
    """A length of time as hours and minutes."""
    whole, rest = divmod(minutes, 60)
    return f"{whole} h {rest:02}" if rest else f"{whole} h"


def _day(texts: Texts, when: datetime) -> str:
    return format_date(when.astimezone(CITY_ZONE).date(), "long", locale=texts.language)


def _reference(who: User, hours: Sequence[Hours]) -> str:
    """The same for the same facts, so that two copies can be compared."""
    facts = [who.id, *(f"{one.application.id}:{one.minutes}" for one in hours)]
    return hashlib.sha256("\n".join(facts).encode()).hexdigest()[:12].upper()
