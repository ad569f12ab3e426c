"""Which item is open: from the map, the list, a link, or a button of another item."""

from __future__ import annotations

from collections.abc import Sequence

import streamlit as st

from cityverse.community import city
from cityverse.community.city import CityItem
from cityverse.ui import item as dialog
from cityverse.ui import looking
from cityverse.ui.shell import Page


def open_item(key: str) -> None:
    """Make this the open item, and let the address say so."""
    st.session_state["open_item"] = key
    st.query_params["item"] = key


def wanted() -> str | None:
    """The item that should be open, if any."""
    if "open_item" not in st.session_state and not st.session_state.get("link_followed"):
        st.session_state["link_followed"] = True
        linked = st.query_params.get("item")
        if linked:
            st.session_state["open_item"] = linked
    key = st.session_state.get("open_item")
    return key if isinstance(key, str) else None


def show_wanted(page: Page, items: Sequence[CityItem]) -> CityItem | None:
    """Draw the dialog of the open item; answers with it, or None."""
    key = wanted()
    if key is None:
        return None
    item = next((i for i in items if i.key == key), None) or city.find(page.store, key)
    if item is None:
        st.toast(page.texts("item.gone"), icon=":material/search_off:")
        dialog.close()
        return None
    dialog.show(page, item, looking.nearby(page, item))
    return item
