"""What a person should know."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from cityverse.domain.people import User, check_choice, check_optional_id
from cityverse.domain.rules import check_id, check_text, check_time

KEPT = timedelta(days=90)


class Topic(StrEnum):
    """What happened; the texts of pages are chosen by it."""

    COMMENT = "comment"
    REACTION = "reaction"
    FOLLOWER = "follower"
    APPLICATION = "application"
    APPLICATION_DECIDED = "application_decided"
    APPLICATION_MESSAGE = "application_message"
    PLACE_FREED = "place_freed"
    MISSION_SOON = "mission_soon"
    MISSION_CHANGED = "mission_changed"
    EVENT_CHANGED = "event_changed"
    CONTRIBUTION = "contribution"
    GIFT = "gift"
    GIFT_CONFIRMED = "gift_confirmed"
    GIFT_REFUSED = "gift_refused"
    GIFT_REFUNDED = "gift_refunded"
    AWARD = "award"
    PLACE_ACCEPTED = "place_accepted"
    PLACE_DECLINED = "place_declined"
    REPORT_DECIDED = "report_decided"
    REPORT_RECEIVED = "report_received"
    DECISION = "decision"
    APPEAL_DECIDED = "appeal_decided"
    APPEAL_TO_DECIDE = "appeal_to_decide"
    ACCOUNT = "account"
    TEAM = "team"
    VERIFICATION = "verification"


@dataclass(frozen=True, slots=True)
class Notification:
    """That something happened to an item a person cares about.

    ``id`` follows from what happened, so that telling it again has no effect.
    ``target`` is the kind of the item, a colon and its id; ``actor_id`` and ``actor_name``
    say who did it; ``text`` is a title or an excerpt.
    """

    id: str
    user_id: str
    topic: Topic
    created: datetime
    target: str
    actor_id: str | None = None
    actor_name: str = ""
    text: str = ""
    read_at: datetime | None = None

    @property
    def expires_at(self) -> datetime:
        """When it is deleted by itself."""
        return self.created + KEPT

    def unread(self, user: User) -> bool:
        """Whether its person ``user`` has neither opened it nor said they have seen all."""
        seen_all = user.notified_until is not None and self.created <= user.notified_until
        return self.read_at is None and not seen_all

    def check(self) -> None:
        """Raise InvalidField when a field breaks its rule."""
        check_id("id", self.id)
        check_id("user_id", self.user_id)
        check_choice("topic", self.topic, Topic)
        check_time("created", self.created)
        check_time("read_at", self.read_at)
        check_text("target", self.target, longest=100)
        check_optional_id("actor_id", self.actor_id)
        check_text("actor_name", self.actor_name, longest=200, required=False)
        check_text("text", self.text, longest=300, required=False)
