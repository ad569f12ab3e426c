"""Tokens that are no longer accepted, until they expire by themselves: table Blacklist."""

from __future__ import annotations

import re
from datetime import datetime
from typing import Any

from cityverse.data.client import ConditionFailed, Dynamo, put_write
from cityverse.domain.rules import check_time
from cityverse.errors import InvalidField

TABLE = "Blacklist"
_TOKEN_ID = re.compile(r"[A-Za-z0-9_.-]{1,128}")


class RevokedTokens:
    """Ids of tokens (never tokens themselves) that were revoked, or used up."""

    def __init__(self, dynamo: Dynamo) -> None:
        self.dynamo = dynamo

    def revoke(self, token_id: str, expires: datetime) -> bool:
        """Refuse a token from now on; False when it was refused already.

        So a token for one use is used up by the caller who gets True. ``expires`` is when
        the token itself ends: the row may go then.
        """
        try:
            self.dynamo.transact([self.revoking(token_id, expires)])
        except ConditionFailed:
            return False
        return True

    def revoking(self, token_id: str, expires: datetime) -> dict[str, Any]:
        """The write that refuses a token from now on; its condition fails the second time."""
        _check(token_id)
        check_time("expires", expires)
        row = {"token": token_id, "expires": int(expires.timestamp()) + 1}
        # "token" is a word of DynamoDB's own.
        return put_write(
            TABLE,
            row,
            ConditionExpression="attribute_not_exists(#token)",
            ExpressionAttributeNames={"#token": "token"},
        )

    def is_revoked(self, token_id: str) -> bool:
        """Whether a token was revoked; read consistently."""
        _check(token_id)
        return self.dynamo.get(TABLE, {"token": token_id}) is not None


def _check(token_id: str) -> None:
    if not isinstance(token_id, str) or not _TOKEN_ID.fullmatch(token_id):
        raise InvalidField("token", "an id of a token is 1 to 128 letters, digits and _ . -")
