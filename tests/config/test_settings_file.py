"""config.toml as the pages write it: comments stay, odd texts survive, and nothing is half written."""

import os
import stat
import tomllib
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.config import keys, settings_file
from service.config.settings import Settings, SettingsError, load
from service.config.settings_file import prepare

TEXT = '# on top\n[clinic]\n  name = "Our clinic"   # on the door\n\n[email] # later\nenabled = false\n'


@pytest.fixture
def file(tmp_path: Path) -> Path:
    made = tmp_path / "config.toml"
    made.write_text(TEXT, encoding="utf-8")
    return made


def settings(file: Path) -> Settings:
    return load(file, {})


@pytest.mark.parametrize(
    "name",
    [
        'Dr "Ö" \\ Söhne',
        '"""',
        "'''",
        "🦷 Zähne 🦷",
        "a\r\nb",
        "# no comment",
        "${HOME}",
        "\u2028",
        "[clinic]",
        "x = 1",
    ],
)
def test_any_name_survives_and_all_else_stays(file: Path, name: str) -> None:
    change = prepare(settings(file), {"clinic.name": name})
    assert file.read_text(encoding="utf-8") == TEXT
    change.write()
    assert settings(file).clinic.name == name
    lines = file.read_text(encoding="utf-8").replace("\r\n", "\n").split("\n")
    assert lines[:2] == ["# on top", "[clinic]"]
    assert lines[2].startswith("  name = ")
    assert lines[2].endswith("   # on the door")
    assert lines[3:] == TEXT.split("\n")[3:]


@given(name=st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=100))
def test_whatever_is_written_is_what_is_read(name: str) -> None:
    said = settings_file._laid_over(TEXT, {"clinic.name": name}, "config.toml")
    assert tomllib.loads(said)["clinic"]["name"] == name


def test_missing_sections_and_a_missing_file_are_made(tmp_path: Path) -> None:
    at = tmp_path / "config.toml"
    prepare(Settings(base=tmp_path, file=at), {"server.port": 8080, "clinic.name": "Park"}).write()
    assert tomllib.loads(at.read_text(encoding="utf-8")) == {"server": {"port": 8080}, "clinic": {"name": "Park"}}


def test_a_file_with_windows_line_ends_and_a_mark_is_read_and_written(file: Path) -> None:
    file.write_bytes(b"\xef\xbb\xbf" + TEXT.replace("\n", "\r\n").encode())
    prepare(settings(file), {"clinic.phone": "030 1"}).write()
    assert settings(file).clinic.phone == "030 1"
    assert b"# on the door\r\n" in file.read_bytes()


@pytest.mark.parametrize(
    ("key", "value", "said"),
    [
        ("clinic.timezone", "Mars/Olympus", "clinic.timezone"),
        ("server.port", 70_000, "65535"),
        ("email.enabled", True, "email.host is empty"),
        ("clinic.country", "Germany", "country code"),
    ],
)
def test_what_a_start_would_refuse_is_never_written(file: Path, key: str, value: object, said: str) -> None:
    with pytest.raises(SettingsError, match=said):
        prepare(settings(file), {key: value})
    assert file.read_text(encoding="utf-8") == TEXT


def test_a_file_that_may_only_be_read_is_left_alone_with_a_clear_sentence(file: Path) -> None:
    file.chmod(0o444)
    with pytest.raises(SettingsError, match=r"config\.toml may only be read: nothing was changed"):
        prepare(settings(file), {"clinic.name": "Park"})
    assert file.read_text(encoding="utf-8") == TEXT


def test_mode_stays_and_a_secret_is_for_its_owner_only(file: Path) -> None:
    file.chmod(0o640)
    prepare(settings(file), {"clinic.name": "Park"}, {"email.password": "secret words"}).write()
    assert stat.S_IMODE(file.stat().st_mode) == 0o640
    secret = file.with_name("email.password")
    assert (secret.read_text(encoding="utf-8"), stat.S_IMODE(secret.stat().st_mode)) == ("secret words", 0o600)
    assert sorted(one.name for one in file.parent.iterdir()) == ["config.toml", "email.password"]


def test_a_failure_takes_everything_back(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    change = prepare(settings(file), {"clinic.name": "Park"}, {"email.password": "secret words"})
    replace, turns = os.replace, iter([True, False])

    def fail(source: Path, target: Path) -> None:
        if not next(turns, True):
            raise OSError(28, "No space left on device")
        replace(source, target)

    monkeypatch.setattr(os, "replace", fail)
    with pytest.raises(SettingsError, match="No space left on device"):
        change.write()
    assert file.read_text(encoding="utf-8") == TEXT
    assert [one.name for one in file.parent.iterdir()] == ["config.toml"]


def test_a_concurrent_edit_is_not_overwritten(file: Path) -> None:
    change = prepare(settings(file), {"clinic.name": "Park"})
    file.write_text("[clinic]\nname = 'River'\n", encoding="utf-8")
    with pytest.raises(SettingsError, match="changed meanwhile"):
        change.write()
    assert settings(file).clinic.name == "River"


def test_undo_brings_the_former_text_back_unless_it_was_changed_since(file: Path) -> None:
    change = prepare(settings(file), {"clinic.name": "Park"})
    change.write()
    change.undo()
    assert file.read_text(encoding="utf-8") == TEXT
    change.write()
    file.write_text("[clinic]\nname = 'River'\n", encoding="utf-8")
    change.undo()
    assert settings(file).clinic.name == "River"


def test_a_key_that_is_fixed_from_outside_is_left_out(file: Path) -> None:
    fixed = load(file, {"ROUNDS_CLINIC_NAME": "From outside"})
    change = prepare(fixed, {"clinic.name": "Park", "clinic.phone": "1"})
    change.write()
    assert settings(file).clinic.name == "Our clinic"
    assert settings(file).clinic.phone == "1"


@pytest.mark.skipif(os.name == "nt", reason="links there are for administrators")
def test_a_link_stays_one_and_the_password_lies_where_it_is_read(file: Path, tmp_path: Path) -> None:
    clinic = tmp_path / "clinic"
    clinic.mkdir()
    link = clinic / "config.toml"
    link.symlink_to(file)
    change = prepare(settings(link), {"clinic.name": "Park"}, {keys.OF_EMAIL: "words"})
    change.write()
    assert link.is_symlink()
    assert settings(link).clinic.name == "Park"
    assert change.settings.base == clinic
    assert keys.email_password(settings(link), {}) == "words"


def test_the_same_change_twice_does_not_take_the_first_one_back(file: Path) -> None:
    first, second = (prepare(settings(file), {"clinic.name": "Park"}, {keys.OF_EMAIL: "words"}) for _turn in range(2))
    with first.undone_on_failure():
        first.write()
    with pytest.raises(SettingsError, match="changed meanwhile"), second.undone_on_failure():
        second.write()
    with pytest.raises(KeyError), second.undone_on_failure():
        raise KeyError
    assert settings(file).clinic.name == "Park"
    assert keys.email_password(settings(file), {}) == "words"
    first.undo()
    assert file.read_text(encoding="utf-8") == TEXT
    assert not (file.parent / keys.OF_EMAIL).exists()
