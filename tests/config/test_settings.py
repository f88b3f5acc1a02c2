"""Settings: every mistake stops the start with one line that names the key, the value and what is expected."""

import errno
import os
import re
import stat
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from service.config.keys import secret_key, setup_code
from service.config.settings import ROOT, Settings, SettingsError, load


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """A settings file that says nothing yet."""
    path = tmp_path / "clinic.toml"
    path.touch()
    return path


def refusal(file: Path, **environ: str) -> str:
    """The one line a start with these settings ends with."""
    with pytest.raises(SettingsError) as refused:
        load(file, environ)
    line = str(refused.value)
    assert "\n" not in line
    return line


MISTAKES = {
    "an unknown key": ("[server]\nprot = 8000", ["server.prot", "unknown key"]),
    "an unknown section": ("[sevrer]\nport = 8000", ["sevrer", "unknown section"]),
    "a key outside every section": ("port = 8000", ["port", "unknown section"]),
    "the folder of relative paths": ('base = "/tmp"', ["base", "unknown section"]),
    "text for a number": ('[server]\nport = "8000"', ["server.port", "'8000'", "integer"]),
    "a truth for a number": ("[server]\nthreads = true", ["server.threads", "True", "integer"]),
    "a number for a truth": ("[messages]\nhold = 1", ["messages.hold", "1", "boolean"]),
    "a number for text": ("[clinic]\nname = 7", ["clinic.name", "7", "string"]),
    "a list for text": ('[clinic]\nname = ["a"]', ["clinic.name", "['a']", "string"]),
    "a value for a section": ("server = 8000", ["server", "8000", "table"]),
    "a port beyond the last": ("[server]\nport = 65536", ["server.port", "65536", "65535"]),
    "no thread": ("[server]\nthreads = 0", ["server.threads", "0", "greater than or equal to 1"]),
    "a zone that does not exist": ('[clinic]\ntimezone = "Europe/Berlni"', ["clinic.timezone", "Berlni", "zone name"]),
    "an empty zone": ('[clinic]\ntimezone = ""', ["clinic.timezone", "''", "zone name"]),
    "a zone outside its folder": ('[clinic]\ntimezone = "../../etc/passwd"', ["clinic.timezone", "zone name"]),
    "a zone that is a folder": ('[clinic]\ntimezone = "Europe"', ["clinic.timezone", "'Europe'", "zone name"]),
    "an hour of 25": ('[jobs]\nreminders_at = "25:00"', ["jobs.reminders_at", "25:00", "time of day such as 08:00"]),
    "an hour of 24": ('[jobs]\nsheets_at = "24:00"', ["jobs.sheets_at", "24:00", "time of day such as 07:00"]),
    "an hour of one digit": ('[jobs]\nreports_at = "8:00"', ["jobs.reports_at", "8:00", "time of day such as 00:00"]),
    "a time with a line break": ('[backup]\nat = "03:00\\n"', ["backup.at", r"03:00\n", "time of day such as 03:00"]),
    "a time that is not text": ("[jobs]\nreminders_at = 08:00:00", ["jobs.reminders_at", "string"]),
    "a day most months lack": ("[jobs]\nreports_day = 29", ["jobs.reports_day", "29", "28"]),
    "an unknown word": ('[email]\nsecurity = "ssl"', ["email.security", "'ssl'", "'starttls', 'tls' or 'none'"]),
    "a small country": ('[clinic]\ncountry = "de"', ["clinic.country", "'de'", "two capitals"]),
    "an address with a path": ('[clinic]\npublic_url = "https://a.example/x"', ["clinic.public_url", "without a path"]),
    "an address of brackets": ('[clinic]\npublic_url = "https://[::1"', ["clinic.public_url", "without a path"]),
    "a port beyond all": ('[clinic]\npublic_url = "http://a.example:70000"', ["clinic.public_url", "70000"]),
    "everybody as the proxy": ('[server]\ntrusted_proxy = "*"', ["server.trusted_proxy", "'*'", "in numbers"]),
    "a proxy by name": ('[server]\ntrusted_proxy = "proxy"', ["server.trusted_proxy", "in numbers"]),
    "another kind of database": ('[database]\nurl = "mysql://x/y"', ["database.url", "mysql", "sqlite:///FILE"]),
    "a history kept for no time": ("[exports]\nkeep_hours = 0", ["exports.keep_hours", "0", "1"]),
    "a password in the file": ('[email]\npassword = "x"', ["email.password", "unknown key"]),
    "the same key twice": ("[server]\nport = 1\nport = 2\nthreads = 1", ["not valid TOML", "line 3"]),
    "a quote left open": ('[clinic]\nname = "Our\ncountry = "DE"', ["not valid TOML", "line 2"]),
    "e-mail without a server": ("[email]\nenabled = true", ["email.host", "name the mail server"]),
    "e-mail without a sender": ('[email]\nenabled = true\nhost = "mail.example"', ["email.sender", "''", "address"]),
    "a password that anybody could read": (
        '[email]\nenabled = true\nhost = "mail.example"\nsender = "a@b.example"\nusername = "a"\nsecurity = "none"',
        ["email.security", "readable"],
    ),
    "SMS without a gateway": ("[sms]\nenabled = true", ["sms.url", "gateway"]),
    "SMS without a text": ('[sms]\nenabled = true\nurl = "https://sms.example/{to}"', ["sms.body", "{text}"]),
    "SMS with a name that is none": (
        '[sms]\nenabled = true\nurl = "https://sms.example/{to}"\nbody = "{text}{token}"',
        ["{token}", "secret"],
    ),
    "a gateway that is no address": ('[sms]\nurl = "sms.example"', ["sms.url", "sms.example"]),
    "a shared cache without an address": ('[cache]\ntype = "RedisCache"', ["cache.redis_url", "is empty", "redis://"]),
    "workers without a broker": ('[jobs]\nbackend = "celery"', ["jobs.broker_url", "is empty", "redis://"]),
    "a broker of another kind": (
        '[jobs]\nbackend = "celery"\nbroker_url = "amqp://rounds:secret@localhost"',
        ["jobs.broker_url", "redis://"],
    ),
}


@pytest.mark.parametrize(("text", "words"), MISTAKES.values(), ids=MISTAKES.keys())
def test_a_mistake_stops_the_start_with_one_line_about_it(file: Path, text: str, words: list[str]) -> None:
    file.write_text(text)
    line = refusal(file)
    assert [word for word in words if word not in line] == []
    assert "clinic.toml" in line
    assert "secret@" not in line


@pytest.mark.parametrize(
    ("text", "package"),
    [
        ('[cache]\ntype = "RedisCache"\nredis_url = "redis://localhost/1"', "redis"),
        ('[jobs]\nbackend = "celery"\nbroker_url = "redis://localhost/0"', "celery"),
    ],
)
def test_a_package_that_is_left_out_is_said_in_one_line(
    file: Path, text: str, package: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    file.write_text(text)
    assert load(file, {})
    monkeypatch.setattr("service.config.settings.find_spec", lambda _name: None)
    assert f"needs the package {package}, which is not installed" in refusal(file)


def test_a_file_that_was_named_and_is_missing_stops_the_start(tmp_path: Path) -> None:
    assert str(tmp_path / "none.toml") in refusal(tmp_path / "none.toml")


def test_a_folder_in_place_of_the_file_stops_the_start(tmp_path: Path) -> None:
    assert str(tmp_path) in refusal(tmp_path)


def test_a_file_in_another_encoding_stops_the_start(file: Path) -> None:
    file.write_bytes('[clinic]\nname = "Praxis Müller"'.encode("latin-1"))
    assert str(file) in refusal(file)


def test_a_file_saved_with_a_byte_order_mark_is_read(file: Path) -> None:
    file.write_bytes(b'\xef\xbb\xbf[clinic]\nname = "Praxis"')
    assert load(file, {}).clinic.name == "Praxis"


def test_relative_paths_start_from_the_file(file: Path) -> None:
    settings = load(file, {})
    assert settings.database_url == f"sqlite:///{file.parent / 'rounds.db'}"
    assert settings.histories == file.parent / "exports" / "histories"


def test_an_absolute_database_file_stays_where_it_is(file: Path) -> None:
    file.write_text('[database]\nurl = "sqlite:////srv/rounds.db"')
    assert load(file, {}).database_url == "sqlite:////srv/rounds.db"


@pytest.mark.parametrize(
    ("variable", "text", "section", "key", "value"),
    [
        ("ROUNDS_SERVER_PORT", "8080", "server", "port", 8080),
        ("ROUNDS_MESSAGES_HOLD", "true", "messages", "hold", True),
        ("ROUNDS_CLINIC_NAME", "Praxis am Park", "clinic", "name", "Praxis am Park"),
        ("ROUNDS_CLINIC_NAME", '"Praxis \\"Park\\""', "clinic", "name", 'Praxis "Park"'),
        ("ROUNDS_CLINIC_NAME", "2030", "clinic", "name", "2030"),
        ("ROUNDS_CLINIC_PUBLIC_URL", "https://rounds.example", "clinic", "public_url", "https://rounds.example"),
        ("ROUNDS_JOBS_REMINDERS_AT", "07:30", "jobs", "reminders_at", "07:30"),
        ("ROUNDS_DATABASE_URL", "sqlite:///other.db", "database", "url", "sqlite:///other.db"),
    ],
)
def test_the_environment_wins_over_the_file(
    file: Path, variable: str, text: str, section: str, key: str, value: Any
) -> None:
    file.write_text('[server]\nport = 1\n[clinic]\nname = "From the file"')
    assert getattr(getattr(load(file, {variable: text}), section), key) == value


@pytest.mark.parametrize(
    ("variable", "text", "words"),
    [
        ("ROUNDS_SERVER_PROT", "8080", ["server.prot", "unknown key"]),
        ("ROUNDS_SERVER_PORT", "eighty", ["server.port", "'eighty'", "integer"]),
        ("ROUNDS_JOBS_REMINDERS_AT", "8 am", ["jobs.reminders_at", "'8 am'", "time of day"]),
    ],
)
def test_a_mistake_in_the_environment_stops_the_start(file: Path, variable: str, text: str, words: list[str]) -> None:
    line = refusal(file, **{variable: text})
    assert [word for word in words if word not in line] == []


@pytest.mark.parametrize(
    "variable",
    [
        "ROUNDS_HOME_DIR",
        "ROUNDS_TEST_POSTGRES_URL",
        "ROUNDS_",
        "ROUNDS",
        "ROUNDS_BASE_X",
        "ROUNDS_SERVER_",
        "OTHER_SERVER_PORT",
    ],
)
def test_other_variables_are_none_of_ours(file: Path, variable: str) -> None:
    assert load(file, {variable: "x"}) == load(file, {})


@pytest.mark.parametrize(
    "variable", ["ROUNDS_EMAIL_PASSWORD", "ROUNDS_EMAIL_PASSWORD_FILE", "ROUNDS_BACKUP_PASSPHRASE"]
)
def test_o8_a_secret_in_the_environment_is_no_setting_and_is_not_kept_in_them(file: Path, variable: str) -> None:
    settings = load(file, {variable: "open sesame"})
    assert settings == load(file, {})
    assert "open sesame" not in repr(settings)


def test_settings_cannot_be_changed_while_running(file: Path) -> None:
    settings = load(file, {})
    with pytest.raises(ValidationError, match="frozen"):
        settings.server.port = 1
    with pytest.raises(ValidationError, match="frozen"):
        settings.server = settings.server


def test_the_file_we_hand_out_says_exactly_the_defaults() -> None:
    assert load(ROOT / "config.toml", {}) == Settings(base=ROOT, file=ROOT / "config.toml")


def test_the_file_we_hand_out_names_every_key_with_a_comment() -> None:
    found: dict[str, set[str]] = {}
    section = ""
    for line in (ROOT / "config.toml").read_text(encoding="utf-8").splitlines():
        if header := re.match(r"\[(\w+)\]", line):
            section = header[1]
            found[section] = set()
        elif key := re.match(r"(\w+) = ", line):
            found[section].add(key[1])
    assert found == {name: set(table) for name, table in Settings().model_dump().items()}


# The key that signs form tokens


def test_o8_the_key_is_made_at_the_first_start_for_its_owner_only_and_kept(tmp_path: Path) -> None:
    settings = Settings(base=tmp_path)
    key = secret_key(settings)
    assert len(key) >= 32
    assert stat.S_IMODE((tmp_path / "secret.key").stat().st_mode) == 0o600
    assert secret_key(settings) == key


def test_o8_two_installations_have_two_keys(tmp_path: Path) -> None:
    (tmp_path / "other").mkdir()
    assert secret_key(Settings(base=tmp_path)) != secret_key(Settings(base=tmp_path / "other"))


def test_o8_a_stick_that_knows_no_links_gets_a_key_as_well(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(_made: Path, _file: Path) -> None:
        raise PermissionError(errno.EPERM, os.strerror(errno.EPERM))

    monkeypatch.setattr(os, "link", refuse)
    key = secret_key(Settings(base=tmp_path))
    assert [file.name for file in tmp_path.iterdir()] == ["secret.key"]
    assert secret_key(Settings(base=tmp_path)) == key


@pytest.mark.parametrize("by_file", [False, True])
def test_o8_several_computers_share_a_key_that_they_are_given(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, by_file: bool
) -> None:
    (tmp_path / "key").write_text("k" * 40 + "\n")
    shared = {"ROUNDS_SECRET_KEY_FILE": str(tmp_path / "key")} if by_file else {"ROUNDS_SECRET_KEY": "k" * 40}
    for name, value in shared.items():
        monkeypatch.setenv(name, value)
    key = secret_key(Settings(base=tmp_path))
    assert key == b"k" * 40
    assert not (tmp_path / "secret.key").exists()
    assert setup_code(key) == setup_code(b"k" * 40) != setup_code(b"j" * 40)


@pytest.mark.parametrize("given", ["", "x" * 31])
def test_o8_a_shared_key_that_is_too_short_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, given: str
) -> None:
    monkeypatch.setenv("ROUNDS_SECRET_KEY", given)
    with pytest.raises(SettingsError, match=r"ROUNDS_SECRET_KEY.*32"):
        secret_key(Settings(base=tmp_path))
    assert not (tmp_path / "secret.key").exists()


@pytest.mark.parametrize("content", [b"", b"x" * 31])
def test_o8_a_key_too_short_to_be_safe_is_refused_and_left_alone(tmp_path: Path, content: bytes) -> None:
    file = tmp_path / "secret.key"
    file.write_bytes(content)
    with pytest.raises(SettingsError, match="too short") as refused:
        secret_key(Settings(base=tmp_path))
    assert str(file) in str(refused.value)
    assert file.read_bytes() == content


def test_o8_a_folder_that_is_missing_is_said_in_one_line(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match=r"secret\.key cannot be written") as refused:
        secret_key(Settings(base=tmp_path / "none"))
    assert "\n" not in str(refused.value)
