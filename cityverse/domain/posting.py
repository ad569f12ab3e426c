"""What a person is writing: kept until it is sent, or waits for its time."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from cityverse.domain.community import (
    MEDIA_MOST,
    TEXT_LONGEST,
    LinkPreview,
    check_attachments,
    check_ids,
    check_links,
)
from cityverse.domain.media import MediaKind
from cityverse.domain.people import check_choice, check_optional_id
from cityverse.domain.places import Location
from cityverse.domain.rules import check_id, check_text, check_time
from cityverse.errors import InvalidField

DRAFTS_MOST = 20
SECOND_THOUGHTS = timedelta(hours=1)
"""For so long what was deleted can be had back."""
SCHEDULED_AHEAD_MOST = timedelta(days=365)


class DraftState(StrEnum):
    """Whether somebody still writes, or it is published at its time."""

    WRITING = "writing"
    SCHEDULED = "scheduled"


@dataclass(frozen=True, slots=True)
class Draft:
    """A post before it is one; ``id`` becomes that of the post, so it is published once.

    ``association_id`` is the one to publish as, None: as oneself. ``due`` is when it is
    published by itself; ``failure`` the key of a text that says why it was not.
    """

    id: str
    user_id: str
    updated: datetime
    text: str = ""
    association_id: str | None = None
    links: tuple[str, ...] = ()
    previews: tuple[LinkPreview, ...] = ()
    files: tuple[str, ...] = ()
    file_kinds: tuple[MediaKind, ...] = ()
    location: Location | None = None
    state: DraftState = DraftState.WRITING
    due: datetime | None = None
    failure: str = ""

    @property
    def empty(self) -> bool:
        """Whether there is nothing in it that would be missed."""
        return not (self.text.strip() or self.links or self.files)

    def check(self) -> None:
        """Raise InvalidField when a field breaks its rule."""
        check_id("id", self.id)
        check_id("user_id", self.user_id)
        check_time("updated", self.updated)
        check_text("text", self.text, longest=TEXT_LONGEST, required=False)
        check_optional_id("association_id", self.association_id)
        check_links("links", self.links)
        check_ids("files", self.files, most=MEDIA_MOST)
        check_attachments(self.files, self.file_kinds, self.previews)
        check_choice("state", self.state, DraftState)
        check_time("due", self.due)
        if (self.due is not None) != (self.state is DraftState.SCHEDULED):
            raise InvalidField("due", "is a time if, and only if, it is scheduled")
        check_text("failure", self.failure, longest=60, required=False)
        if self.location is not None:
            self.location.check()
