"""A stop in the middle of each job: the service ends soon, and the next start does what was left, each thing once."""

import json
import shutil
import sqlite3
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from random import Random
from signal import SIGINT, SIGTERM
from typing import Any

import pytest
import time_machine

from service.domain.exports import exports
from service.domain.foundation.actor import SYSTEM
from tests.domain.outbox.planning import posted
from tests.faults.clinic import big_history, booked_morning, part_files, wall
from tests.faults.signalled import Then, every_job
from tests.house import House
from tests.patience import until
from tests.process.launching import ON_SERVER, configure, rows, run, serving
from tests.services.mail_server import MailServer, running

pytestmark = [pytest.mark.kill, pytest.mark.timeout(1800)]

NOON = wall("2026-05-01 12:00")
"""The first of a month: every job is due, the reports too."""
LATER = NOON + timedelta(minutes=5)
"""A claim of the dead is over by now."""
UNDER_WAY = (
    "SELECT 1 FROM job_runs WHERE status IN ('queued', 'running')",
    "SELECT 1 FROM exports WHERE status IN ('pending', 'running')",
    "SELECT 1 FROM messages WHERE status IN ('queued', 'sending', 'handing_over')",
)
STRAY = "0123456789abcdef0123456789abcdef.csv"
"""The file of an export that no row stands for."""


@dataclass
class Clinic:
    """A clinic with work for every job, as it was before any of it began, again and again."""

    folder: Path
    server: MailServer
    put_back: Callable[[Path], None]
    """Lets the database of a folder be what it was."""
    _folders: list[Path] = field(default_factory=list)

    def anew(self) -> Path:
        """The clinic in a folder of its own, with nothing done and no one told."""
        own = self.folder / f"turn-{len(self._folders) + 1}"
        (own / "exports" / "histories").mkdir(parents=True)
        (own / "exports" / "histories" / STRAY).touch()
        shutil.copy(self.folder / "secret.key", own)
        configure(own, f"[messages]\nadvance_hours = 48\n{self.server.toml()}")
        if self.folder in ON_SERVER:
            ON_SERVER[own] = ON_SERVER[self.folder]
        self.put_back(own)
        self.server.mails.clear()
        self._folders.append(own)
        return own

    def close(self) -> None:
        """Forget the folders."""
        for own in self._folders:
            ON_SERVER.pop(own, None)


@pytest.fixture
def clinic(house: House, tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[Clinic]:
    """A clinic at noon on the first of a month, with messages and exports that wait."""
    with time_machine.travel(NOON):
        booked_morning(house, wall("2026-05-01 14:00"), 6, "today")
        booked_morning(house, wall("2026-05-03 11:00"), 4, "ahead")
        history = big_history(house, "eve@clinic.example", 150)
        admin = house.user("admin", "admin@clinic.example")
        posted(house, admin)
        with house.writing() as session:
            exports.request(session, SYSTEM, history)
            exports.request_of_clinic(session, admin)
    server = MailServer()
    with running(server):
        made = Clinic(tmp_path, server, _kept(house, request))
        yield made
        made.close()


def _kept(house: House, request: pytest.FixtureRequest) -> Callable[[Path], None]:
    """What the house holds now, to be put into the database of a folder."""
    database = house.wiring.database
    database.close()
    if not database.is_sqlite:
        server, url = request.getfixturevalue("postgres"), house.settings.database_url
        held = server.rows(url)
        return lambda _folder: server.put(url, held)

    def copy(folder: Path) -> None:
        with closing(sqlite3.connect(house.settings.base / "rounds.db")) as source:
            source.execute("VACUUM INTO ?", (str(folder / "rounds.db"),))

    return copy


def finished(folder: Path) -> None:
    """Start the clinic's service, let it do all there is to do, and stop it."""
    with serving(folder, at=LATER) as service:
        until(lambda: len(rows(folder, "SELECT 1 FROM job_runs WHERE status = 'done'")) >= 5)
        until(lambda: not any(rows(folder, query) for query in UNDER_WAY))
        until(lambda: not (folder / "exports" / "histories" / STRAY).exists())
        assert service.stop() == 0


def outcome(folder: Path) -> dict[str, Any]:
    """All that the jobs brought about, as far as it may not depend on how often they were stopped."""
    assert part_files(folder) == []
    available = rows(folder, "SELECT id || '.' || format FROM exports WHERE status = 'available'")
    assert {file.name for file in (folder / "exports" / "histories").iterdir()} == {name for (name,) in available}
    assert {file.suffix for file in (folder / "backups").iterdir()} == {".zip"}
    return {
        "jobs": sorted(rows(folder, "SELECT job, slot, status FROM job_runs")),
        "reports": sorted(rows(folder, "SELECT doctor_id, month FROM reports")),
        "clinic": rows(folder, "SELECT month FROM clinic_reports"),
        "exports": sorted(rows(folder, "SELECT format, status FROM exports")),
        "history": rows(folder, "SELECT rows_done FROM exports WHERE format = 'csv'"),  # the clinic's grows meanwhile
        "audit": sorted(rows(folder, "SELECT act, count(*) FROM audit GROUP BY act")),
        "sheets": [file.name for file in (folder / "exports" / "day").iterdir()],
        "messages": sorted(rows(folder, "SELECT rule, recipient FROM messages")),
    }


def function_of(job: str) -> str:
    """A job's function, by its module and name."""
    return f"service.jobs.{job}:{job}"


def stopped(clinic: Clinic, job: str, step: int, number: int, then: Then, patch: pytest.MonkeyPatch) -> Path:
    """A clinic whose service got a signal at a step of a job and ended; returns its folder."""
    folder = clinic.anew()
    patch.setenv("TEST_SIGNAL", json.dumps([function_of(job), step, number, then, str(folder / "steps")]))
    ended = run(folder, "serve", at=NOON)
    patch.delenv("TEST_SIGNAL")
    assert ended.returncode == 0, ended.stderr
    return folder


def undisturbed(clinic: Clinic, job: str, patch: pytest.MonkeyPatch) -> tuple[dict[str, Any], Counter[str], int]:
    """What all jobs bring about when no one stops them, whom they tell, and the steps of one of them."""
    folder = clinic.anew()
    patch.setenv("TEST_SIGNAL", json.dumps([function_of(job), 0, SIGTERM, Then.GOES_ON, str(folder / "steps")]))
    finished(folder)
    patch.delenv("TEST_SIGNAL")
    steps = int((folder / "steps").read_text(encoding="utf-8"))
    return outcome(folder), clinic.server.told, steps


FATES = ((SIGTERM, Then.GOES_ON), (SIGINT, Then.LASTS), (SIGTERM, Then.HANGS))
MOMENTS = pytest.mark.parametrize(
    "rounds",
    [
        pytest.param(0, id="one fate"),
        pytest.param(4, id="4 rounds", marks=[pytest.mark.soak, pytest.mark.timeout(7200)]),
    ],
)


@MOMENTS
@pytest.mark.parametrize("job", every_job())
def test_o5_a_stop_within_a_job_ends_soon_and_the_next_start_does_what_was_left_once(
    clinic: Clinic, job: str, rounds: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    expected, told, steps = undisturbed(clinic, job, monkeypatch)
    assert steps > 3, "there are moments to stop at"
    seed = Random().randrange(1 << 30)
    moment = Random(seed)
    # Without rounds each job has one of the fates, so that all of them are tried by some job.
    for turn, (number, then) in enumerate(FATES * rounds or [FATES[every_job().index(job) % len(FATES)]]):
        step = 1 if turn == 0 and then is Then.GOES_ON else moment.randint(1, max(1, steps * 3 // 4))
        folder = stopped(clinic, job, step, number, then, monkeypatch)
        finished(folder)
        at = f"seed {seed}: {then} at step {step} of {steps}"
        assert outcome(folder) == expected, at
        assert_told_once(folder, clinic.server, told, then, at)


def assert_told_once(folder: Path, server: MailServer, told: Counter[str], then: Then, at: str) -> None:
    """Everyone was told once; one message of a process that hung may be in doubt, which its row says."""
    unsure = rows(folder, "SELECT recipient FROM messages WHERE status = 'unknown'")
    assert len(unsure) <= (then is Then.HANGS), at
    doubtful = {str(who) for (who,) in unsure}
    surely = {who: times for who, times in told.items() if who not in doubtful}
    assert {who: times for who, times in server.told.items() if who not in doubtful} == surely, at
    assert all(server.told[who] in (told[who] - 1, told[who]) for who in doubtful), at
