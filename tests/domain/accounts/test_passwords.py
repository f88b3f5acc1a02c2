"""Passwords: what may be one, and that only the very same one opens the door."""

from contextlib import suppress
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from service.domain.accounts import passwords
from service.domain.foundation.errors import Invalid


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
        "🙂🌧🚲🏠🌲🐟🎺🍞🧦🕯🪑🧭🎈🦉🥨",
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


@pytest.mark.parametrize(
    ("password", "reason"),
    [
        ("passwordpassword", "repeats itself"),
        ("iloveyouiloveyou", "repeats itself"),
        ("abcdefghijklmnopqrst", "a sequence of letters"),
        ("123456789012345", "a sequence of letters|many people use it"),
        ("password12345678", "many people use it"),
        ("qwertzuiop123456", "many people use it"),
        ("Park Practice 2026", "the clinic's name, your name"),
        ("park-practice-2026!", "the clinic's name, your name"),
        ("PARKPRACTICE2026", "the clinic's name, your name"),
        ("Rita Tresen 1980", "the clinic's name, your name"),
        ("rita.tresen@clinic.example", "the clinic's name, your name"),
        ("ｐａｓｓｗｏｒｄｐａｓｓｗｏｒｄ", "repeats itself"),
    ],
)
def test_a4_what_others_would_try_first_is_refused_with_the_reason(password: str, reason: str) -> None:
    with pytest.raises(Invalid, match=f"too easy to guess: .*({reason})"):
        passwords.check(password, about=("Park Practice", "Rita Tresen", "rita.tresen@clinic.example"))


@pytest.mark.parametrize(
    "password",
    [
        "princess12" * 4,
        "passwordpasswordpasswordpassword",
        "abcdefghijklmnopqrstuvwxyz0123456789",
        "rita.tresen@clinic.example rita.tresen@clinic.example",
        "Park Practice, Rita Tresen, rita.tresen@clinic.example!",
        "P@$$w0rdP@$$w0rdP@$$w0rdP@$$w0rd",
    ],
)
def test_h17_a_long_one_is_estimated_in_part_and_still_refused_when_all_of_it_is_easy(password: str) -> None:
    assert len(password) > passwords.ESTIMATED
    with pytest.raises(Invalid, match="too easy to guess"):
        passwords.check(password, about=("Park Practice", "Rita Tresen", "rita.tresen@clinic.example"))


@pytest.mark.parametrize(
    "password", ["rita.tresen@clinic.example walks her seven dogs", "mauve kites password12345678"]
)
def test_h17_one_good_end_is_enough(password: str) -> None:
    assert passwords.check(password, about=("Park Practice", "Rita Tresen", "rita.tresen@clinic.example")) == password


@pytest.mark.parametrize("length", [15, 24, 25, 40, 64, 65, 1000])
@pytest.mark.parametrize("signs", ["4@8({[<3691!|70$5+%2", "quiet rivers run deep ", "パスワードは長い方がよい"])
def test_h17_the_estimator_never_gets_more_than_it_can_do_at_once(
    monkeypatch: pytest.MonkeyPatch, length: int, signs: str
) -> None:
    given = list[str]()

    def estimated(password: str, user_inputs: list[str]) -> dict[str, Any]:
        given.append(password)
        return {"guesses_log10": 0, "sequence": []}

    monkeypatch.setattr("zxcvbn.zxcvbn", estimated)
    with suppress(Invalid):
        passwords.check((signs * 60)[:length], about=(signs,))
    assert len(given) <= 4
    assert all(len(part) <= passwords.ESTIMATED for part in given)


def test_a1_with_a_second_factor_eight_characters_are_enough() -> None:
    assert passwords.check("kxjdrtmw", second_factor=True) == "kxjdrtmw"
    with pytest.raises(Invalid, match="at least 8 characters"):
        passwords.check("kxjdrtm", second_factor=True)
    with pytest.raises(Invalid, match="many people use it"):
        passwords.check("letmein1", second_factor=True)


def test_a1_only_the_short_one_is_bound_to_the_second_factor() -> None:
    assert passwords.chosen("kxjdrtmw", second_factor=True).is_short
    assert not passwords.chosen("quiet rivers run deep", second_factor=True).is_short


def test_a2_the_same_signs_of_another_keyboard_are_the_same_password() -> None:
    stored = passwords.hashed("Stra\u00dfe am gr\u00fcnen Fl\u00fc\u00dfchen")
    assert passwords.matches(stored, "Stra\u00dfe am gru\u0308nen Flu\u0308\u00dfchen")


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
