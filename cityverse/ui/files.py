"""Files that people choose on a page, on their way into the store; and how they are shown."""

from __future__ import annotations

from collections.abc import Sequence

import streamlit as st

from cityverse.data import media
from cityverse.data.media import MediaStore
from cityverse.data.store import secret
from cityverse.data.uploads import Tickets, Uploads
from cityverse.domain.media import MediaKind, MediaPlace
from cityverse.settings import current
from cityverse.ui import markup
from cityverse.ui.texts import Texts

PICTURES = ("jpg", "jpeg", "png", "webp")
MEGABYTES = 25


@st.cache_resource
def store() -> MediaStore:
    """The files of this installation, one connection for the whole process."""
    return media.connect(current())


@st.cache_resource
def uploads() -> Uploads:
    """Where films go."""
    most = current().video_megabytes * 1_000_000
    return Uploads(store(), Tickets(secret(current())), bytes_most=most)


def add(owner: str, name: str, data: bytes, place: MediaPlace = MediaPlace.POST) -> str:
    """Store a picture or a document for who is signed in; raises InvalidField, StoreError."""
    if place is MediaPlace.POST and data[:4] == b"%PDF":
        return store().add_pdf(owner, name, data).id
    return store().add_image(owner, place, data).id


def gallery(texts: Texts, files: Sequence[tuple[str, MediaKind]]) -> str:
    """Pictures, films and documents as HTML."""
    pictures = [one for one, kind in files if kind is MediaKind.IMAGE]
    size = "" if len(pictures) == 1 else "?size=400"
    parts = [
        f'<a href="/m/{one}" target="_blank"><img src="/m/{one}{size}" '
        f'alt="{markup.text(texts("attached.picture", number=number))}" loading="lazy"></a>'
        for number, one in enumerate(pictures, 1)
    ]
    parts += [
        f'<video controls preload="metadata" src="/m/{one}"></video>'
        for one, kind in files
        if kind is MediaKind.VIDEO
    ]
    documents = [one for one, kind in files if kind is MediaKind.PDF]
    shown = f'<div class="gallery n{min(len(parts), 2)}">{"".join(parts)}</div>' if parts else ""
    return shown + "".join(
        f"<p>📄 {markup.own_link(f'/m/{one}', texts('attached.document', number=number))}</p>"
        for number, one in enumerate(documents, 1)
    )
