"""Giving to a campaign, one's own gifts, and the receipts one can have for them."""

from __future__ import annotations

import streamlit as st
from ulid import ULID

from cityverse.community import campaigns, receipts
from cityverse.community.campaigns import Detail, GiftForm
from cityverse.community.receipts import Year
from cityverse.data.store import Store
from cityverse.domain.giving import Campaign, Contribution, ContributionState, parse_cents
from cityverse.domain.people import User
from cityverse.domain.tax_receipts import TaxReceipt
from cityverse.ui import acting, markup, signed_in, tax_receipt
from cityverse.ui.shell import SIGN_IN, Page
from cityverse.ui.tax_receipt import euros

_CURSOR = "gifts_cursor"
_UNDOING = "gift_undoing"


def draw(page: Page, found: Detail) -> None:
    """Draw the way to give; for those who are not signed in, the way there."""
    texts, campaign = page.texts, found.campaign
    if not campaign.takes_contributions(acting.now()):
        st.info(texts("campaign.takes_nothing"), icon=":material/lock:")
        return
    who = signed_in.user(page.store)
    if who is None:
        st.page_link(SIGN_IN.script, label=texts("gift.sign_in"), icon=SIGN_IN.icon)
    else:
        _form(page, campaign, who)
    if campaign.link:
        st.html(f"<p>{markup.link(campaign.link, texts('gift.link') + ' ↗')}</p>")


def _form(page: Page, campaign: Campaign, who: User) -> None:
    texts = page.texts
    # One request until it was carried out. All fields and the button bear it: what a second
    # click sends is the same gift, or from a form that is gone.
    request = st.session_state.setdefault(_request_key(campaign), str(ULID()))
    st.subheader(texts("gift.title"))
    st.caption(texts("gift.intro"))
    wants = campaign.tax_eligible and st.checkbox(
        texts("gift.wants_receipt"), key=_key(request, "receipt"), help=texts("gift.receipt_help")
    )
    with st.form(f"give-{request}"):
        st.text_input(
            texts("gift.amount"), placeholder="12,50 €", max_chars=40, key=_key(request, "amount")
        )
        if wants:
            first, last = st.columns(2)
            first.text_input(
                texts("account.first_name"),
                who.first_name,
                max_chars=80,
                key=_key(request, "first"),
            )
            last.text_input(
                texts("account.last_name"), who.last_name, max_chars=80, key=_key(request, "last")
            )
            st.text_input(texts("gift.address"), max_chars=300, key=_key(request, "address"))
        st.text_input(texts("gift.message"), max_chars=300, key=_key(request, "message"))
        st.checkbox(
            texts("gift.anonymous"),
            key=_key(request, "anonymous"),
            help=texts("gift.anonymous_help"),
        )
        st.form_submit_button(
            texts("gift.promise"),
            icon=":material/favorite:",
            type="primary",
            on_click=_give,
            args=(page.store, campaign, wants, request),
        )


def _request_key(campaign: Campaign) -> str:
    return f"give-request-{campaign.id}"


def _key(request: str, name: str) -> str:
    return f"give-{name}-{request}"


def _give(store: Store, campaign: Campaign, wants: bool, request: str) -> None:
    def typed(name: str) -> str:
        return str(st.session_state.get(_key(request, name)) or "")

    def act() -> None:
        form = GiftForm(
            request,
            parse_cents(typed("amount")),
            bool(st.session_state.get(_key(request, "anonymous"))),
            typed("message"),
            wants,
            typed("first"),
            typed("last"),
            typed("address"),
        )
        campaigns.give(store, signed_in.user(store), campaign.id, form, acting.now())

    if acting.attempt(act, "gift.promised"):
        st.session_state.pop(_request_key(campaign), None)


def draw_donors(page: Page, campaign: Campaign) -> None:
    """Draw who gave, as everybody may see it."""
    found = campaigns.public_donors(page.store, campaign.id)
    if not found:
        return
    texts = page.texts
    rows = "".join(
        f"<li>{markup.text(one.name or texts('gift.anonymously'))} · "
        f"<strong>{markup.text(euros(one.cents, page.language))}</strong>"
        f"{' · ' + markup.text(one.message) if one.message else ''}</li>"
        for one in found
    )
    st.html(f"<h4 style='margin:0'>{markup.text(texts('gift.latest'))}</h4><ul>{rows}</ul>")


# --- one's own ------------------------------------------------------------------------------


def draw_mine(page: Page) -> None:
    """Draw the gifts of who is signed in, and their receipts."""
    texts = page.texts
    st.title(texts("gift.mine"))
    acting.say(page)
    if page.user is None:
        st.page_link(SIGN_IN.script, label=texts("gift.sign_in"), icon=SIGN_IN.icon)
        return
    for year in receipts.years(page.store, page.user):
        _year(page, year, page.user)
    found = campaigns.mine(page.store, page.user, st.session_state.get(_CURSOR))
    if not found.items:
        st.info(texts("gift.none"), icon=":material/redeem:")
    for one in found.items:
        _gift(page, one)
    if found.previous or found.next:
        with st.container(horizontal=True):
            for text, cursor in (
                ("missions.previous", found.previous),
                ("missions.next", found.next),
            ):
                st.button(
                    texts(text), key=text, disabled=cursor is None, on_click=_go, args=(cursor,)
                )


def _go(cursor: str | None) -> None:
    st.session_state[_CURSOR] = cursor


def _gift(page: Page, one: Contribution) -> None:
    texts = page.texts
    state = texts("gift.cancels") if one.corrects else texts(f"gift_state.{one.state}")
    with st.container(border=True, horizontal=True, vertical_alignment="center"):
        st.html(
            f"<div><strong>{markup.text(euros(one.cents, page.language))}</strong> · "
            f"{markup.text(state)}</div>"
            f"<div>{markup.text(one.campaign_title)} · {markup.text(one.association_name)}</div>"
            f"<div style='opacity:.75'>{markup.text(texts.full_moment(one.created))}</div>"
        )
        if one.state is ContributionState.PLEDGED:
            asked = st.session_state.get(_UNDOING) == one.id
            st.button(
                texts("gift.undo_yes" if asked else "gift.undo"),
                key=f"undo-{one.id}",
                icon=":material/undo:",
                on_click=_take_back if asked else _ask,
                args=(page.store, one.id) if asked else (one.id,),
            )


def _ask(contribution: str) -> None:
    st.session_state[_UNDOING] = contribution


def _take_back(store: Store, contribution: str) -> None:
    st.session_state.pop(_UNDOING, None)
    acting.attempt(
        lambda: campaigns.take_back(store, signed_in.user(store), contribution), "gift.undone"
    )


def _year(page: Page, year: Year, who: User) -> None:
    """The receipts of a year, and the form of the next one."""
    texts = page.texts
    with st.container(border=True):
        name = markup.label(year.association_name)
        st.markdown(f"**{texts('receipt.year', year=year.year, name=name)}**")
        for one in year.receipts:
            _receipt(page, one)
        if not year.open:
            return
        latest = next((g for g in year.open if g.address), None)
        known = f"{latest.first_name} {latest.surname}" if latest else ""
        key = f"receipt-{year.association_id}-{year.year}"
        with st.form(key, border=False):
            amount = euros(year.cents, page.language)
            st.markdown(markup.label(texts("receipt.open", amount=amount)))
            st.text_input(
                texts("receipt.name"),
                known.strip() or f"{who.first_name} {who.last_name}".strip(),
                max_chars=200,
                key=f"{key}-name",
            )
            st.text_input(
                texts("gift.address"),
                latest.address if latest else "",
                max_chars=300,
                key=f"{key}-address",
            )
            st.form_submit_button(
                texts("receipt.issue"),
                icon=":material/receipt_long:",
                on_click=_issue,
                args=(page.store, year, key),
            )


def _receipt(page: Page, one: TaxReceipt) -> None:
    texts = page.texts
    words = texts("receipt.number", number=one.number, amount=euros(one.cents, page.language))
    if one.voided is not None:
        words += f" · {texts('receipt.void')}"
    st.download_button(
        markup.label(words),
        lambda: tax_receipt.pdf(one),
        file_name=f"recu-fiscal-{one.number}.pdf",
        mime="application/pdf",
        icon=":material/picture_as_pdf:",
        key=f"pdf-{one.association_id}-{one.number}",
        on_click="ignore",
    )


def _issue(store: Store, year: Year, key: str) -> None:
    name = str(st.session_state.get(f"{key}-name") or "")
    where = str(st.session_state.get(f"{key}-address") or "")
    acting.attempt(
        lambda: receipts.issue(
            store,
            signed_in.user(store),
            year.association_id,
            year.year,
            name,
            where,
            acting.now(),
        ),
        "receipt.issued",
    )
