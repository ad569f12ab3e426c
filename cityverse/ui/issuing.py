"""Who may issue receipts for the tax office: an association asks, a manager decides."""

from __future__ import annotations

import streamlit as st

from cityverse.community import campaigns, receipts
from cityverse.domain import policy
from cityverse.domain.community import Association
from cityverse.domain.policy import Action
from cityverse.domain.tax_receipts import Issuer
from cityverse.ui import acting, markup, signed_in
from cityverse.ui.shell import Page


def concerns(page: Page) -> bool:
    """Whether who is signed in asks for an association, or decides."""
    return policy.may(page.user, Action.VERIFY_ASSOCIATION) or any(
        one.verified for one in campaigns.teams(page.store, page.user)
    )


def draw(page: Page) -> None:
    """Draw what is to be decided, and the form of each association one runs."""
    texts = page.texts
    st.title(texts("issuer.title"))
    st.caption(texts("issuer.intro"))
    acting.say(page)
    if policy.may(page.user, Action.VERIFY_ASSOCIATION):
        waiting = receipts.asked(page.store, page.user)
        st.subheader(texts("issuer.queue"))
        if not waiting:
            st.info(texts("issuer.none"), icon=":material/done_all:")
        for issuer in waiting:
            _decide(page, issuer)
    for association in campaigns.teams(page.store, page.user):
        if association.verified:
            _form(page, association)


def _decide(page: Page, issuer: Issuer) -> None:
    texts, key = page.texts, f"decide-{issuer.association_id}-{issuer.version}"
    with st.container(border=True):
        facts = (
            issuer.name,
            issuer.address,
            " · ".join(one for one in (issuer.rna, issuer.siren) if one),
            issuer.purpose,
            issuer.signatory,
        )
        st.html("<br>".join(markup.text(one) for one in facts if one))
        st.text_input(texts("issuer.reason"), max_chars=500, key=f"{key}-reason")
        with st.container(horizontal=True):
            for text, granted in (("issuer.grant", True), ("issuer.decline", False)):
                st.button(
                    texts(text), key=f"{key}-{granted}", on_click=_decided,
                    args=(page, issuer, granted, f"{key}-reason"),
                )  # fmt: skip


def _decided(page: Page, issuer: Issuer, granted: bool, key: str) -> None:
    reason = str(st.session_state.get(key) or "")
    acting.attempt(
        lambda: receipts.decide(
            page.store,
            signed_in.user(page.store),
            issuer.association_id,
            issuer.version,
            acting.now(),
            granted=granted,
            reason=reason,
        ),
        "issuer.decided",
    )


def _form(page: Page, association: Association) -> None:
    texts = page.texts
    old = page.store.tax_receipts.issuer(association.id)
    key = f"issuer-{association.id}-{old.version if old else 0}"
    with st.form(key):
        st.markdown(f"**{markup.label(association.name)}**")
        if old is not None:
            said = texts(f"eligibility.{old.eligibility}")
            st.markdown(markup.label(f"{said} {old.reason}".strip()))
        name = st.text_input(
            texts("issuer.name"), old.name if old else association.name, max_chars=120
        )
        address = st.text_input(texts("issuer.address"), old.address if old else "", max_chars=300)
        siren = st.text_input(texts("issuer.siren"), (old.siren or "") if old else "", max_chars=20)
        purpose = st.text_area(texts("issuer.purpose"), old.purpose if old else "", max_chars=500)
        signatory = st.text_input(
            texts("issuer.signatory"), old.signatory if old else "", max_chars=200
        )
        agreed = st.checkbox(texts("issuer.agree"), old is not None)
        wanted = st.form_submit_button(texts("issuer.ask"), type="primary")
    if not wanted:
        return
    if not agreed:
        st.error(texts("issuer.must_agree"), icon=":material/error:")
        return
    issuer = Issuer(
        association_id=association.id,
        name=(name or "").strip(),
        address=(address or "").strip(),
        purpose=(purpose or "").strip(),
        signatory=(signatory or "").strip(),
        siren="".join((siren or "").split()) or None,
        version=old.version if old else 0,
    )
    acting.attempt(
        lambda: receipts.ask(page.store, signed_in.user(page.store), issuer, acting.now()),
        "issuer.asked",
    )
    st.rerun()
