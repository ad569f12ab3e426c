"""Cookies and tickets: ours, whole, for their purpose, in their time."""

import base64
import json
import stat
from datetime import UTC, datetime, timedelta

import jwt
import pytest
from helpers import settings_for

from cityverse.accounts.tokens import (
    KEY_FILE,
    PREVIOUS_KEY_FILE,
    Keys,
    link_id,
    new_session,
    rotate,
)
from cityverse.errors import InputError

OLD, NEW = b"o" * 32, b"n" * 32


def now():
    return datetime.now(UTC)


@pytest.fixture
def keys():
    return Keys([NEW])


@pytest.fixture
def token():
    return new_session("u1", 3, now(), 14)


def test_a_cookie_reads_back(keys, token):
    assert keys.read_session(keys.session(token, now())) == token
    assert token.expires - now() <= timedelta(days=14)


def test_a_ticket_reads_back_and_carries_its_session(keys, token):
    ticket = keys.read_ticket(keys.ticket(token, now()))
    assert ticket.session == token
    assert ticket.id != token.id


def test_nothing_of_authority_stands_in_a_cookie(keys, token):
    claims = jwt.decode(keys.session(token, now()), options={"verify_signature": False})
    assert set(claims) == {"iss", "aud", "sub", "jti", "iat", "nbf", "exp", "sv"}


def test_one_is_not_the_other(keys, token):
    assert keys.read_ticket(keys.session(token, now())) is None
    assert keys.read_session(keys.ticket(token, now())) is None


def test_expired_and_early_ones_are_refused(keys):
    before = now() - timedelta(days=20)
    assert keys.read_session(keys.session(new_session("u1", 1, before, 14), before)) is None
    later = now() + timedelta(hours=1)
    assert keys.read_session(keys.session(new_session("u1", 1, later, 14), later)) is None
    old = now() - timedelta(seconds=40)
    assert keys.read_ticket(keys.ticket(new_session("u1", 1, old, 14), old)) is None


def _forged(token, **header):
    claims = {
        "iss": "cityverse",
        "aud": "session",
        "sub": "u1",
        "jti": "x",
        "sv": 1,
        "iat": int(now().timestamp()),
        "nbf": int(now().timestamp()),
        "exp": int(now().timestamp()) + 999,
    }
    parts = [{"alg": "none", "typ": "session+jwt", **header}, claims]
    encoded = [base64.urlsafe_b64encode(json.dumps(p).encode()).rstrip(b"=") for p in parts]
    return b".".join([*encoded, b""]).decode()


def test_forged_ones_are_refused(keys, token):
    good = keys.session(token, now())
    kid = jwt.get_unverified_header(good)["kid"]
    head, body, sign = good.split(".")
    changed = base64.urlsafe_b64encode(b'{"sub":"u2"}').rstrip(b"=").decode()
    forged = [
        _forged(token),
        _forged(token, kid=kid),
        f"{head}.{changed}.{sign}",
        f"{head}.{body}.",
        good[:-4],
        Keys([OLD]).session(token, now()),
        "",
        "a.b.c",
        "x" * 5000,
        None,
        7,
        b"bytes",
        object(),
    ]
    for text in forged:
        assert keys.read_session(text) is None, text


def test_the_key_before_still_verifies_but_does_not_sign(token):
    signed_before = Keys([OLD]).session(token, now())
    both = Keys([NEW, OLD])
    assert both.read_session(signed_before) == token
    assert Keys([NEW]).read_session(both.session(token, now())) == token
    assert Keys([NEW]).read_session(signed_before) is None


def test_the_key_is_kept_in_the_data_folder(tmp_path, token):
    settings = settings_for(tmp_path)
    cookie = Keys.of(settings).session(token, now())
    assert Keys.of(settings).read_session(cookie) == token
    assert stat.S_IMODE((tmp_path / KEY_FILE).stat().st_mode) == 0o600


def test_a_new_key_of_the_data_folder_keeps_one_before(tmp_path, token):
    settings = settings_for(tmp_path)
    first = Keys.of(settings).session(token, now())
    rotate(settings)
    assert (tmp_path / PREVIOUS_KEY_FILE).exists()
    second = Keys.of(settings).session(token, now())
    assert Keys.of(settings).read_session(first) == token
    rotate(settings)
    assert Keys.of(settings).read_session(first) is None
    assert Keys.of(settings).read_session(second) == token


def test_keys_of_settings(tmp_path, token):
    given = {"CITYVERSE_SESSION_SECRET": "n" * 32, "CITYVERSE_SESSION_SECRET_PREVIOUS": "o" * 32}
    keys = Keys.of(settings_for(tmp_path, **given))
    assert keys.read_session(Keys([OLD]).session(token, now())) == token
    assert Keys([NEW]).read_session(keys.session(token, now())) == token
    assert not (tmp_path / KEY_FILE).exists()
    with pytest.raises(InputError):
        rotate(settings_for(tmp_path, **given))
    with pytest.raises(InputError, match="at least 32"):
        settings_for(tmp_path, CITYVERSE_SESSION_SECRET="short")
    assert "nnnn" not in repr(settings_for(tmp_path, **given))


def test_a_link_is_kept_under_a_hash():
    assert link_id("a") != link_id("b")
    assert len(link_id("\ud800" * 9999)) == 64
