"""Who publishes in the name of an association, and whether it is what it says it is."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from cityverse.domain.associations import check_rna
from cityverse.domain.people import check_choice, check_optional_id
from cityverse.domain.rules import check_id, check_text, check_time

REASON_LONGEST = 1000


class Standing(StrEnum):
    """What a person beside the owner is to an association.

    ``OFFERED`` is an editor who was asked to become its owner.
    """

    INVITED = "invited"
    EDITOR = "editor"
    OFFERED = "offered"


@dataclass(frozen=True, slots=True)
class Membership:
    """That a person edits an association, or was asked to; names as they were then."""

    user_id: str
    association_id: str
    standing: Standing
    created: datetime
    user_name: str = ""
    association_name: str = ""

    def check(self) -> None:
        """Raise InvalidField when a field breaks its rule."""
        check_id("user_id", self.user_id)
        check_id("association_id", self.association_id)
        check_choice("standing", self.standing, Standing)
        check_time("created", self.created)
        check_text("user_name", self.user_name, longest=200, required=False)
        check_text("association_name", self.association_name, longest=200, required=False)


class VerificationStatus(StrEnum):
    """Whether a manager has looked at an association."""

    PENDING = "pending"
    ACCEPTED = "accepted"
    DECLINED = "declined"


@dataclass(frozen=True, slots=True)
class Verification:
    """That an association wants to be verified; ``id`` is its own.

    ``rna`` is the number it claims; ``disputed_with`` the association that has it already.
    """

    id: str
    association_name: str
    created: datetime
    user_id: str
    rna: str | None = None
    disputed_with: str | None = None
    status: VerificationStatus = VerificationStatus.PENDING
    reason: str = ""
    decided_by: str | None = None
    decided_at: datetime | None = None

    def check(self) -> None:
        """Raise InvalidField when a field breaks its rule."""
        for name in ("id", "user_id"):
            check_id(name, getattr(self, name))
        check_text("association_name", self.association_name, longest=200)
        check_rna(self.rna)
        for name in ("disputed_with", "decided_by"):
            check_optional_id(name, getattr(self, name))
        check_choice("status", self.status, VerificationStatus)
        declined = self.status is VerificationStatus.DECLINED
        check_text("verification_reason", self.reason, longest=REASON_LONGEST, required=declined)
        check_time("created", self.created)
        check_time("decided_at", self.decided_at)
