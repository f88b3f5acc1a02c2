"""kill -9 at any moment: nothing acknowledged is lost, nothing is done twice or by half, and a restart continues."""

import json
from collections.abc import Callable, Iterator
from contextlib import suppress
from datetime import timedelta
from functools import partial
from http.client import HTTPException
from pathlib import Path
from random import Random
from secrets import token_hex
from threading import Thread

import pytest
import time_machine

from tests import patience
from tests.faults.clinic import begun_visits, big_history, booked_morning, part_files, wall
from tests.house import House
from tests.patience import until
from tests.process.launching import ON_SERVER, Client, Service, change, configure, rows, start
from tests.services.mail_server import MailServer, running

pytestmark = pytest.mark.kill
ROUNDS = pytest.mark.parametrize(
    "rounds",
    [
        pytest.param(3, id="3 rounds"),
        pytest.param(20, id="20 rounds", marks=[pytest.mark.soak, pytest.mark.timeout(1200)]),
    ],
)
SLOTS = pytest.mark.parametrize(
    ("slots", "kills"),
    [
        pytest.param(1, 3, id="3 kills"),
        pytest.param(5, 4, id="20 kills", marks=[pytest.mark.soak, pytest.mark.timeout(1200)]),
    ],
)
"""A turn of a job that was killed five times is given up, so that it cannot hurt for ever."""
ALONE = pytest.mark.sqlite("the next start frees what a dead process held; elsewhere a lease ends: test_several.py")
TREATMENTS = 60_000
SIZE = 100 * TREATMENTS
"""A little less than the bytes of their file."""


@pytest.fixture
def moment() -> Random:
    """When to kill: different in every run."""
    return Random()


@pytest.fixture
def server() -> Iterator[MailServer]:
    """A mail server that takes everything and counts."""
    made = MailServer()
    with running(made):
        yield made


@pytest.fixture
def services() -> Iterator[list[Service]]:
    """The services a test has started; what still runs at its end is killed."""
    started: list[Service] = []
    yield started
    for service in started:
        service.kill()


def number(folder: Path, query: str) -> int:
    """The one number a query answers with."""
    ((found,),) = rows(folder, query)
    return int(found)


def reaches(count: Callable[[], int], target: int) -> None:
    """Wait until a count is at least so much."""
    until(lambda: count() >= target)


def assert_sound(folder: Path) -> None:
    """Nothing is damaged, half done or left over."""
    if folder not in ON_SERVER:
        assert rows(folder, "PRAGMA integrity_check") == [("ok",)]
        assert rows(folder, "PRAGMA foreign_key_check") == []
    assert part_files(folder) == []
    histories = folder / "exports" / "histories"
    query = "SELECT id || '.' || format FROM exports WHERE status = 'available'"
    finished = {name for (name,) in rows(folder, query)}
    assert {file.name for file in histories.iterdir()} == finished


@ALONE
@ROUNDS
def test_f3_an_export_survives_kills(
    house: House, tmp_path: Path, rounds: int, moment: Random, services: list[Service]
) -> None:
    configure(tmp_path)
    big_history(house, "eve@clinic.example", TREATMENTS)
    services.append(start(tmp_path))
    asked = []
    for turn in range(rounds):
        form = ("csv", "json")[turn % 2]
        export = services[-1].client("eve@clinic.example").post("/exports", {"format": form})
        assert export.status == 303
        asked.append(export.location.removeprefix("/exports/"))
        reaches(lambda: SIZE if ended(tmp_path) else written(tmp_path), moment.randrange(SIZE))
        services[-1].kill()
        services.append(start(tmp_path))
        until(lambda: ended(tmp_path))
        assert_sound(tmp_path)
        change(tmp_path, "UPDATE treatments SET updated_at = '2999-01-01 00:00:00.000000' WHERE id = 1")
    assert sorted(asked) == sorted(row[0] for row in rows(tmp_path, "SELECT id FROM exports"))
    for export_id, form in rows(tmp_path, "SELECT id, format FROM exports WHERE status = 'available'"):
        with (tmp_path / "exports" / "histories" / f"{export_id}.{form}").open("rb") as file:
            if form == "json":
                assert len(json.load(file)["treatments"]) == TREATMENTS
            else:
                assert sum(1 for _line in file) == TREATMENTS + 1


def under_way(folder: Path, attempt: int) -> bool:
    """Whether the one export is being written for the first, the second time."""
    return rows(folder, "SELECT attempts FROM exports WHERE status = 'running'") == [(attempt,)] and written(folder) > 0


def written(folder: Path) -> int:
    """The size of the file that is being written."""
    size = 0
    for file in part_files(folder):
        with suppress(FileNotFoundError):
            size = max(size, file.stat().st_size)
    return size


def ended(folder: Path) -> bool:
    """Whether every export has ended, one way or the other."""
    return number(folder, "SELECT count(*) FROM exports WHERE status IN ('pending', 'running')") == 0


@ALONE
def test_f3_an_export_that_was_killed_twice_has_failed_and_is_made_when_asked_again(
    house: House, tmp_path: Path, services: list[Service]
) -> None:
    configure(tmp_path)
    big_history(house, "eve@clinic.example", TREATMENTS)
    services.append(start(tmp_path))
    page = services[-1].client("eve@clinic.example").post("/exports").location
    for attempt in (1, 2):
        until(partial(under_way, tmp_path, attempt))
        services[-1].kill()
        services.append(start(tmp_path))
    until(lambda: ended(tmp_path))
    eve = services[-1].client("eve@clinic.example")
    answer = eve.get(page)
    assert 'data-state="failed"' in answer.text
    assert "Start over" in answer.text
    assert eve.get(f"{page}/file").status == 409
    again = eve.post("/exports").location
    assert again != page
    until(lambda: 'data-state="available"' in eve.get(again).text)
    assert eve.get(f"{again}/file").body.count(b"\r\n") == TREATMENTS + 1
    until(lambda: not part_files(tmp_path))  # the start tidies up beside its other work
    assert_sound(tmp_path)


@ALONE
@SLOTS
def test_f2_reminders_survive_kills_and_nobody_is_written_to_twice(
    house: House, tmp_path: Path, slots: int, kills: int, moment: Random, services: list[Service], server: MailServer
) -> None:
    configure(tmp_path, server.toml())
    patients, days = 300, [f"2026-05-{4 + slot:02}" for slot in range(slots)]
    with time_machine.travel(wall("2026-04-10 12:00")):
        for day in days:
            booked_morning(house, wall(f"{day} 10:00"), patients, day)
    for slot, day in enumerate(days):
        for turn in range(kills):
            services.append(start(tmp_path, at=wall(f"{day} 08:{turn + 10}")))
            target = moment.randrange(patients * turn // kills, patients * (turn + 1) // kills)
            reaches(lambda: settled_messages(tmp_path), patients * slot + target)
            services[-1].kill()
        services.append(start(tmp_path, at=wall(f"{day} 09:00")))
        reaches(lambda: settled_messages(tmp_path), patients * (slot + 1))
        until(partial(rows, tmp_path, f"SELECT 1 FROM job_runs WHERE slot = '{day}' AND status = 'done'"))
        assert services[-1].stop() == 0
    told = server.told
    by_row = dict(rows(tmp_path, "SELECT recipient, status FROM messages WHERE rule = 'daily_reminder'"))
    assert len(by_row) == patients * slots
    assert {who: told[who] for who, status in by_row.items() if status == "sent"} == {
        who: 1 for who, status in by_row.items() if status == "sent"
    }
    unsure = [who for who, status in by_row.items() if status == "unknown"]
    assert len(unsure) <= slots * kills
    assert all(told[who] <= 1 for who in unsure)
    assert_sound(tmp_path)


def settled_messages(folder: Path) -> int:
    """How many reminders have come to an end."""
    return number(
        folder, "SELECT count(*) FROM messages WHERE rule = 'daily_reminder' AND status IN ('sent', 'unknown')"
    )


@ALONE
@SLOTS
def test_reports_survive_kills_and_each_doctor_has_one(
    house: House, tmp_path: Path, slots: int, kills: int, moment: Random, services: list[Service]
) -> None:
    configure(tmp_path)
    doctors = 60
    with time_machine.travel(wall("2026-03-10 12:00")):
        patient = house.patient("Eve")
        for turn in range(doctors):
            doctor = house.user("doctor", f"dr{turn}@clinic.example", f"Dr {turn}")
            house.visit(doctor.doctor_id, patient, wall("2026-04-02 09:00") + timedelta(hours=turn))
    for slot in range(slots):
        for turn in range(kills):
            services.append(start(tmp_path, at=wall(f"2026-{slot + 5:02}-01 00:{turn + 10}")))
            target = moment.randrange(doctors * turn // kills, doctors * (turn + 1) // kills)
            reaches(lambda: number(tmp_path, "SELECT count(*) FROM reports"), doctors * slot + target)
            services[-1].kill()
        month = f"2026-{slot + 4:02}"
        job = f"SELECT 1 FROM job_runs WHERE job = 'generate_monthly_report' AND slot = '{month}' AND status = 'done'"
        services.append(start(tmp_path, at=wall(f"2026-{slot + 5:02}-01 01:00")))
        until(partial(rows, tmp_path, job))
        assert number(tmp_path, f"SELECT count(DISTINCT doctor_id) FROM reports WHERE month = '{month}'") == doctors
        assert number(tmp_path, "SELECT count(*) FROM reports") == doctors * (slot + 1)
        assert number(tmp_path, "SELECT count(*) FROM audit WHERE act = 'report.make'") == doctors * (slot + 1)
        assert number(tmp_path, "SELECT count(*) FROM clinic_reports") == slot + 1
        assert services[-1].stop() == 0
    assert_sound(tmp_path)


@ROUNDS
def test_f1_treatments_that_were_acknowledged_survive_kills(
    house: House, tmp_path: Path, rounds: int, moment: Random, services: list[Service]
) -> None:
    configure(tmp_path)
    patient = house.patient("Eve")
    waiting: dict[str, list[int]] = {}
    for turn in range(3):
        doctor = house.user("doctor", f"dr{turn}@clinic.example", f"Dr {turn}")
        assert doctor.doctor_id is not None
        waiting[f"dr{turn}@clinic.example"] = begun_visits(house, doctor.doctor_id, patient, 60 * rounds)
    acknowledged: dict[int, str] = {}
    services.append(start(tmp_path))
    for _round in range(rounds):
        target = len(acknowledged) + moment.randrange(5, 90)
        clients = [
            Thread(target=write_treatments, args=(services[-1].client(email), visits, acknowledged))
            for email, visits in waiting.items()
        ]
        for client in clients:
            client.start()
        reaches(lambda: len(acknowledged), target)
        services[-1].kill()
        for client in clients:
            client.join(patience.SECONDS)
        services.append(start(tmp_path))
        assert_treatments_are_whole(tmp_path, acknowledged)
    assert services[-1].client("dr0@clinic.example").get(f"/patients/{patient}").status == 200
    assert services[-1].stop() == 0
    assert_sound(tmp_path)


def write_treatments(doctor: Client, visits: list[int], acknowledged: dict[int, str]) -> None:
    """Write one treatment after the other until no one answers; note those that were answered with 303."""
    try:
        while visits:
            visit, words = visits.pop(), token_hex(400)
            if doctor.post(f"/appointments/{visit}/treatment", {"diagnosis": words}).status == 303:
                acknowledged[visit] = words
    except (OSError, HTTPException):
        return


def assert_treatments_are_whole(folder: Path, acknowledged: dict[int, str]) -> None:
    """What was acknowledged is there; each treatment has its completed appointment and its one audit entry."""
    stored = dict(rows(folder, "SELECT appointment_id, diagnosis FROM treatments"))
    assert {visit: stored.get(visit) for visit in acknowledged} == acknowledged
    completed = rows(folder, "SELECT id FROM appointments WHERE status = 'completed'")
    assert {visit for (visit,) in completed} == stored.keys()
    audited = rows(folder, "SELECT subject FROM audit WHERE act = 'treatment.record'")
    assert sorted(subject for (subject,) in audited) == sorted(f"appointment/{visit}" for visit in stored)
    assert number(folder, "SELECT count(*) FROM treatment_versions") == 0
