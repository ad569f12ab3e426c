"""The page of donation campaigns: finding them, one of them in full, and one's own gifts."""

from __future__ import annotations

import streamlit as st

from cityverse.community import campaigns, city
from cityverse.community.campaigns import Detail, Search
from cityverse.community.city import CityItem
from cityverse.domain.giving import Campaign, CampaignStatus
from cityverse.domain.kinds import Kind
from cityverse.domain.media import MediaKind
from cityverse.errors import InvalidField
from cityverse.ui import (
    acting,
    address,
    campaign_form,
    campaign_team,
    files,
    giving,
    issuing,
    lists,
    markup,
    reporting,
)
from cityverse.ui.shell import Page
from cityverse.ui.tax_receipt import euros

_CURSOR = "campaigns_cursor"
_VIEWS = ("new", "mine", "receipts")


def draw(page: Page) -> None:
    """Draw the whole page: what the address names, else the list."""
    wanted, view = st.query_params.get("campaign"), st.query_params.get("view")
    if view in _VIEWS or wanted:
        st.button(
            page.texts("campaigns.back"),
            icon=":material/arrow_back:",
            type="tertiary",
            on_click=_leave,
        )
    if view == "new":
        campaign_form.draw_new(page)
    elif view == "mine":
        giving.draw_mine(page)
    elif view == "receipts":
        issuing.draw(page)
    elif wanted:
        _one(page, wanted)
    else:
        _list(page)


def _leave() -> None:
    st.query_params.clear()


def _show(view: str) -> None:
    st.query_params["view"] = view


# --- the list -------------------------------------------------------------------------------


def _list(page: Page) -> None:
    texts = page.texts
    st.title(texts("campaigns.title"))
    st.caption(texts("campaigns.subtitle"))
    acting.say(page)
    _ways(page)
    wanted = _filters(page)
    try:
        found = campaigns.find(page.store, wanted, page.now, cursor=st.session_state.get(_CURSOR))
    except InvalidField:
        st.info(texts("search.too_short"), icon=":material/search:")
        return
    if not found.items:
        st.info(
            texts("missions.look_on" if found.more else "campaigns.empty"),
            icon=":material/travel_explore:",
        )
        if wanted != Search():
            st.button(texts("list.widen"), icon=":material/zoom_out_map:", on_click=_widen)
    opened = lists.draw(
        page, [_item(page, one) for one in found.items], key="campaign_cards", excerpts=True
    )
    _paging(page, found.previous, found.next)
    if opened:
        st.query_params["campaign"] = opened.partition(":")[2]
        st.rerun()


def _ways(page: Page) -> None:
    """The ways to one's own gifts, to a new campaign, and to who may issue receipts."""
    if page.user is None:
        return
    ways = [("campaigns.mine", "mine", ":material/redeem:")]
    if campaigns.teams(page.store, page.user):
        ways.append(("campaign.new", "new", ":material/add:"))
    if issuing.concerns(page):
        ways.append(("issuer.open", "receipts", ":material/receipt_long:"))
    with st.container(horizontal=True):
        for text, view, icon in ways:
            st.button(page.texts(text), key=f"to-{view}", icon=icon, on_click=_show, args=(view,))


def _item(page: Page, campaign: Campaign) -> CityItem:
    return city.told_by(
        city.as_item(campaign), f"{campaign.association_name} · {progress(page, campaign)}"
    )


def progress(page: Page, campaign: Campaign) -> str:
    """How much of the goal came together, in words."""
    raised = euros(campaign.raised, page.language)
    return page.texts("campaign.progress", raised=raised, goal=euros(campaign.goal, page.language))


def _filters(page: Page) -> Search:
    texts = page.texts
    address.restore("c_q", lambda word: word[: address.SEARCH_LONGEST])
    address.restore("c_where", address.arrondissement_of)
    address.restore("c_tax", lambda word: word == "1")
    address.restore("c_all", lambda word: word == "1")
    bar = st.container(horizontal=True, vertical_alignment="bottom", key="campaign_filters")
    text = bar.text_input(
        texts("campaigns.search"),
        key="c_q",
        type="search",
        placeholder=texts("search.words"),
        max_chars=address.SEARCH_LONGEST,
        on_change=_to_first_page,
        width=260,
    )
    where = bar.selectbox(
        texts("filter.arrondissement"),
        range(21),
        format_func=lambda n: texts.ordinal(n) if n else texts("filter.whole_city"),
        key="c_where",
        on_change=_to_first_page,
        width=150,
    )
    deductible = bar.toggle(texts("campaigns.tax"), key="c_tax", on_change=_to_first_page)
    closed = bar.toggle(texts("campaigns.closed_too"), key="c_all", on_change=_to_first_page)
    address.write("c_q", text or "")
    address.write("c_where", str(where or ""))
    address.write("c_tax", "1" if deductible else "")
    address.write("c_all", "1" if closed else "")
    return Search((text or "").strip(), where or None, not closed, deductible)


def _widen() -> None:
    for name in ("c_q", "c_where", "c_tax"):
        st.session_state.pop(name, None)
        st.query_params.pop(name, None)
    st.session_state["c_all"] = True
    _to_first_page()


def _paging(page: Page, previous: str | None, following: str | None) -> None:
    if previous is None and following is None:
        return
    with st.container(horizontal=True):
        for text, cursor in (("missions.previous", previous), ("missions.next", following)):
            st.button(
                page.texts(text), key=text, disabled=cursor is None, on_click=_go, args=(cursor,)
            )


def _go(cursor: str | None) -> None:
    st.session_state[_CURSOR] = cursor


def _to_first_page() -> None:
    _go(None)


# --- one campaign ---------------------------------------------------------------------------


def _one(page: Page, campaign_id: str) -> None:
    found = campaigns.about(page.store, page.user, campaign_id) if len(campaign_id) <= 64 else None
    if found is None:
        st.info(page.texts("item.gone"), icon=":material/search_off:")
        return
    st.title(markup.label(found.campaign.title))
    st.html(_headline(page, found))
    acting.say(page)
    facts(page, found.campaign)
    campaign = found.campaign
    if campaign.media:
        st.html(files.gallery(page.texts, [(one, MediaKind.IMAGE) for one in campaign.media]))
    if campaign.status is not CampaignStatus.DRAFT:
        giving.draw(page, found)
        giving.draw_donors(page, campaign)
        reporting.draw(page, f"{Kind.CAMPAIGN}:{campaign.id}")
    if found.team:
        campaign_team.draw(page, found)


def draw_in_dialog(page: Page, campaign_id: str) -> None:
    """Draw where a campaign stands, and the way to give."""
    found = campaigns.about(page.store, page.user, campaign_id)
    if found is None:
        return
    facts(page, found.campaign)
    if st.button(page.texts("gift.title"), icon=":material/favorite:", type="primary"):
        st.switch_page("pages/Campaigns.py", query_params={"campaign": campaign_id})


def _headline(page: Page, found: Detail) -> str:
    texts, campaign = page.texts, found.campaign
    where = texts("item.whole_city")
    if campaign.location is not None:
        where = campaign.location.place
        if campaign.location.arrondissement:
            where += f" · {texts.ordinal(campaign.location.arrondissement)}"
    checked = texts("association.verified" if found.verified else "association.unverified")
    by = [campaign.association_name, checked, *([texts("item.demo")] if campaign.demo else [])]
    return (
        f"<p style='margin:0'><strong>{markup.text(' · '.join(by))}</strong><br>"
        f"{markup.text(where)}</p><p>{markup.text(campaign.description)}</p>"
    )


def facts(page: Page, campaign: Campaign) -> None:
    """Draw goal, progress, dates and what is deducted from taxes."""
    texts = page.texts
    share = min(1.0, campaign.raised / campaign.goal)
    st.progress(share, text=markup.label(progress(page, campaign)))
    parts = [texts(f"campaign_status.{status_of(page, campaign)}")]
    parts.append(texts.count("campaign.gifts", campaign.gifts))
    if campaign.ends is not None:
        parts.append(texts("campaign.until", date=texts.full_moment(campaign.ends)))
    if campaign.tax_reduction:
        parts.append(texts("campaign.reduction", percent=campaign.tax_reduction))
    elif campaign.tax_eligible:
        parts.append(texts("campaign.deductible"))
    st.markdown(" · ".join(markup.label(part) for part in parts))


def status_of(page: Page, campaign: Campaign) -> str:
    """Its status in a word of the catalogue; one that is over is closed."""
    over = campaign.status is CampaignStatus.OPEN and not campaign.takes_contributions(page.now)
    return "closed" if over else str(campaign.status)
