"""People with an account: table User."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from cityverse.data import codec
from cityverse.data.client import ConditionFailed
from cityverse.data.repository import Repository, claim_id
from cityverse.data.revoked import TABLE as REVOKED
from cityverse.domain.people import User, normalised_email
from cityverse.errors import InvalidField, NotFound

# Being here is written down no more often than this.
SEEN_EVERY = timedelta(minutes=5)
# No id of a person begins so.
_NOBODY = "-"


class UserRepository(Repository[User]):
    """People; an e-mail belongs to one of them, in whatever case or Unicode form it is typed."""

    table = "User"
    entity = User

    def claims_of(self, entity: User) -> Mapping[str, str]:
        """The e-mail in its one form; a closed account has none."""
        email = entity.email_normalised
        return {} if email is None else {"email": email}

    def find_by_email(self, email: str) -> User | None:
        """The person with this e-mail, or None; what is no e-mail is nobody's."""
        try:
            normalised = normalised_email(email)
        except InvalidField:
            return None
        claim = self.dynamo.get("Claim", {"id": claim_id(self.table, "email", normalised)})
        # A second read in either case: how long this takes tells nobody who has an account.
        return self.find(_NOBODY if claim is None else claim["owner"])

    def find_unless_revoked(self, user_id: str, token_id: str) -> User | None:
        """The person, or None where this token of theirs was revoked; one consistent read."""
        found = self.dynamo.get_each({self.table: {"id": user_id}, REVOKED: {"token": token_id}})
        if REVOKED in found or self.table not in found:
            return None
        return codec.from_item(User, found[self.table])

    def replace_along(self, old: User, new: User, along: Sequence[dict[str, Any]]) -> User:
        """``replace`` in one transaction with writes that may forbid it.

        Raises ConditionFailed where one of these does; else as ``replace``.
        """
        return self._replace(old, new, along)

    def seen(self, user_id: str, now: datetime) -> bool:
        """Note that a person is here; False when it was noted less than ``SEEN_EVERY`` ago."""
        return self._later(user_id, "last_seen", now, now - SEEN_EVERY)

    def notified(self, user_id: str, until: datetime) -> bool:
        """Note that a person has seen all notifications up to a time; False when later ones too."""
        return self._later(user_id, "notified_until", until, until)

    def _later(self, user_id: str, field: str, moment: datetime, above: datetime) -> bool:
        """Set a time to ``moment`` when it lies before ``above``; raises NotFound."""
        try:
            self.dynamo.update(
                self.table,
                {"id": user_id},
                UpdateExpression="SET #field = :moment",
                ConditionExpression=(
                    "attribute_exists(id) AND (attribute_not_exists(#field) OR #field < :above)"
                ),
                ExpressionAttributeNames={"#field": field},
                ExpressionAttributeValues={
                    ":moment": codec.time_text(moment),
                    ":above": codec.time_text(above),
                },
            )
        except ConditionFailed as failure:
            if self.find(user_id) is None:
                raise NotFound(f"{self.table} has no item {user_id}") from failure
            return False
        return True
