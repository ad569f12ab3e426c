"""Privacy, legal notice, terms and accessibility: templates that an operator fills in."""

from __future__ import annotations

import logging
from pathlib import Path
from string import Template

import streamlit as st

from cityverse.settings import Settings, current
from cityverse.ui import markup, server
from cityverse.ui.personal import EXPORT
from cityverse.ui.shell import PROFILE, SIGN_IN, Page

log = logging.getLogger(__name__)

_FOLDER = Path(__file__).parent / "legal"
_LONGEST = 200_000


def draw_privacy(page: Page) -> None:
    """Draw how personal data are used, and, for who is signed in, the way to a copy of theirs."""
    texts = page.texts
    st.title(texts("legal.privacy"))
    _unfilled(page)
    _part(page, "privacy")
    st.subheader(texts("legal.mine"))
    if page.user is None:
        if server.started():
            st.caption(texts("legal.mine_signed_out"))
            st.page_link(SIGN_IN.script, label=texts(SIGN_IN.title), icon=SIGN_IN.icon)
        return
    st.caption(texts("legal.mine_intro"))
    st.html(markup.own_link(EXPORT, texts("legal.export")))
    st.page_link(PROFILE.script, label=texts("legal.account"), icon=PROFILE.icon)


def draw_notice(page: Page) -> None:
    """Draw who publishes this, the terms, and how accessible it is."""
    st.title(page.texts("legal.notice"))
    _unfilled(page)
    for name in ("notice", "accessibility"):
        _part(page, name)


def _unfilled(page: Page) -> None:
    if not current().operator:
        st.warning(page.texts("legal.unfilled"), icon=":material/edit_document:")


def _part(page: Page, name: str) -> None:
    with st.container(key=f"legal_{name}", width=860):
        st.markdown(_filled(name, page))


def _filled(name: str, page: Page) -> str:
    """A text with the facts of this installation; what is missing in it stays visible."""
    settings, missing = current(), page.texts("legal.missing")
    facts = {
        "operator": settings.operator,
        "address": settings.operator_address,
        "email": settings.operator_email,
        "director": settings.operator_director or settings.operator,
        "host": settings.operator_host,
    }
    shown = {key: markup.label(fact) or missing for key, fact in facts.items()}
    days = {
        "session_days": str(settings.session_days),
        "retention_days": str(settings.news_retention_days),
    }
    return Template(template(settings, name, page.language)).safe_substitute(shown | days)


def template(settings: Settings, name: str, language: str) -> str:
    """The operator's own text of this name and language, else the one that comes along."""
    own = settings.legal_dir and settings.legal_dir / f"{name}.{language}.md"
    if own is not None:
        try:
            with own.open(encoding="utf-8", errors="replace") as file:
                return file.read(_LONGEST)
        except FileNotFoundError:
            pass
        except OSError as error:
            log.warning("the legal text %s cannot be read: %s", own, error)
    return (_FOLDER / f"{name}.{language}.md").read_text(encoding="utf-8")
