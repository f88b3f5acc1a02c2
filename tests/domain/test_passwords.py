"""Passwords: what may be one, and that only the very same one opens the door."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from service.domain import passwords
from service.domain.errors import Invalid


def test_a1_fifteen_characters_are_enough_and_fourteen_are_not() -> None:
    assert passwords.check("correct horse b") == "correct horse b"
    with pytest.raises(Invalid, match="at least 15 characters") as refused:
        passwords.check("correct horse ")
    assert refused.value.field == "password"


@pytest.mark.parametrize(
    "password",
    [
        "all lower case letters",
        "パスワードは長い方がよいと思います",
        "🙂🙃🙂🙃😉🙂🙃🙂🙃😉🙂🙃🙂🙃😉🫠",
        "x y z w " * 16,
        "abcd" * 250,
    ],
)
def test_a2_a3_any_script_blanks_and_long_ones_are_welcome(password: str) -> None:
    assert passwords.check(password) == password


def test_a2_there_is_an_end() -> None:
    with pytest.raises(Invalid, match="at most 1000"):
        passwords.check("abcd" * 250 + "e")


@pytest.mark.parametrize("password", ["a" * 15, "ababababababababab", "abcabcabcabcabc", "               "])
def test_a4_one_that_is_hardly_more_than_a_key_held_down_is_refused(password: str) -> None:
    with pytest.raises(Invalid, match="too easy to guess"):
        passwords.check(password)


def test_a2_nothing_is_cut_off() -> None:
    long = "a quiet river " * 8
    stored = passwords.hashed(f"{long}one")
    assert passwords.matches(stored, f"{long}one")
    assert not passwords.matches(stored, f"{long}two")


def test_two_hashes_of_one_password_differ_and_do_not_show_it() -> None:
    first, second = passwords.hashed("quiet rivers run deep"), passwords.hashed("quiet rivers run deep")
    assert first != second
    assert first.startswith("$argon2id$")
    assert "quiet" not in first


@pytest.mark.parametrize("stored", [None, "", "plain", "$argon2id$v=19$broken"])
def test_a8_without_a_stored_password_nothing_matches(stored: str | None) -> None:
    assert not passwords.matches(stored, "quiet rivers run deep")
    assert not passwords.matches(stored, "")


@settings(max_examples=20)  # each takes as long as a sign-in
@given(st.text(max_size=200) | st.just("\ud800\0"))
def test_whatever_is_typed_is_answered_and_only_the_password_opens(typed: str) -> None:
    assert passwords.matches(STORED, typed) == (typed == "quiet rivers run deep")


STORED = passwords.hashed("quiet rivers run deep")
