"""The database file goes away under the service: it stops with one line, and nothing it acknowledged is lost (H12)."""

import os
import re
import shlex
import shutil
import sqlite3
import zipfile
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path

import pytest

from service import clock
from tests.house import House
from tests.process.launching import Client, Service, configure, rows, run, serving

pytestmark = pytest.mark.sqlite("the file of a SQLite database")

Act = Callable[[Path], object]
ENDS = ("", "-wal", "-shm")


@dataclass
class Clinic:
    """A service whose database lies in a folder of its own, and a doctor who writes treatments."""

    service: Service
    doctor: Client
    home: Path
    folder: Path
    visits: list[int]
    acknowledged: list[str] = field(default_factory=list)

    def treat(self) -> int:
        """Write one treatment; the status of the answer."""
        words = f"Treatment {len(self.visits)}"
        status = self.doctor.post(f"/appointments/{self.visits.pop()}/treatment", {"diagnosis": words}).status
        if status == 303:
            self.acknowledged.append(words)
        return status

    def kept(self) -> list[str]:
        """What stands in the file that the path names."""
        return [words for (words,) in rows(self.folder, "SELECT diagnosis FROM treatments ORDER BY id")]

    def last_words(self) -> str:
        """The one plain line with which the service ended by itself."""
        assert self.service.ended() == 1
        said = self.service.err.read_text(encoding="utf-8").splitlines()
        assert [line for line in said if line.startswith("Error: ")] == said[-1:], said
        assert not [line for line in said if "trace=" in line], said
        return said[-1]


@pytest.fixture
def clinic(house: House, tmp_path: Path) -> Iterator[Clinic]:
    """A clinic in which something has been written already."""
    house.user("doctor", "ada@clinic.example", "Dr Ada")
    eve, now = house.patient("Eve"), clock.now()
    visits = [house.visit(1, eve, now - timedelta(minutes=20 * turn)) for turn in range(1, 9)]
    house.wiring.database.close()
    folder = tmp_path / "data"
    folder.mkdir()
    (tmp_path / "rounds.db").rename(folder / "rounds.db")
    configure(tmp_path, f'[database]\nurl = "sqlite:///{folder}/rounds.db"\n')
    with serving(tmp_path) as service:
        made = Clinic(service, service.client("ada@clinic.example"), tmp_path, folder, visits)
        assert [made.treat() for _turn in range(3)] == [303] * 3
        yield made


def replace(folder: Path) -> None:
    """Rename another database over the one in use, as an editor or a copying tool does."""
    shutil.copy(folder / "rounds.db", folder / "another")
    (folder / "another").replace(folder / "rounds.db")


def moved(folder: Path, *ends: str) -> None:
    for end in ends:
        (folder / f"rounds.db{end}").rename(folder / f"old.db{end}")


def deleted(folder: Path, *ends: str) -> None:
    for end in ends:
        (folder / f"rounds.db{end}").unlink()


GONE: dict[str, Act] = {
    "renamed": lambda folder: moved(folder, ""),
    "renamed with its log": lambda folder: moved(folder, *ENDS),
    "deleted": lambda folder: deleted(folder, ""),
    "deleted with its log": lambda folder: deleted(folder, *ENDS),
    "replaced": replace,
    "folder renamed": lambda folder: folder.rename(folder.with_name("data of before")),
}


@pytest.mark.parametrize("act", GONE.values(), ids=GONE)
def test_h12_a_database_file_that_goes_away_stops_the_service_and_nothing_acknowledged_is_lost(
    clinic: Clinic, act: Act
) -> None:
    act(clinic.folder)
    assert clinic.treat() == 503
    said = clinic.last_words()
    assert str(clinic.folder / "rounds.db") in said
    way_out = re.search(r"restore that: (.*)$", said)
    assert way_out, said
    assert (clinic.folder / "rounds.db").exists() is (act is replace), "no other one was made"
    _python, _run, command, file, *_config = shlex.split(way_out[1])
    clinic.folder.mkdir(exist_ok=True)
    done = run(clinic.home, command, file, "--yes")
    assert done.returncode == 0, done.stderr
    assert clinic.kept() == clinic.acknowledged


@pytest.mark.parametrize("kept", [(), ENDS[1:]], ids=["with its log", "the file alone"])
def test_h12_an_empty_clinic_in_the_place_of_the_database_is_never_offered_to_be_set_up(
    clinic: Clinic, migrated: Path, kept: tuple[str, ...]
) -> None:
    strangers = [clinic.service.client() for _one in range(24)]
    moved(clinic.folder, *(end for end in ENDS if end not in kept))
    shutil.copy(migrated, clinic.folder / "rounds.db")
    answers = [answer() for answer in [stranger.begin("GET", "/") for stranger in strangers]]
    assert {(answer.status, answer.location) for answer in answers} <= {(303, "/sign-in"), (503, "")}
    assert clinic.treat() == 503
    assert "Another file was put in the place of" in clinic.last_words()
    with closing(sqlite3.connect(clinic.folder / "rounds.db")) as other:
        assert other.execute("SELECT count(*) FROM treatments").fetchall() == [(0,)]


LOGS: dict[str, tuple[str, ...]] = {"log": ("-wal",), "index": ("-shm",), "log and index": ("-wal", "-shm")}


@pytest.mark.parametrize("ends", LOGS.values(), ids=LOGS)
def test_h12_a_log_that_is_deleted_stops_the_service_and_all_of_it_is_in_the_file(
    clinic: Clinic, ends: tuple[str, ...]
) -> None:
    deleted(clinic.folder, *ends)
    assert clinic.treat() == 503
    assert clinic.last_words().endswith("Everything that was saved is in rounds.db: start Rounds again.")
    assert clinic.kept() == clinic.acknowledged
    with serving(clinic.home) as again:
        clinic.doctor = again.client("ada@clinic.example")
        assert clinic.treat() == 303
        assert again.stop() == 0
    assert clinic.kept() == clinic.acknowledged
    assert rows(clinic.folder, "PRAGMA integrity_check") == [("ok",)]


def cut(folder: Path, size: int) -> None:
    os.truncate(folder / "rounds.db", size)


def overwritten(folder: Path, by: bytes) -> None:
    """Copy other contents into the very file, as `cp` does."""
    (folder / "rounds.db").write_bytes(by)


DAMAGED: dict[str, Callable[[Path, bytes], object]] = {
    "emptied": lambda folder, _older: cut(folder, 0),
    "cut short": lambda folder, _older: cut(folder, 8 * 4096),
    "overwritten by an older one": overwritten,
    "overwritten by text": lambda folder, older: overwritten(folder, b"the doctor's notes\n" * (len(older) // 19)),
}


@pytest.mark.parametrize("act", DAMAGED.values(), ids=DAMAGED)
def test_h12_a_database_that_another_program_writes_into_stops_the_service_and_the_backup_is_named(
    clinic: Clinic, act: Callable[[Path, bytes], object]
) -> None:
    backup = run(clinic.home, "backup").stdout.split(": ")[0]
    with zipfile.ZipFile(backup) as packed:
        older = packed.read("rounds.db")
    act(clinic.folder, older)
    assert clinic.treat() == 503
    said = clinic.last_words()
    assert re.search(r"Restore the newest backup: .* restore \S+\.zip", said), said
    assert len(list(clinic.folder.glob("rounds.db-wal.left-*"))) == 1
    assert not (clinic.folder / "rounds.db-wal").exists(), "it would be laid over what was put there"
    done = run(clinic.home, "restore", backup, "--yes")
    assert done.returncode == 0, done.stderr
    assert clinic.kept() == clinic.acknowledged
    assert rows(clinic.folder, "PRAGMA integrity_check") == [("ok",)]


def zeroed(file: Path) -> None:
    file.write_bytes(bytes(file.stat().st_size))


LOG_DAMAGED: dict[str, Callable[[Path], object]] = {
    "emptied": lambda log: os.truncate(log, 0),
    "cut to its header": lambda log: os.truncate(log, 32),
    "last change cut off": lambda log: os.truncate(log, log.stat().st_size - 100),
    "zeroed": zeroed,
    "overwritten by another log": lambda log: log.write_bytes(log.read_bytes()[:16] + bytes(8) + log.read_bytes()[24:]),
}


@pytest.mark.parametrize("act", LOG_DAMAGED.values(), ids=LOG_DAMAGED)
def test_h12_a_log_that_another_program_writes_into_stops_the_service_and_harms_no_file(
    clinic: Clinic, act: Callable[[Path], object]
) -> None:
    log = clinic.folder / "rounds.db-wal"
    act(log)
    assert clinic.treat() == 503
    said = clinic.last_words()
    assert "rounds.db-wal was cut short or overwritten" in said
    assert re.search(r"Start Rounds again .* or restore the newest backup: .* restore ", said), said
    assert not log.exists(), "it would be laid over the file"
    assert len(list(clinic.folder.glob("rounds.db-wal.left-*"))) == 1
    assert rows(clinic.folder, "PRAGMA integrity_check") == [("ok",)]
    before = clinic.kept()
    assert before == clinic.acknowledged[: len(before)]
    with serving(clinic.home) as again:
        clinic.doctor = again.client("ada@clinic.example")
        assert clinic.treat() == 303
        assert again.stop() == 0
    assert clinic.kept() == [*before, clinic.acknowledged[-1]]


def test_h12_two_services_whose_folders_are_swapped_both_stop_and_keep_what_is_their_own(
    clinic: Clinic, house: House, tmp_path: Path
) -> None:
    other = tmp_path / "other"
    other.mkdir()
    shutil.copytree(clinic.folder, other / "data")
    for end in ENDS[1:]:
        (other / "data" / f"rounds.db{end}").unlink(missing_ok=True)
    configure(other, f'[database]\nurl = "sqlite:///{other}/data/rounds.db"\n')
    with serving(other) as service:
        ada = service.client("ada@clinic.example")
        second = Clinic(service, ada, other, other / "data", list(clinic.visits))
        assert second.treat() == 303
        clinic.folder.rename(tmp_path / "aside")
        (other / "data").rename(clinic.folder)
        (tmp_path / "aside").rename(other / "data")
        for one in (clinic, second):
            assert one.treat() == 503
            assert "Another file was put in the place of" in one.last_words()
    (other / "data").rename(tmp_path / "aside")
    clinic.folder.rename(other / "data")
    (tmp_path / "aside").rename(clinic.folder)
    assert clinic.kept() == clinic.acknowledged
    assert set(second.acknowledged) <= set(second.kept())


def test_h12_a_vacuum_of_another_program_and_its_restore_of_room_stop_nothing(clinic: Clinic) -> None:
    with closing(sqlite3.connect(clinic.folder / "rounds.db")) as other:
        other.execute("CREATE TABLE ballast AS SELECT randomblob(100000) FROM treatments")
        other.commit()
        other.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
        assert clinic.treat() == 303
        large = (clinic.folder / "rounds.db").stat().st_size
        other.execute("DROP TABLE ballast")
        other.commit()
        other.execute("VACUUM")
        other.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
    assert (clinic.folder / "rounds.db").stat().st_size < large
    assert clinic.treat() == 303
    assert clinic.service.stop() == 0
    assert clinic.kept() == clinic.acknowledged
