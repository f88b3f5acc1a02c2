"""Any folder name is a clinic of its own (p1), and `~` never becomes a folder of that name (p2)."""

import os
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import make_url

from service.backups import making, restoring
from service.config.settings import Settings, SettingsError, load
from service.process import single_instance, system_service
from service.storage.database import Database, migrate
from tests.process.launching import ROOT, Client, configure, run, serving

NASTY = (
    "Praxis%20Neu",
    "Who?",
    "a #1 & b;c",
    'it\'s "ours"',
    "Ärzte 診療所 🩺",
    "dots...",
    "$HOME `x` \\back",
    "CON",
    "100%",
)


def clinic_in(folder: Path) -> Settings:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "config.toml").write_text("")
    return load(folder / "config.toml", {})


def note(settings: Settings, word: str) -> None:
    """Leave a word in a clinic's database, whose file is there: by itself SQLite makes none."""
    database = Database(settings.database_url)
    try:
        with database.engine.connect() as connection:
            connection.exec_driver_sql("CREATE TABLE IF NOT EXISTS words (word TEXT)")
            connection.exec_driver_sql("INSERT INTO words VALUES (?)", (word,))
            connection.commit()
    finally:
        database.close()


names = st.text(st.characters(exclude_categories=("Cs", "Cc"), exclude_characters="/"), min_size=1, max_size=40).filter(
    lambda name: name not in (".", "..") and len(name.encode()) < 200
)


def test_p1_whatever_a_folder_is_called_its_database_is_in_it(tmp_path: Path) -> None:
    @settings(max_examples=100, suppress_health_check=[HealthCheck.function_scoped_fixture])
    @given(name=names)
    def check(name: str) -> None:
        folder = tmp_path / name
        chosen = clinic_in(folder)
        (folder / "rounds.db").touch()
        assert make_url(chosen.database_url).database == str(folder / "rounds.db")
        with single_instance.instance_lock(chosen):
            note(chosen, name)
        with closing(sqlite3.connect(folder / "rounds.db")) as connection:
            assert {word for (word,) in connection.execute("SELECT word FROM words")} == {name}
        unit = system_service.text(chosen, "rounds", "linux")
        (line,) = [one for one in unit.splitlines() if one.startswith("WorkingDirectory=")]
        assert line.removeprefix("WorkingDirectory=").replace("%%", "%") == str(folder)

    check()


def test_p1_two_folders_that_read_the_same_in_a_url_are_two_clinics(tmp_path: Path) -> None:
    twins = ("Praxis Neu", "Praxis%20Neu", "Praxis+Neu", "Praxis%2520Neu", "Praxis?Neu", "Praxis#Neu", "Praxis;Neu")
    for name in twins:
        chosen = clinic_in(tmp_path / name)
        database = Database(chosen.database_url)
        migrate(database)
        database.close()
        note(chosen, name)
    for name in twins:
        with closing(sqlite3.connect(tmp_path / name / "rounds.db")) as connection:
            assert connection.execute("SELECT word FROM words").fetchall() == [(name,)]
    assert sorted(folder.name for folder in tmp_path.iterdir()) == sorted(twins)


@pytest.mark.parametrize("name", NASTY)
def test_p1_a_clinic_in_any_folder_is_backed_up_and_restored(tmp_path: Path, name: str) -> None:
    chosen = clinic_in(tmp_path / name)
    database = Database(chosen.database_url)
    migrate(database)
    made = making.make(database, chosen)
    database.close()
    assert made.file.parent == tmp_path / name / "backups"
    with restoring.opened(made.file, chosen) as found:
        aside = restoring.put_in_place(found, chosen, lambda _session: None)
    assert aside is not None
    assert aside.parent == made.file.parent
    assert [folder.name for folder in tmp_path.iterdir()] == [name]


@pytest.mark.tour
@pytest.mark.parametrize("name", NASTY)
def test_p1_the_service_starts_in_any_folder(tmp_path: Path, name: str) -> None:
    folder = tmp_path / name
    folder.mkdir()
    configure(folder, '[backup]\nfolder = "kept % here?"\n[exports]\nfolder = "out #1"')
    assert run(folder, "demo", "--doctors", "1", "--patients", "10", "--appointments", "20").returncode == 0
    with serving(folder) as service:
        assert Client(service.url).get("/readyz").status == 200
    assert run(folder, "backup").returncode == 0
    assert list((folder / "kept % here?").glob("*.zip"))
    assert [one.name for one in tmp_path.iterdir()] == [name]


@pytest.mark.parametrize("name", NASTY)
def test_p1_a_command_that_is_shown_can_be_pasted_into_a_shell(tmp_path: Path, name: str) -> None:
    chosen = clinic_in(tmp_path / name)
    words = chosen.command("check").partition(" check ")[2]
    printed = subprocess.run(["sh", "-c", f"printf '%s\\n' {words}"], capture_output=True, text=True, check=True).stdout
    assert printed.splitlines() == ["--config", str(tmp_path / name / "config.toml")]


@pytest.mark.tour
def test_p1_migrations_run_from_any_folder(tmp_path: Path) -> None:
    program = tmp_path / "100% Rounds %20"
    program.mkdir()
    for part in ("service", "run.py", "static"):
        (program / part).symlink_to(ROOT / part)
    code = (
        "import sys; sys.path.insert(0, sys.argv[1])\n"
        "from pathlib import Path; from service.storage import database\n"
        "database.MIGRATIONS = Path(sys.argv[1]) / 'service' / 'storage' / 'migrations'\n"
        "made = database.Database('sqlite:///' + sys.argv[2]); print(database.migrate(made))"
    )
    line = [sys.executable, "-c", code, str(program), str(tmp_path / "rounds.db")]
    done = subprocess.run(line, capture_output=True, text=True, check=False, cwd=tmp_path)
    assert (done.returncode, done.stdout.strip().isdigit()) == (0, True), done.stderr


def test_p1_a_database_url_is_decoded_and_has_no_options(tmp_path: Path) -> None:
    for said, file in (("a%20b.db", "a b.db"), ("who%3F.db", "who?.db"), ("/srv/x y.db", "/srv/x y.db")):
        (tmp_path / "config.toml").write_text(f'[database]\nurl = "sqlite:///{said}"\n')
        assert load(tmp_path / "config.toml", {}).database_file == tmp_path / file
    (tmp_path / "config.toml").write_text('[database]\nurl = "sqlite:///who?.db"\n')
    with pytest.raises(SettingsError, match="%3F for a question mark"):
        load(tmp_path / "config.toml", {})


@pytest.mark.parametrize(
    "url",
    [
        "postgres://anna:s3cret@db/x",
        "postgresql+psycopg://anna:s3cret@db:port/x",
        "postgresql+psycopg://a:s3cret@[::1/x",
    ],
)
def test_p1_a_wrong_database_url_is_refused_in_a_line_without_its_password(tmp_path: Path, url: str) -> None:
    (tmp_path / "config.toml").write_text(f'[database]\nurl = "{url}"\n')
    with pytest.raises(SettingsError, match=r"database\.url") as refused:
        load(tmp_path / "config.toml", {})
    assert "s3cret" not in str(refused.value)
    assert "\n" not in str(refused.value)
    with pytest.raises(SettingsError) as refused:
        Settings(base=tmp_path).with_database(url)
    assert "s3cret" not in str(refused.value)


@pytest.mark.parametrize("password", ["p%40ss", "a%2Fb%3Fc%23d", "%25%25", "p+w d", "ü%C3%BC"])
def test_p1_any_password_is_in_a_server_s_url(tmp_path: Path, password: str) -> None:
    url = f"postgresql+psycopg://anna:{password}@db.example/clinic"
    (tmp_path / "config.toml").write_text(f'[database]\nurl = "{url}"\n')
    chosen = load(tmp_path / "config.toml", {})
    assert (chosen.database_file, chosen.database_url) == (None, url)
    assert make_url(url).host == "db.example"


SAID = (
    ("exports", "folder", "~/x"),
    ("backup", "folder", "~/x"),
    ("backup", "second_folder", "~"),
    ("messages", "templates", "~nobody-of-this-name/x"),
    ("email", "ca_file", "~/ca.pem"),
    ("database", "url", "sqlite:///~/rounds.db"),
)


@pytest.mark.parametrize(("section", "key", "value"), SAID)
def test_p2_a_setting_with_a_tilde_is_refused_with_the_whole_path(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, section: str, key: str, value: str
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    (tmp_path / "config.toml").write_text(f'[{section}]\n{key} = "{value}"\n')
    with pytest.raises(SettingsError, match=rf"{section}.{key} = .*: expected the whole path") as refused:
        load(tmp_path / "config.toml", {})
    assert value.startswith("~nobody") or str(tmp_path / "home") in str(refused.value)
    with pytest.raises(SettingsError, match="expected the whole path"):
        load(None, {f"ROUNDS_{section}_{key}".upper(): value})
    assert [one.name for one in tmp_path.iterdir()] == ["config.toml"]


def test_p2_a_folder_may_still_begin_with_a_tilde(tmp_path: Path) -> None:
    (tmp_path / "config.toml").write_text('[backup]\nfolder = "./~kept"\n')
    assert load(tmp_path / "config.toml", {}).backups == tmp_path / "~kept"


@pytest.mark.tour
def test_p2_a_tilde_in_options_means_the_home_of_the_current_user(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    home = tmp_path / "home"
    home.mkdir()
    monkeypatch.setenv("HOME", str(home))
    configure(home)
    line = ("--config", "~/config.toml")
    assert (
        run(
            tmp_path, "demo", "--doctors", "1", "--patients", "3", "--appointments", "5", *line, config=False
        ).returncode
        == 0
    )
    for words in (
        ("backup", "--output", "~/kept.zip"),
        ("export", "--patient", "1", "--output=~/history.csv"),
        ("install-service", "--output", "~/rounds.service"),
        ("restore", "~/kept.zip", "--yes"),
    ):
        done = run(tmp_path, *words, *line, config=False)
        assert (done.returncode, done.stderr.count("Error")) == (0, 0), done.stderr
    assert {"kept.zip", "history.csv", "rounds.service", "rounds.db"} <= {one.name for one in home.iterdir()}
    assert [one.name for one in tmp_path.iterdir()] == ["home"]
    lost = run(tmp_path, "backup", "--output", "~nobody-of-this-name/x", *line, config=False)
    assert (lost.returncode, "there is no such home" in lost.stderr) == (2, True)


def test_p2_a_file_with_a_secret_may_be_in_the_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    (tmp_path / "key").write_text("k" * 40)
    from service.config import keys

    monkeypatch.setenv("ROUNDS_SECRET_KEY_FILE", "~/key")
    assert keys.secret_key(Settings(base=tmp_path)) == b"k" * 40
    assert os.listdir(tmp_path) == ["key"]
