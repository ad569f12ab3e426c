"""Revoked tokens: refused at once, for as long as they would last."""

import pytest
from helpers import LATER
from people_helpers import nobody, rows

from cityverse.errors import InvalidField


@pytest.fixture
def revoked(dynamo):
    return nobody(dynamo).revoked


def test_a_revoked_token_is_refused(revoked):
    assert not revoked.is_revoked("t1")
    assert revoked.revoke("t1", LATER)
    assert revoked.is_revoked("t1")
    assert not revoked.is_revoked("t2")


def test_a_token_is_used_up_once(revoked):
    assert revoked.revoke("-ticket_1", LATER)
    assert not revoked.revoke("-ticket_1", LATER)


def test_the_row_outlasts_the_token(revoked):
    revoked.revoke("t1", LATER.replace(microsecond=900_000))
    (row,) = rows(revoked.dynamo, "Blacklist")
    assert row == {"token": "t1", "expires": int(LATER.timestamp()) + 1}


@pytest.mark.parametrize("token", ["", "a b", "a\n", "x" * 129, None, 7])
def test_what_is_no_id_of_a_token_is_refused(revoked, token):
    for call in (lambda: revoked.revoke(token, LATER), lambda: revoked.is_revoked(token)):
        with pytest.raises(InvalidField) as refused:
            call()
        assert refused.value.field == "token"
