"""What an applicant and the team of a mission write to each other."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from cityverse.domain.rules import check_id, check_text, check_time

MESSAGE_LONGEST = 2000


@dataclass(frozen=True, slots=True)
class Message:
    """One message of the thread of an application; nobody else sees it.

    It is deleted at ``expires_at``. ``team`` says that the team wrote it.
    """

    id: str
    application_id: str
    user_id: str
    user_name: str
    text: str
    created: datetime
    expires_at: datetime
    team: bool = False

    def check(self) -> None:
        """Raise InvalidField when a field breaks its rule."""
        for name in ("id", "application_id", "user_id"):
            check_id(name, getattr(self, name))
        check_text("user_name", self.user_name, longest=200, required=False)
        check_text("message", self.text, longest=MESSAGE_LONGEST)
        check_time("created", self.created)
        check_time("expires_at", self.expires_at)
