"""Which passwords are accepted, and how they are compared."""

import bcrypt
import pytest
from helpers import settings_for
from hypothesis import given
from hypothesis import strategies as st

from cityverse.accounts.passwords import LONGEST, SHORTEST, Hasher, check_new, normalised
from cityverse.errors import InvalidField


@pytest.mark.parametrize(
    "password",
    [
        "password1234",
        "motdepasse123",
        "azertyuiop1",
        "cityverse2026",
        "bonjour123",
        "jetaime123",
        "aaaaaaaaaaaaaaaaaaaaaaaaaa",
        "a" * 1024,
        "12345678901234567890",
        "short",
        "          ",
        "",
    ],
)
def test_a_password_that_is_soon_guessed_is_refused(password):
    with pytest.raises(InvalidField) as refused:
        check_new(password)
    assert refused.value.field == "password"


def test_what_is_known_of_the_person_makes_no_password():
    check_new("wittgenstein-bach")
    with pytest.raises(InvalidField):
        check_new("wittgenstein-bach", ("x@example.org", "Wittgenstein", "Bach"))


@pytest.mark.parametrize(
    "password",
    [
        "tomate courge poireau",
        "été à la plage de Dieppe",
        "пароль очень длинный и странный",
        "🚲🌳🏛️🥖🎭🗼🚇🌉🎨🧀",
        "ein\x00Nullbyte steht hier",
        "\u202eabc rtl def mark" * 2,
        "correct horse battery staple " * 35,
    ],
)
def test_any_script_and_length_makes_a_password(password):
    assert check_new(password) == normalised(password)


def test_the_bounds_are_those_that_are_told():
    assert (SHORTEST, LONGEST) == (10, 1024)
    long = "tomate courge poireau vigne " * 50
    check_new(long[:1024])
    with pytest.raises(InvalidField):
        check_new(long[:1024] + "x")
    with pytest.raises(InvalidField):
        check_new("x" * 10_000)


@pytest.mark.parametrize("password", ["\ud800" * 12, None, 7, b"bytes are no text"])
def test_what_is_no_text_is_refused(password):
    with pytest.raises(InvalidField):
        check_new(password)


def test_two_ways_to_type_an_accent_are_one_password(hasher):
    made = hasher.hash(normalised(" e\u0301te\u0301 à Dieppe "))
    assert hasher.verify(normalised("\u00e9t\u00e9 à Dieppe"), made).right


@given(st.text(max_size=60))
def test_normalising_twice_changes_nothing(text):
    try:
        once = normalised(text)
    except InvalidField:
        return
    assert normalised(once) == once


def test_a_hash_is_of_argon2id_with_the_settings(tmp_path):
    made = Hasher(settings_for(tmp_path)).hash("tomate")
    assert made.startswith("$argon2id$v=19$m=65536,t=2,p=1$")


def test_a_wrong_password_and_no_account_are_wrong(hasher):
    made = hasher.hash("tomate")
    assert hasher.verify("tomate", made).right
    assert not hasher.verify("Tomate", made).right
    assert not hasher.verify("tomate", None).right
    assert not hasher.verify("tomate", "").right
    assert not hasher.verify("tomate", "$argon2id$damaged").right


def test_a_hash_of_other_settings_is_stale(hasher, tmp_path):
    other = Hasher(settings_for(tmp_path, CITYVERSE_PASSWORD_MEBIBYTES="2"))
    assert not hasher.verify("tomate", hasher.hash("tomate")).stale
    assert hasher.verify("tomate", other.hash("tomate")).stale


@pytest.mark.parametrize("password", ["tomate", "é" * 60, "a" * 72, "a" * 200])
def test_bcrypt_of_others_is_compared_and_stale(hasher, password):
    made = bcrypt.hashpw(password.encode()[:72], bcrypt.gensalt(4)).decode()
    verdict = hasher.verify(password, made)
    assert verdict.right
    assert verdict.stale
    assert not hasher.verify("x" + password, made).right


@pytest.mark.parametrize("stored", ["$2b$12$damaged", "$2", "$2b$04$" + "x" * 53])
def test_a_damaged_bcrypt_hash_opens_nothing(hasher, stored):
    assert not hasher.verify("tomate", stored).right
    assert not hasher.verify("a\x00b", stored).right
