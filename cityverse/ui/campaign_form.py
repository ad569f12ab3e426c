"""The form by which a team writes a campaign, or edits one."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, datetime, time

import streamlit as st
from ulid import ULID

from cityverse.community import campaigns
from cityverse.community.campaigns import CampaignForm
from cityverse.community.city import CITY_ZONE
from cityverse.domain.community import MEDIA_MOST, TEXT_LONGEST, Association
from cityverse.domain.giving import Campaign, CampaignStatus, parse_cents
from cityverse.domain.people import User
from cityverse.errors import InvalidField, NotSignedIn
from cityverse.ui import acting, files, signed_in, wheres
from cityverse.ui.shell import Page

_NEW = "campaign_new_id"


def draw_new(page: Page) -> None:
    """Draw the form of a new campaign."""
    texts = page.texts
    st.title(texts("campaign.new"))
    acting.say(page)
    teams = campaigns.teams(page.store, page.user)
    if not teams:
        st.info(texts("campaign.no_team"), icon=":material/groups:")
        return
    association = st.selectbox(
        texts("mission.association"), teams, format_func=lambda one: one.name, key="campaign_of"
    )
    if not association.verified:
        st.warning(texts("campaign.unverified"), icon=":material/gpp_maybe:")
    _fields(page, st.session_state.setdefault(_NEW, str(ULID())), association, None)
    for draft in campaigns.drafts(page.store, page.user, association.id):
        st.button(
            texts("campaign.go_on", title=draft.title),
            key=f"draft-{draft.id}",
            type="tertiary",
            icon=":material/edit_note:",
            on_click=_open,
            args=(draft.id,),
        )


def draw_edit(page: Page, campaign: Campaign, association: Association) -> None:
    """Draw the form of a campaign that is there."""
    _fields(page, campaign.id, association, campaign)


def _fields(page: Page, form_id: str, association: Association, old: Campaign | None) -> None:
    texts = page.texts
    key = f"campaign-{form_id}-{old.version if old else 0}"
    title = st.text_input(
        texts("campaign.name"), old.title if old else "", max_chars=200, key=f"{key}-title"
    )
    description = st.text_area(
        texts("campaign.purpose"),
        old.description if old else "",
        max_chars=TEXT_LONGEST,
        key=f"{key}-description",
        height=140,
    )
    left, right = st.columns(2)
    goal = left.text_input(
        texts("campaign.goal"),
        f"{old.goal // 100},{old.goal % 100:02}" if old else "",
        placeholder="2 500 €",
        max_chars=40,
        key=f"{key}-goal",
    )
    ends = right.date_input(
        texts("campaign.ends"),
        old.ends.astimezone(CITY_ZONE).date() if old and old.ends else None,
        format="DD/MM/YYYY",
        key=f"{key}-ends",
    )
    link = st.text_input(
        texts("campaign.link"), (old.link or "") if old else "", max_chars=2048, key=f"{key}-link"
    )
    location = wheres.choose(page, f"{key}-where", old.location if old else association.location)
    eligible, reduction = _taxes(page, key, association, old)
    st.file_uploader(
        texts("campaign.pictures"),
        type=files.PICTURES,
        accept_multiple_files=True,
        key=f"{key}-pictures",
    )
    form = CampaignForm(
        id=form_id,
        association_id=association.id,
        title=title or "",
        description=description or "",
        goal=0,
        ends=datetime.combine(ends, time(23, 59), CITY_ZONE) if isinstance(ends, date) else None,
        link=link,
        tax_eligible=eligible,
        tax_reduction=reduction,
        location=location,
        media=old.media if old else (),
        version=old.version if old else 0,
    )
    _buttons(page, key, form, goal or "", opened=old is not None and not _is_draft(old))


def _is_draft(campaign: Campaign) -> bool:
    return campaign.status is CampaignStatus.DRAFT


def _taxes(
    page: Page, key: str, association: Association, old: Campaign | None
) -> tuple[bool, int]:
    texts = page.texts
    if not campaigns.is_eligible(page.store, association):
        st.caption(texts("campaign.not_eligible"))
        return False, 0
    eligible = st.checkbox(
        texts("campaign.eligible"), old.tax_eligible if old else True, key=f"{key}-eligible"
    )
    if not eligible:
        return False, 0
    before = old.tax_reduction if old and old.tax_reduction else 66
    rates = sorted({66, 75, before})
    return True, int(
        st.selectbox(
            texts("campaign.rate"),
            rates,
            index=rates.index(before),
            format_func=lambda rate: f"{rate} %",
            key=f"{key}-rate",
        )
    )


def _buttons(page: Page, key: str, form: CampaignForm, goal: str, *, opened: bool) -> None:
    ways = [("campaign.save" if opened else "campaign.open", False)]
    ways += [] if opened else [("campaign.keep_draft", True)]
    with st.container(horizontal=True):
        for text, draft in ways:
            # Read in this run and not by a callback, which would know the fields as they
            # were before what was typed last.
            if st.button(
                page.texts(text),
                key=f"{key}-{'draft' if draft else 'open'}",
                type="secondary" if draft else "primary",
            ):
                _save(page, key, replace(form, draft=draft), goal)
                st.rerun()


def _save(page: Page, key: str, form: CampaignForm, goal: str) -> None:
    def act() -> None:
        who = signed_in.user(page.store)
        wanted = replace(form, goal=_goal(goal))
        added = _added(who, st.session_state.get(f"{key}-pictures") or [], len(form.media))
        saved = campaigns.save(
            page.store, who, replace(wanted, media=(*form.media, *added)), acting.now()
        )
        st.session_state.pop(_NEW, None)
        st.query_params.clear()
        st.query_params["campaign"] = saved.id

    done = "campaign.kept" if form.draft else "campaign.saved"
    acting.attempt(act, done if form.draft or form.version else "campaign.opened")


def _goal(text: str) -> int:
    try:
        return parse_cents(text)
    except InvalidField as error:
        raise InvalidField("goal", error.rule) from error


def _added(who: User | None, chosen: list[object], there: int) -> list[str]:
    """Store the pictures that were chosen; answers with their ids."""
    if who is None:
        raise NotSignedIn("pictures are stored for who is signed in")
    if there + len(chosen) > MEDIA_MOST:
        raise InvalidField("media", f"at most {MEDIA_MOST} files are allowed")
    return [files.add(who.id, one.name, one.getvalue()) for one in chosen]  # type: ignore[attr-defined]


def _open(campaign_id: str) -> None:
    st.query_params.clear()
    st.query_params["campaign"] = campaign_id
