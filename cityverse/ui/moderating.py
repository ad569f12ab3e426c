"""Moderation: the public log for all, reasons and appeals for whom they concern, the queue."""

from __future__ import annotations

import hmac
from collections.abc import Callable
from datetime import timedelta

import streamlit as st
from ulid import ULID

from cityverse.community import moderation
from cityverse.community.moderation import File, Statement, Verdict
from cityverse.data.store import Store, secret
from cityverse.domain import policy
from cityverse.domain.moderation import (
    Appeal,
    Case,
    CaseStatus,
    Decision,
    Ground,
    Measure,
    Reason,
    TargetKind,
    key_of,
    ladder,
)
from cityverse.domain.people import EMAIL_LONGEST, User
from cityverse.domain.policy import Action
from cityverse.errors import NotFound
from cityverse.settings import current
from cityverse.ui import acting, markup, signed_in
from cityverse.ui.shell import Page

_FIGURES_DAYS = 30
_DAYS = (1, 3, 7, 30, 90, 365)
_LONGEST = 4000


def draw(page: Page) -> None:
    """Draw the whole page; what each may see follows from who is signed in."""
    texts, user = page.texts, page.user
    st.title(texts("moderation.title"))
    acting.say(page)
    decision_id = st.query_params.get("decision")
    if decision_id:
        _statement(page, decision_id)
        return
    views: dict[str, Callable[[Page], None]] = {}
    if policy.may(user, Action.MODERATE):
        views |= {"queue": _queue}
    if user is not None and (policy.may(user, Action.MODERATE) or _named(page)):
        views |= {"appeals": _appeals}
    views |= {"log": _log}
    if user is not None:
        views |= {"mine": _mine}
    if policy.may(user, Action.MODERATE):
        views |= {"audit": _audit}
    labels = {name: texts(f"moderation.view.{name}") for name in views}
    asked = st.query_params.get("view", "")
    first = asked if asked in views else next(iter(views))
    chosen = first
    if len(views) > 1:
        chosen = st.segmented_control(
            texts("moderation.views"),
            list(views),
            format_func=lambda name: labels.get(name, name),
            default=first,
            required=True,
            label_visibility="collapsed",
            key="moderation_view",
        )
    views.get(chosen or first, views[first])(page)


def _named(page: Page) -> bool:
    return bool(moderation.appeals(page.store, page.user))


# --- the queue ----------------------------------------------------------------------------


def _queue(page: Page) -> None:
    texts, user = page.texts, page.user
    if user is None:
        return
    with st.container(horizontal=True, vertical_alignment="bottom"):
        status = st.selectbox(
            texts("moderation.status"),
            [CaseStatus.OPEN, CaseStatus.TELLING, CaseStatus.DECIDED],
            format_func=lambda one: texts(f"case_status.{one}"),
            key="case_status",
        )
        reason = st.selectbox(
            texts("report.why"),
            [None, *Reason],
            format_func=lambda one: (
                texts(f"report_reason.{one}") if one else texts("moderation.all")
            ),
            key="case_reason",
        )
        kind = st.selectbox(
            texts("moderation.kind"),
            [None, *kinds()],
            format_func=lambda one: texts(f"target.{one}") if one else texts("moderation.all"),
            key="case_kind",
        )
        mine = st.toggle(texts("moderation.only_mine"), key="case_mine")
    found = moderation.queue(page.store, user, status, st.session_state.get("case_cursor"))
    cases = [
        case
        for case in found.items
        if reason in {None, case.reason}
        and kind in {None, case.kind}
        and (not mine or case.assigned_to == user.id)
    ]
    if not cases:
        st.info(texts("moderation.none"), icon=":material/task_alt:")
    for case in cases:
        _case(page, user, case)
    _pages("case_cursor", page, found.previous, found.next)


def kinds() -> list[TargetKind]:
    """What can be reported."""
    return [one for one in TargetKind if one is not TargetKind.PRODUCT]


def _case(page: Page, user: User, case: Case) -> None:
    texts = page.texts
    late = case.status is CaseStatus.OPEN and case.due < page.now
    due = texts("moderation.late" if late else "moderation.due", when=texts.full_moment(case.due))
    if case.assigned_to is None:
        taken = texts("moderation.nobody")
    elif case.assigned_to == user.id:
        taken = texts("moderation.yours")
    else:
        taken = texts("moderation.somebody")
    with st.container(border=True):
        st.html(
            f"<div><strong>{markup.text(texts(f'target.{case.kind}'))}</strong> · "
            f"{markup.text(texts(f'report_reason.{case.reason}'))} · "
            f"{markup.text(texts.count('moderation.reports', case.reports))}</div>"
            f"<div>{markup.text(case.title)}</div>"
            f"<div style='opacity:.8'>{'⚠ ' if late else ''}{markup.text(due)} · "
            f"{markup.text(taken)}</div>"
        )
        opened = st.session_state.get("case_open") == case.id
        st.button(
            texts("moderation.close" if opened else "moderation.open"),
            key=f"open-{case.id}",
            icon=":material/folder_open:",
            on_click=_open,
            args=(None if opened else case.id,),
        )
        if opened:
            _file(page, moderation.open_file(page.store, user, case.id, page.now))


def _open(case_id: str | None) -> None:
    st.session_state["case_open"] = case_id


def _file(page: Page, found: File) -> None:
    texts, case = page.texts, found.case
    left, right = st.columns(2, gap="medium")
    with left:
        _evidence(page, found)
    with right:
        _history(page, found)
        if found.hints:
            words = ", ".join(texts(f"hint.{one}") for one in found.hints)
            st.caption(texts("moderation.hints", hints=words))
    if case.status is not CaseStatus.OPEN:
        if case.decision_id is not None:
            _decided(page, page.store.decisions.get(case.decision_id))
        return
    if found.mine:
        st.warning(texts("moderation.own"), icon=":material/balance:")
        return
    mine = page.user is not None and case.assigned_to == page.user.id
    st.button(
        texts("moderation.give_back" if mine else "moderation.take"),
        key=f"take-{case.id}",
        on_click=_assign,
        args=(page.store, case, not mine),
    )
    _verdict(page, found)


def _evidence(page: Page, found: File) -> None:
    texts = page.texts
    st.markdown(f"**{texts('moderation.evidence')}**")
    shown: set[tuple[str, str]] = set()
    for report in found.reports:
        kept = report.evidence
        if kept is not None and (kept.title, kept.text) not in shown:
            shown.add((kept.title, kept.text))
            title = f"<strong>{markup.text(kept.title)}</strong><br>" if kept.title else ""
            st.html(f"<blockquote>{title}{markup.text(kept.text)}</blockquote>")
            names = enumerate(kept.media, 1)
            links = (
                markup.own_link(f"/m/{one}", texts("moderation.file", number=n)) for n, one in names
            )
            if kept.media:
                st.html(" · ".join(links))
        said = report.text or texts("moderation.no_words")
        why = texts(f"report_reason.{report.reason}")
        when = texts.moment(report.created, page.now)
        st.html(
            f"<p style='margin:0'><em>{markup.text(why)}</em> — {markup.text(said)} "
            f"<span style='opacity:.7'>{markup.text(when)}</span></p>"
        )
    if found.item is None:
        st.caption(texts("moderation.item_gone"))
    elif (found.item.evidence.title, found.item.evidence.text) not in shown:
        st.caption(texts("moderation.item_changed"))


def _history(page: Page, found: File) -> None:
    texts = page.texts
    st.markdown(f"**{texts('moderation.history')}**")
    if not found.history:
        st.caption(texts("moderation.no_history"))
    rows = "".join(
        f"<li>{markup.text(texts(f'measure.{one.measure}'))} · "
        f"{markup.text(texts(f'target.{one.kind}'))} · "
        f"{markup.text(texts.moment(one.created, page.now))}</li>"
        for one in found.history
    )
    st.html(f"<ul style='margin:0'>{rows}</ul>")


def _verdict(page: Page, found: File) -> None:
    """The form of a decision; its id is made once, so that it is decided once."""
    texts, case = page.texts, found.case
    request = st.session_state.setdefault(f"verdict-{case.id}-{case.version}", str(ULID()))
    with st.form(f"decide-{request}"):
        st.radio(
            texts("moderation.measure"),
            ladder(case.kind),
            format_func=lambda one: texts(f"measure.{one}"),
            captions=[texts(f"measure_help.{one}") for one in ladder(case.kind)],
            key=f"measure-{request}",
        )
        st.text_area(
            texts("moderation.facts"), max_chars=_LONGEST, key=f"facts-{request}", height=90
        )
        st.selectbox(
            texts("moderation.ground"),
            list(Ground),
            format_func=lambda one: texts(f"ground.{one}"),
            index=1,
            key=f"ground-{request}",
        )
        st.text_input(texts("moderation.rule"), max_chars=300, key=f"rule-{request}")
        st.text_area(
            texts("moderation.explanation"), max_chars=_LONGEST, key=f"why-{request}", height=90
        )
        if case.kind is TargetKind.USER:
            st.selectbox(
                texts("moderation.days"),
                _DAYS,
                format_func=lambda n: texts.count("moderation.lasts", n),
                index=2,
                key=f"days-{request}",
            )
        st.caption(texts("moderation.told"))
        st.form_submit_button(
            texts("moderation.decide"),
            type="primary",
            icon=":material/gavel:",
            on_click=_decide,
            args=(page.store, case, request, texts("moderation.redress")),
        )


def _assign(store: Store, case: Case, mine: bool) -> None:
    acting.attempt(
        lambda: moderation.assign(store, signed_in.user(store), case, acting.now(), mine=mine)
    )


def _decide(store: Store, case: Case, request: str, redress: str) -> None:
    state = st.session_state
    measure = state.get(f"measure-{request}", Measure.NONE)
    verdict = Verdict(
        id=request,
        case_id=case.id,
        version=case.version,
        measure=measure,
        facts=str(state.get(f"facts-{request}", "")),
        ground=state.get(f"ground-{request}"),
        rule=str(state.get(f"rule-{request}", "")),
        explanation=str(state.get(f"why-{request}", "")),
        redress=redress,
        days=state.get(f"days-{request}") if measure is Measure.SUSPENSION else None,
    )
    acting.attempt(
        lambda: moderation.decide(store, signed_in.user(store), verdict, acting.now()),
        "moderation.decided",
    )


def _decided(page: Page, decision: Decision) -> None:
    """What was decided on a case, with the way to take it back."""
    texts = page.texts
    _reasons(page, decision)
    if not decision.restricts:
        return
    key = f"undo-{decision.id}"
    request = st.session_state.setdefault(f"{key}-id", str(ULID()))
    with st.form(key):
        st.text_input(texts("moderation.undo_why"), max_chars=_LONGEST, key=f"{key}-why")
        st.form_submit_button(
            texts("moderation.undo"),
            icon=":material/undo:",
            on_click=_undo,
            args=(page.store, decision.id, key, request),
        )


def _undo(store: Store, decision_id: str, key: str, request: str) -> None:
    why = str(st.session_state.get(f"{key}-why", ""))
    acting.attempt(
        lambda: moderation.undo(
            store, signed_in.user(store), decision_id, why, request, acting.now()
        ),
        "moderation.undone",
    )


# --- reasons and appeals ------------------------------------------------------------------


def _party() -> str | None:
    """Who comes with a key that holds, or None."""
    params = st.query_params
    decision_id, party, key = (params.get(name, "") for name in ("decision", "party", "key"))
    wanted = key_of(secret(current()), decision_id, party)
    return party if party and hmac.compare_digest(wanted.encode(), key.encode()) else None


def _statement(page: Page, decision_id: str) -> None:
    texts = page.texts
    try:
        shown = moderation.statement(page.store, page.user, decision_id, _party())
    except NotFound:
        st.info(texts("moderation.not_yours"), icon=":material/lock:")
        return
    st.subheader(texts("moderation.statement"))
    if shown.revised:
        st.success(texts("moderation.revised"), icon=":material/undo:")
    _reasons(page, shown.decision)
    if shown.appeal is not None:
        _answer(page, shown.appeal)
    elif shown.can_be_appealed(page.now):
        _appeal_form(page, shown)
    st.page_link("pages/Moderation.py", label=texts("moderation.to_log"), query_params={})


def _reasons(page: Page, decision: Decision) -> None:
    """The statement of reasons, as article 17 asks for."""
    texts = page.texts
    lines = [
        ("moderation.concerns", texts(f"target.{decision.kind}")),
        ("moderation.measure", texts(f"measure.{decision.measure}")),
        ("moderation.when", texts.full_moment(decision.created)),
    ]
    if decision.until is not None:
        lines.append(("moderation.until", texts.full_moment(decision.until)))
    lines.append(("moderation.facts", decision.facts))
    if decision.ground is not None:
        lines.append(("moderation.ground", texts(f"ground.{decision.ground}")))
        lines.append(("moderation.rule", decision.rule))
        lines.append(("moderation.explanation", decision.explanation))
        machine = decision.found_by_machine or decision.decided_by_machine
        lines.append(
            ("moderation.by_whom", texts("moderation.machine" if machine else "moderation.person"))
        )
        lines.append(("moderation.how_to_appeal", decision.redress))
    st.html(
        "<dl>"
        + "".join(
            f"<dt style='font-weight:600'>{markup.text(texts(key))}</dt>"
            f"<dd style='margin:0 0 .6rem'>{markup.text(said)}</dd>"
            for key, said in lines
        )
        + "</dl>"
    )


def _answer(page: Page, appeal: Appeal) -> None:
    texts = page.texts
    st.subheader(texts("moderation.appeal"))
    st.info(texts(f"appeal_status.{appeal.status}"), icon=":material/balance:")
    st.html(f"<blockquote>{markup.text(appeal.text)}</blockquote>")
    if appeal.reason:
        st.html(f"<p>{markup.text(appeal.reason)}</p>")


def _appeal_form(page: Page, shown: Statement) -> None:
    texts = page.texts
    key = f"appeal-{shown.decision.id}"
    with st.form(key):
        st.text_area(texts("moderation.appeal_text"), max_chars=_LONGEST, key=f"{key}-text")
        st.caption(texts("moderation.appeal_help"))
        st.form_submit_button(
            texts("moderation.appeal_send"),
            icon=":material/balance:",
            on_click=_appeal,
            args=(page.store, shown.decision.id, key),
        )


def _appeal(store: Store, decision_id: str, key: str) -> None:
    text = str(st.session_state.get(f"{key}-text", ""))

    def act() -> None:
        shown = moderation.statement(store, signed_in.user(store), decision_id, _party())
        moderation.appeal(store, shown, text, acting.now())

    acting.attempt(act, "moderation.appealed")


def _appeals(page: Page) -> None:
    texts, user = page.texts, page.user
    if user is None:
        return
    found = moderation.appeals(page.store, user)
    if not found:
        st.info(texts("moderation.no_appeals"), icon=":material/task_alt:")
    for appeal in found:
        with st.container(border=True):
            _one_appeal(page, user, appeal)


def _one_appeal(page: Page, user: User, appeal: Appeal) -> None:
    texts = page.texts
    decision = page.store.decisions.get(appeal.decision_id)
    against = "inaction" if appeal.against_inaction else "decision"
    st.markdown(f"**{texts(f'moderation.against.{against}')}**")
    st.html(
        f"<blockquote>{markup.text(appeal.text)}</blockquote>"
        f"<p style='opacity:.8;margin:0'>{markup.text(texts.moment(appeal.created, page.now))}</p>"
    )
    with st.expander(texts("moderation.statement")):
        _reasons(page, decision)
    if appeal.named is not None:
        st.caption(texts("moderation.is_named"))
    if policy.may(user, Action.GRANT_ROLE):
        _name_form(page, appeal)
    if not moderation.may_decide_appeal(page.store, user, appeal):
        st.warning(texts("moderation.somebody_else"), icon=":material/hourglass_empty:")
        return
    key = f"judge-{appeal.id}"
    with st.form(key):
        st.text_area(texts("moderation.answer"), max_chars=_LONGEST, key=f"{key}-why", height=90)
        with st.container(horizontal=True, gap="small"):
            for overturned, text in (
                (True, "moderation.overturn"),
                (False, "moderation.uphold"),
            ):
                st.form_submit_button(
                    texts(text), on_click=_judge, args=(page.store, appeal, key, overturned)
                )


def _judge(store: Store, appeal: Appeal, key: str, overturned: bool) -> None:
    why = str(st.session_state.get(f"{key}-why", ""))
    acting.attempt(
        lambda: moderation.decide_appeal(
            store,
            signed_in.user(store),
            appeal,
            acting.now(),
            overturned=overturned,
            reason=why,
        ),
        "moderation.judged",
    )


def _name_form(page: Page, appeal: Appeal) -> None:
    texts, key = page.texts, f"name-{appeal.id}"
    with st.form(key, border=False):
        st.text_input(
            texts("moderation.name"),
            max_chars=EMAIL_LONGEST,
            help=texts("moderation.name_help"),
            key=f"{key}-email",
        )
        st.form_submit_button(
            texts("moderation.name_send"), on_click=_name, args=(page.store, appeal, key)
        )


def _name(store: Store, appeal: Appeal, key: str) -> None:
    email = str(st.session_state.get(f"{key}-email", ""))
    acting.attempt(
        lambda: moderation.name(store, signed_in.user(store), appeal, email, acting.now()),
        "moderation.was_named",
    )


# --- what everybody may know --------------------------------------------------------------


def _log(page: Page) -> None:
    texts = page.texts
    st.caption(texts("moderation.intro"))
    last = page.now.date()
    found = moderation.figures(page.store, last - timedelta(days=_FIGURES_DAYS - 1), last)
    cells = "".join(
        f"<tr><td>{markup.text(texts(f'moderation_figure.{name}'))}</td>"
        f"<td style='text-align:right;padding-left:1.5rem'>{number}</td></tr>"
        for name, number in found.items()
    )
    st.subheader(texts.count("moderation.figures", _FIGURES_DAYS))
    st.html(f"<table>{cells}</table>")
    st.subheader(texts("moderation.log"))
    month = _month(page, "log_month")
    listed = moderation.public_log(page.store, month, st.session_state.get("log_cursor"))
    if not listed.items:
        st.info(texts("moderation.log_empty"))
    rows = "".join(
        f"<li><strong>{markup.text(texts(f'measure.{line.measure}'))}</strong> · "
        f"{markup.text(texts(f'target.{line.kind}'))} · "
        f"{markup.text(texts.full_moment(line.created))}"
        + (
            f"<br><span style='opacity:.8'>{markup.text(texts(f'ground.{line.ground}'))} — "
            f"{markup.text(line.rule)}</span>"
            if line.ground
            else ""
        )
        + "</li>"
        for line in listed.items
    )
    st.html(f"<ul>{rows}</ul>")
    _pages("log_cursor", page, listed.previous, listed.next)


def _month(page: Page, key: str) -> str:
    """One of the last twelve months."""
    year, month = page.now.year, page.now.month
    numbers = [year * 12 + month - 1 - back for back in range(12)]
    months = [f"{number // 12}-{number % 12 + 1:02}" for number in numbers]
    return st.selectbox(page.texts("moderation.month"), months, key=key, width=220)


def _mine(page: Page) -> None:
    """What was decided on who is signed in, and on what is theirs."""
    texts, user = page.texts, page.user
    if user is None:
        return
    found = page.store.decisions.of_subject(user.id, limit=50).items
    if not found:
        st.info(texts("moderation.nothing_mine"), icon=":material/task_alt:")
    for decision in found:
        label = f"{texts(f'measure.{decision.measure}')} · {texts.full_moment(decision.created)}"
        st.page_link(
            "pages/Moderation.py", label=label, query_params={"decision": decision.id},
            icon=":material/gavel:",
        )  # fmt: skip


def _audit(page: Page) -> None:
    texts = page.texts
    st.caption(texts("moderation.audit_help"))
    found = moderation.audit(
        page.store, page.user, _month(page, "audit_month"), st.session_state.get("audit_cursor")
    )
    rows = "".join(
        f"<tr><td>{markup.text(texts.full_moment(act.created))}</td>"
        f"<td>{markup.text(texts(f'act.{act.what}'))}</td><td>{markup.text(act.target)}</td>"
        f"<td>{markup.text(act.actor_id)}</td></tr>"
        for act in found.items
    )
    st.html(f"<div style='overflow-x:auto'><table>{rows}</table></div>")
    _pages("audit_cursor", page, found.previous, found.next)


def _pages(key: str, page: Page, previous: str | None, following: str | None) -> None:
    if previous is None and following is None:
        return
    with st.container(horizontal=True):
        for text, cursor in (
            ("notifications.later", previous),
            ("notifications.earlier", following),
        ):
            st.button(
                page.texts(text),
                key=f"{key}-{text}",
                disabled=cursor is None,
                on_click=_go,
                args=(key, cursor),
            )


def _go(key: str, cursor: str | None) -> None:
    st.session_state[key] = cursor
