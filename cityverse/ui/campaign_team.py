"""What the team of a campaign does: answering gifts, editing, opening and closing."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date, datetime, time

import streamlit as st

from cityverse.community import campaigns
from cityverse.community.campaigns import Detail
from cityverse.community.city import CITY_ZONE
from cityverse.data.store import Store
from cityverse.domain.giving import (
    Campaign,
    CampaignStatus,
    Contribution,
    ContributionState,
    PaymentMethod,
)
from cityverse.ui import acting, campaign_form, markup, signed_in
from cityverse.ui.shell import Page
from cityverse.ui.tax_receipt import euros

_CURSOR, _ASKED = "donors_cursor", "gift_refunding"
SECTIONS = ("gifts", "edit", "status")
_S = ContributionState


def draw(page: Page, found: Detail) -> None:
    """Draw the part of a campaign that is for its team."""
    texts, campaign = page.texts, found.campaign
    st.divider()
    section = st.segmented_control(
        texts("campaign.team"),
        SECTIONS,
        required=True,
        default="edit" if campaign.status is CampaignStatus.DRAFT else "gifts",
        format_func=lambda one: texts(f"campaign_team.{one}"),
        key=f"team-{campaign.id}",
    )
    if section == "edit":
        association = page.store.associations.get(campaign.association_id)
        campaign_form.draw_edit(page, campaign, association)
    elif section == "status":
        _status(page, campaign)
    else:
        _gifts(page, campaign)


def _status(page: Page, campaign: Campaign) -> None:
    texts = page.texts
    if campaign.status is CampaignStatus.DRAFT:
        st.button(
            texts("campaign.discard"),
            icon=":material/delete:",
            key=f"discard-{campaign.id}",
            on_click=_discard,
            args=(page.store, campaign.id),
        )
        return
    opened = campaign.status is CampaignStatus.OPEN
    st.caption(texts("campaign.close_help"))
    st.button(
        texts("campaign.close" if opened else "campaign.reopen"),
        icon=":material/lock:" if opened else ":material/lock_open:",
        key=f"open-{campaign.id}",
        on_click=_set_open,
        args=(page.store, campaign.id, not opened),
    )


def _discard(store: Store, campaign_id: str) -> None:
    if acting.attempt(
        lambda: campaigns.discard(store, signed_in.user(store), campaign_id), "campaign.discarded"
    ):
        st.query_params.clear()


def _set_open(store: Store, campaign_id: str, opened: bool) -> None:
    _do(
        lambda: campaigns.set_open(
            store, signed_in.user(store), campaign_id, acting.now(), opened=opened
        )
    )


def _gifts(page: Page, campaign: Campaign) -> None:
    texts = page.texts
    found = campaigns.donors(
        page.store, page.user, campaign.id, cursor=st.session_state.get(_CURSOR)
    )
    if not found.items:
        st.info(texts("campaign.no_gifts"), icon=":material/redeem:")
        return
    st.caption(texts("campaign.gifts_help"))
    received, method = st.columns(2)
    received.date_input(
        texts("campaign.received"), page.now.astimezone(CITY_ZONE).date(), format="DD/MM/YYYY",
        max_value=page.now.astimezone(CITY_ZONE).date(), key="gift-received",
    )  # fmt: skip
    method.selectbox(
        texts("campaign.method"),
        list(PaymentMethod),
        format_func=lambda one: texts(f"payment.{one}"),
        key="gift-method",
    )
    for one in found.items:
        _gift(page, one)
    with st.container(horizontal=True):
        if found.previous or found.next:
            for text, cursor in (
                ("missions.previous", found.previous),
                ("missions.next", found.next),
            ):
                st.button(
                    texts(text), key=text, disabled=cursor is None, on_click=_go, args=(cursor,)
                )
        st.download_button(
            texts("campaign.csv"),
            lambda: campaigns.donors_csv(
                page.store, signed_in.user(page.store), campaign.id, texts
            ),
            file_name="cityverse-donors.csv",
            mime="text/csv",
            icon=":material/download:",
            on_click="ignore",
        )


def _go(cursor: str | None) -> None:
    st.session_state[_CURSOR] = cursor


def _gift(page: Page, one: Contribution) -> None:
    texts = page.texts
    name = f"{one.first_name} {one.surname}".strip() or texts("gift.anonymously")
    if one.anonymous and one.surname:
        name += f" · {texts('gift.hidden')}"
    state = texts("gift.cancels") if one.corrects else texts(f"gift_state.{one.state}")
    lines = [part for part in (one.address, one.message) if part]
    with st.container(border=True, horizontal=True, vertical_alignment="center"):
        st.html(
            f"<div><strong>{markup.text(euros(one.cents, page.language))}</strong> · "
            f"{markup.text(name)} · {markup.text(state)}</div>"
            f"<div>{markup.text(' · '.join(lines))}</div>"
            f"<div style='opacity:.75'>{markup.text(texts.moment(one.created, page.now))}</div>"
        )
        if one.state is _S.PLEDGED:
            _button(page, "confirm", one, lambda: _confirm(page.store, one.id))
            _button(page, "refuse", one, lambda: _refuse(page.store, one.id))
        elif one.state is _S.CONFIRMED and one.corrects is None:
            asked = st.session_state.get(_ASKED) == one.id
            act = (lambda: _refund(page.store, one.id)) if asked else (lambda: _ask(one.id))
            _button(page, "refund_yes" if asked else "refund", one, act)


ACTS = ("confirm", "refuse", "refund", "refund_yes")


def _button(page: Page, act: str, one: Contribution, do: Callable[[], None]) -> None:
    st.button(page.texts(f"gift_do.{act}"), key=f"{act}-{one.id}", on_click=do)


def _ask(contribution: str) -> None:
    st.session_state[_ASKED] = contribution


def _confirm(store: Store, contribution: str) -> None:
    day, now = st.session_state.get("gift-received"), acting.now()
    noon = datetime.combine(day, time(12), CITY_ZONE) if isinstance(day, date) else now
    method = st.session_state.get("gift-method") or PaymentMethod.TRANSFER
    _do(
        lambda: campaigns.confirm(
            store, signed_in.user(store), contribution, min(noon, now), method, now
        )
    )


def _refuse(store: Store, contribution: str) -> None:
    _do(lambda: campaigns.refuse(store, signed_in.user(store), contribution, acting.now()))


def _refund(store: Store, contribution: str) -> None:
    st.session_state.pop(_ASKED, None)
    _do(lambda: campaigns.refund(store, signed_in.user(store), contribution, acting.now()))


def _do(act: Callable[[], object]) -> None:
    acting.attempt(act, "campaign.saved")
