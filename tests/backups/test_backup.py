"""O2, F26: a backup is made while others write, is closed to others, is tried out, and says what it holds."""

import os
import sqlite3
import stat
import zipfile
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from threading import Event, Thread

import pytest

from service.backups import archive, making, rotation, sqlite_copy, staging
from service.backups.errors import BackupError, NoRoom
from service.config.settings import ROOT, Settings, SettingsError, load
from tests import patience
from tests.backups.drill import about, backed_up, backups, names, small_clinic, unpacked
from tests.faults.disks import disk, fill
from tests.house import House, at
from tests.process.launching import configure, run, sentence

pytestmark = pytest.mark.sqlite("copies of its file; PostgreSQL's are made by pg_dump: test_postgresql.py")


def made(house: House, **more: object) -> making.Made:
    return making.make(house.wiring.database, house.settings, **more)  # type: ignore[arg-type]


def test_o2_the_command_makes_a_backup_that_is_closed_to_others_and_says_what_it_holds(
    house: House, tmp_path: Path
) -> None:
    doctor, lena = small_clinic(house)
    house.visit(doctor, lena, at("2026-05-04 08:00"))
    file = backed_up(tmp_path)
    assert [file] == backups(tmp_path)
    assert [one.name for one in (tmp_path / "backups").iterdir()] == [file.name], "no copy is left beside it"
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert stat.S_IMODE(file.parent.stat().st_mode) == 0o700
    said = about(file)
    assert said["counts"]["appointments"] == 1
    assert said["counts"]["patients"] == 2
    assert names(unpacked(file, tmp_path / "elsewhere")) == ["Lena", "Otto"]
    with zipfile.ZipFile(file) as packed:
        assert sorted(packed.namelist()) == ["about.json", "config.toml", "rounds.db"]


def test_o2_the_command_says_how_many_visits_and_that_it_was_tried_out(house: House, tmp_path: Path) -> None:
    small_clinic(house)
    configure(tmp_path)
    done = run(tmp_path, "backup", "--output", str(tmp_path / "stick.zip"))
    assert (done.returncode, done.stdout.strip().endswith("restored in a test: yes.")) == (0, True), done
    assert "0 appointments" in done.stdout
    assert about(tmp_path / "stick.zip")["counts"]["patients"] == 2
    assert backups(tmp_path) == []


def test_an_existing_file_or_a_missing_folder_is_refused(house: House, tmp_path: Path) -> None:
    configure(tmp_path)
    (tmp_path / "taken.zip").write_text("mine")
    assert "already exists" in sentence(run(tmp_path, "backup", "--output", str(tmp_path / "taken.zip")))
    assert (tmp_path / "taken.zip").read_text() == "mine"
    assert "no folder" in sentence(run(tmp_path, "backup", "--output", str(tmp_path / "none" / "a.zip")))


def test_without_a_database_there_is_nothing_to_back_up(tmp_path: Path) -> None:
    configure(tmp_path)
    assert "no database yet" in sentence(run(tmp_path, "backup"))


@pytest.mark.parametrize("key", ["folder", "second_folder"])
def test_o2_a_folder_that_everybody_can_read_is_refused(tmp_path: Path, key: str) -> None:
    file = configure(tmp_path, f'[backup]\n{key} = "{(ROOT / "static" / "backups").as_posix()}"')
    with pytest.raises(SettingsError, match=f"backup.{key}"):
        load(file, {})


def test_f26_a_backup_while_others_write_is_one_consistent_state(house: House, tmp_path: Path) -> None:
    with house.writing() as session:
        session.connection().exec_driver_sql("CREATE TABLE pairs (left_one INTEGER, right_one INTEGER)")
        session.connection().exec_driver_sql("INSERT INTO pairs VALUES (0, 0)")
    stop, written = Event(), Event()

    def write() -> None:
        with closing(sqlite3.connect(tmp_path / "rounds.db", isolation_level=None, timeout=patience.SECONDS)) as other:
            while not stop.is_set():
                other.execute("BEGIN IMMEDIATE")
                other.execute("UPDATE pairs SET left_one = left_one + 1")
                other.execute("UPDATE pairs SET right_one = right_one + 1")
                other.execute("INSERT INTO pairs SELECT left_one, right_one FROM pairs LIMIT 1")
                other.execute("COMMIT")
                written.set()

    writer = Thread(target=write)
    writer.start()
    try:
        assert written.wait(patience.SECONDS)
        for number in range(5):
            folder = unpacked(made(house).file, tmp_path / str(number))
            with closing(sqlite3.connect(folder / "rounds.db")) as copy:
                ((left, right, total),) = copy.execute(
                    "SELECT max(left_one), max(right_one), count(*) FROM pairs"
                ).fetchall()
            assert left == right == total - 1 > 0
    finally:
        stop.set()
        writer.join()


def spoil(what: str) -> Callable[[sqlite3.Connection, Path], None]:
    """A copy in which something is not as it was."""
    real = sqlite_copy.copy

    def copy(source: sqlite3.Connection, target: Path) -> None:
        real(source, target)
        if what == "a page":
            pages = target.read_bytes()
            target.write_bytes(pages[:8192] + os.urandom(4096 * 3) + pages[20480:])
        else:
            with closing(sqlite3.connect(target)) as connection, connection:
                connection.execute(
                    "INSERT INTO guardians (user_id, patient_id, created_at) VALUES (901, 902, '2026-01-01 00:00:00')"
                )

    return copy


@pytest.mark.parametrize("what", ["a page", "a reference"])
def test_o2_a_copy_that_is_damaged_is_no_backup(
    house: House, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, what: str
) -> None:
    small_clinic(house)
    good = made(house).file
    monkeypatch.setattr(sqlite_copy, "copy", spoil(what))
    with pytest.raises(BackupError, match=r"damaged|malformed"):
        made(house)
    assert list((tmp_path / "backups").iterdir()) == [good]


def test_o2_bytes_that_change_on_their_way_to_the_disk_are_noticed(
    house: House, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = archive.pack

    def pack(target, *more) -> None:  # type: ignore[no-untyped-def]
        real(target, *more)
        target.seek(300)
        target.write(b"\0" * 64)

    monkeypatch.setattr(archive, "pack", pack)
    with pytest.raises(BackupError, match="damaged"):
        made(house)
    assert list((tmp_path / "backups").iterdir()) == []


def test_what_a_killed_backup_left_is_cleared_away_and_a_running_one_is_left_alone(
    house: House, tmp_path: Path
) -> None:
    folder = rotation.folder_of(house.settings)
    dead = folder / f"{staging.PREFIX}dead"
    dead.mkdir()
    (dead / "rounds.db").write_text("half")
    with staging.opened(folder) as alive:
        made(house)
        assert alive.is_dir()
        assert not dead.exists()


def test_f7_a_full_disk_is_said_and_leaves_nothing_behind(
    tmp_path: Path, make_house: Callable[..., House], database_url: str
) -> None:
    with disk(tmp_path / "stick", "2m") as stick:
        house = make_house(backup={"folder": str(stick / "backups")})
        fill(stick)
        with pytest.raises(NoRoom, match="enough space for a backup"):
            made(house)
        assert [file.name for file in stick.iterdir() if file.is_dir()] == ["backups"]
        assert list((stick / "backups").iterdir()) == []
        (stick / "somebody-elses-film").unlink()
        assert made(house).file.is_file()


def test_the_second_folder_gets_a_copy_and_its_absence_is_no_failure(
    tmp_path: Path, make_house: Callable[..., House]
) -> None:
    house = make_house(backup={"second_folder": "stick"})
    first = made(house)
    assert first.second == "missing"
    assert not (tmp_path / "stick").exists(), "where the stick belongs nothing is written to the disk itself"
    (tmp_path / "stick").mkdir()
    second = made(house)
    assert second.second == "copied"
    (copy,) = (tmp_path / "stick").iterdir()
    assert copy.read_bytes() == second.file.read_bytes()
    assert stat.S_IMODE(copy.stat().st_mode) == 0o600


def test_a_second_folder_that_is_full_does_not_spoil_the_first(
    tmp_path: Path, make_house: Callable[..., House]
) -> None:
    with disk(tmp_path / "stick", "1m") as stick:
        house = make_house(backup={"second_folder": "stick"})
        fill(stick)
        one = made(house)
        assert one.second == "failed"
        assert one.file.is_file()
        assert [file.name for file in stick.iterdir()] == ["somebody-elses-film"]


def test_settings_default_to_a_folder_beside_them(tmp_path: Path) -> None:
    assert Settings(base=tmp_path).backups == tmp_path / "backups"
