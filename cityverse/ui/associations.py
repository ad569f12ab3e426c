"""The directory of associations, and the page of one: what it is, publishes, and who runs it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import streamlit as st

from cityverse.community import associations, campaigns, city, talk
from cityverse.community.associations import Wanted
from cityverse.community.city import CityItem
from cityverse.community.teams import publishers
from cityverse.data.lists import Page as Listed
from cityverse.data.timeline import is_hidden
from cityverse.domain import policy
from cityverse.domain.associations import Activity
from cityverse.domain.community import Association
from cityverse.domain.kinds import Kind
from cityverse.domain.media import MediaKind
from cityverse.domain.people import GOALS
from cityverse.domain.policy import Action
from cityverse.map.layers import View
from cityverse.settings import current
from cityverse.ui import (
    address,
    association_form,
    citymap,
    files,
    lists,
    markup,
    opening,
    talking,
    team,
)
from cityverse.ui.shell import ASSOCIATIONS, Page

_PAGE_SIZE = 20
_CURSOR = "associations_cursor"
_RECENT = 60
VIEWS = ("posts", "missions", "events", "campaigns", "products", "photos", "videos", "documents")


def draw(page: Page) -> None:
    """Draw the directory, or what the address names."""
    team.say(page)
    wanted = st.query_params.get("id")
    form = st.query_params.get("form")
    if form == "new":
        association_form.draw(page, None)
    elif form == "verify":
        team.queue(page, _to_directory)
    elif wanted:
        _one(page, wanted, form)
    else:
        _directory(page)


def show(association_id: str) -> None:
    """Let the address name an association, as a callback of a button."""
    st.query_params.clear()
    st.query_params["id"] = association_id
    st.session_state.pop("association_view", None)


def _to_directory() -> None:
    st.query_params.clear()


def _to_form(form: str) -> None:
    st.query_params["form"] = form


# --- the directory ------------------------------------------------------------------------


def _directory(page: Page) -> None:
    texts = page.texts
    st.title(texts("association.directory"))
    _own(page)
    wanted = _filters(page)
    shown = st.segmented_control(
        texts("association.shown"),
        ["list", "map"],
        default="list",
        required=True,
        format_func=lambda one: texts(
            "association.as_map" if one == "map" else "association.as_list"
        ),
        key="association_shown",
        label_visibility="collapsed",
    )
    cursor = st.session_state.get(_CURSOR)
    found = associations.directory(page.store, wanted, limit=_PAGE_SIZE, cursor=cursor)
    items = [city.as_item(one) for one in found.items]
    if not items:
        st.info(texts("association.none"), icon=":material/diversity_3:")
    opened = (
        citymap.draw(page, items, View())
        if shown == "map"
        else lists.draw(page, items, key="association_cards", excerpts=True)
    )
    _paging(page, found)
    if opened:
        show(opened.partition(":")[2])
        st.rerun()


def _own(page: Page) -> None:
    """What one was asked to become, what one runs, and the way to found one."""
    texts, user = page.texts, page.user
    if user is None:
        return
    team.invitations(page, user)
    with st.container(horizontal=True, gap="small"):
        for one in publishers(page.store, user):
            st.button(
                markup.label(one.name),
                key=f"mine-{one.id}",
                icon=":material/diversity_3:",
                on_click=show,
                args=(one.id,),
            )
        if policy.may(user, Action.FOUND_ASSOCIATION):
            _go("association.found", "new", ":material/add:", texts)
        if policy.may(user, Action.VERIFY_ASSOCIATION):
            _go("association.verify", "verify", ":material/verified:", texts)


def _go(text: str, form: str, icon: str, texts: Callable[..., str]) -> None:
    st.button(texts(text), key=f"to-{form}", icon=icon, on_click=_to_form, args=(form,))


def _filters(page: Page) -> Wanted:
    texts = page.texts
    address.restore("text", lambda word: word[: address.SEARCH_LONGEST])
    address.restore("goals", _goals_of)
    address.restore("activities", lambda words: [Activity(word) for word in words.split(",")])
    address.restore("every", lambda word: word == "1")
    with st.container(horizontal=True, vertical_alignment="bottom"):
        text = st.text_input(
            texts("association.search"),
            key="text",
            type="search",
            placeholder=texts("search.words"),
            max_chars=address.SEARCH_LONGEST,
            on_change=_to_first_page,
            width=260,
        )
        goals = st.multiselect(
            texts("association.goals"),
            GOALS,
            format_func=lambda n: f"{n}. {texts(f'goal.{n}')}",
            placeholder=texts("association.any"),
            key="goals",
            on_change=_to_first_page,
            width=300,
        )
        activities = st.multiselect(
            texts("association.activities"),
            list(Activity),
            format_func=lambda one: texts(f"activity.{one}"),
            placeholder=texts("association.any"),
            key="activities",
            on_change=_to_first_page,
            width=300,
        )
        every = st.toggle(texts("association.every"), key="every", on_change=_to_first_page)
    text = (text or "").strip()
    address.write("text", text)
    address.write("goals", ",".join(map(str, goals)))
    address.write("activities", ",".join(activities))
    address.write("every", "1" if every else "")
    return Wanted(text, tuple(goals), tuple(activities), every)


def _goals_of(words: str) -> list[int]:
    goals = [int(word) for word in words.split(",")]
    if not set(goals) <= set(GOALS):
        raise ValueError(words)
    return goals


def _to_first_page() -> None:
    st.session_state.pop(_CURSOR, None)


def _turn(cursor: str) -> None:
    st.session_state[_CURSOR] = cursor


def _paging(page: Page, found: Listed[Association]) -> None:
    with st.container(horizontal=True, gap="small"):
        for text, cursor in (("feed.newer", found.previous), ("feed.older", found.next)):
            if cursor is not None:
                st.button(page.texts(text), key=f"turn-{text}", on_click=_turn, args=(cursor,))


# --- one of them --------------------------------------------------------------------------


def _one(page: Page, association_id: str, form: str | None) -> None:
    texts = page.texts
    st.button(
        texts("association.back"),
        icon=":material/arrow_back:",
        type="tertiary",
        on_click=_to_directory,
    )
    found = page.store.associations.find(association_id[:64])
    runs = found is not None and policy.may(page.user, Action.RUN_ASSOCIATION, found)
    if found is None or (is_hidden(found) and not runs):
        st.info(texts("item.gone"), icon=":material/search_off:")
        return
    if found.moderation is not None:
        st.warning(texts(f"association.{found.moderation}"), icon=":material/balance:")
    if form == "edit" and runs:
        association_form.draw(page, found)
        return
    if form == "team" and runs:
        team.draw(page, found)
        return
    _head(page, found)
    if runs:
        team.closing(page, found)
        with st.container(horizontal=True, gap="small"):
            _go("association.edit", "edit", ":material/edit:", texts)
            _go("association.team", "team", ":material/group:", texts)
    _published(page, found)


def _head(page: Page, one: Association) -> None:
    texts = page.texts
    if one.banner_media_id:
        st.html(f'<img class="banner" alt="" src="/m/{one.banner_media_id}">')
    logo = f'<img class="logo" alt="" src="/m/{one.profile_media_id}?size=400">'
    state = texts("association.verified" if one.verified else "association.unverified")
    facts = [state, texts.count("association.followers", one.followers)]
    if one.demo:
        facts.append(texts("item.demo"))
    st.html(
        f'<div class="association">{logo if one.profile_media_id else ""}<div>'
        f"<h1>{markup.text(one.name)}</h1><p>{markup.text(' · '.join(facts))}</p></div></div>"
    )
    with st.container(horizontal=True, gap="small"):
        user = page.user
        if user is not None:
            followed = talk.is_followed(page.store, user, one.id)
            talking.follow_button(page, one.id, followed)
        with st.popover(texts("item.share"), icon=":material/share:", type="tertiary"):
            link = f"{current().address}{ASSOCIATIONS.path}?id={one.id}"
            st.code(link, language=None, wrap_lines=True)
    if one.description:
        st.html(f"<p>{markup.text(one.description)}</p>")
    st.html(_facts(page, one))


def _facts(page: Page, one: Association) -> str:
    texts = page.texts
    chips = [texts(f"activity.{activity}") for activity in sorted(one.activities)]
    goals = [
        f'<span class="goal g{n}">{n}. {markup.text(texts(f"goal.{n}"))}</span>'
        for n in sorted(one.goals)
    ]
    rows = [f'<span class="chip">{markup.text(chip)}</span>' for chip in chips]
    links = [("website", one.website), *((n, getattr(one.links, n)) for n in NETWORKS)]
    named = [markup.link(link, texts(f"association.{name}") + " ↗") for name, link in links if link]
    lines = [f"<p>{''.join([*rows, *goals])}</p>" if rows or goals else ""]
    lines.append(f"<p>{' · '.join(named)}</p>" if named else "")
    if one.location is not None:
        lines.append(f"<p>📍 {markup.text(one.location.place)}</p>")
    if one.rna is not None:
        lines.append(f"<p>{markup.text(texts('association.rna_is', rna=one.rna))}</p>")
    return "".join(lines)


NETWORKS = ("facebook", "instagram", "x", "youtube")


def _published(page: Page, one: Association) -> None:
    """What it published, by kind; kinds of which there is nothing are left out."""
    texts, store = page.texts, page.store
    posts = store.posts.page(limit=_RECENT, association_id=one.id).items
    items: dict[str, Sequence[CityItem]] = {
        "posts": [city.as_item(post) for post in posts[:_PAGE_SIZE]]
    }
    for name, repository in (("missions", store.missions), ("events", store.events)):
        window = city.window_of(_KINDS[name], city.Period.ALL, page.now)
        listed: Any = repository
        found = listed.page(limit=_PAGE_SIZE, association_id=one.id, window=window)
        items[name] = [city.as_item(entity) for entity in found.items]
    open_to_all = campaigns.Search(association_id=one.id, open_only=False)
    listed_campaigns = campaigns.find(store, open_to_all, page.now).items
    items["campaigns"] = [city.as_item(campaign) for campaign in listed_campaigns]
    titled = {
        "products": [p.name for p in _all(store.products, one.id)],
    }
    pairs = [pair for post in posts for pair in zip(post.media, post.media_kinds, strict=False)]
    shown = {name: [p for p in pairs if p[1] is kind] for name, kind in _FILES.items()}
    there = [v for v in VIEWS if v == "posts" or items.get(v) or titled.get(v) or shown.get(v)]
    address.restore("view", lambda word: word if word in there else "posts")
    if st.session_state.get("view") not in there:
        st.session_state["view"] = "posts"
    view = st.segmented_control(
        texts("association.published"),
        there,
        required=True,
        format_func=lambda name: texts(f"association.view.{name}"),
        key="view",
        label_visibility="collapsed",
    )
    address.write("view", "" if view == "posts" else view or "")
    if view in titled:
        rows = "".join(f"<li>{markup.text(title)}</li>" for title in titled[view])
        st.html(f"<ul>{rows}</ul>")
    elif view in shown:
        st.html(files.gallery(texts, shown[view]))
    else:
        _cards(page, items.get(view or "posts", ()))


def _all(repository: Any, association_id: str) -> Sequence[Any]:
    found: Sequence[Any] = repository.page(limit=_PAGE_SIZE, association_id=association_id).items
    return found


_KINDS = {"missions": Kind.MISSION, "events": Kind.EVENT}
_FILES = {"photos": MediaKind.IMAGE, "videos": MediaKind.VIDEO, "documents": MediaKind.PDF}


def _cards(page: Page, items: Sequence[CityItem]) -> None:
    if not items:
        st.info(page.texts("association.no_posts"), icon=":material/edit_note:")
    opened = lists.draw(page, items, key="association_posts", excerpts=True) if items else None
    if opened:
        opening.open_item(opened)
        st.rerun()
    opening.show_wanted(page, items)
