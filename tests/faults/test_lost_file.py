"""The database file goes away under the service: it stops with one line, and nothing it acknowledged is lost (H12)."""

import re
import shlex
import shutil
from collections.abc import Callable, Iterator
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
