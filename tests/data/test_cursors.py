"""Cursors are opaque and signed: what we did not make ourselves means the first page."""

import base64
import json

from hypothesis import given
from hypothesis import strategies as st

from cityverse.data.cursors import Cursors, Position

cursors = Cursors(b"k" * 32)
positions = st.builds(Position, st.text(max_size=100), st.sampled_from(["next", "previous"]))


@given(st.text(max_size=40), positions)
def test_a_cursor_reads_back_for_its_own_list(listing, position):
    assert cursors.read(listing, cursors.write(listing, position)) == position


@given(st.text(max_size=40), st.text(max_size=40), positions)
def test_a_cursor_of_another_list_is_none(listing, other, position):
    if listing != other:
        assert cursors.read(other, cursors.write(listing, position)) is None


@given(positions, st.data())
def test_a_changed_cursor_is_none(position, data):
    written = cursors.write("Posts", position)
    raw = bytearray(base64.urlsafe_b64decode(written + "=" * (-len(written) % 4)))
    raw[data.draw(st.integers(0, len(raw) - 1))] ^= 1 << data.draw(st.integers(0, 7))
    assert cursors.read("Posts", base64.urlsafe_b64encode(bytes(raw)).decode()) is None


@given(positions)
def test_a_cursor_signed_with_another_key_is_none(position):
    assert cursors.read("Posts", Cursors(b"j" * 32).write("Posts", position)) is None


@given(
    st.none()
    | st.text(max_size=200)
    | st.binary(max_size=90).map(base64.b64encode).map(bytes.decode)
)
def test_rubbish_is_none(text):
    assert cursors.read("Posts", text) is None


def test_a_body_without_signature_is_none():
    body = json.dumps(["Posts", "2026", "next"]).encode()
    assert cursors.read("Posts", base64.urlsafe_b64encode(body).decode()) is None
    assert cursors.read("Posts", base64.urlsafe_b64encode(b"\0" * 16 + body).decode()) is None


def test_an_endless_cursor_is_none():
    assert cursors.read("Posts", "A" * 10_000_000) is None


def test_a_cursor_may_stand_in_a_url():
    written = cursors.write("Posts/é", Position("2026-11-22T12:00:00.000000Z#p1", "next"))
    assert set(written) <= set("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_")
