"""How people react to a post: one reaction each, changed or withdrawn at will."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from cityverse.domain.rules import check_id, check_time


class ReactionKind(StrEnum):
    """The six ways to react."""

    LIKE = "like"
    LOVE = "love"
    HAHA = "haha"
    WOW = "wow"
    SAD = "sad"
    ANGRY = "angry"


def counter_of(kind: ReactionKind) -> str:
    """The field of a post that counts reactions of this kind."""
    return f"reactions_{kind}"


@dataclass(frozen=True, slots=True)
class Reaction:
    """The reaction of one person to one post; ``created`` is when it became what it is."""

    post_id: str
    user_id: str
    reaction: ReactionKind
    created: datetime

    def check(self) -> None:
        """Raise InvalidField when a field breaks its rule."""
        check_id("post_id", self.post_id)
        check_id("user_id", self.user_id)
        check_time("created", self.created)
