"""Exports: one unfinished file a patient, whole or not there, taken by one worker, gone when its time is over."""

import os
import stat
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import time_machine

from service.domain import exports
from service.domain.actor import SYSTEM, Actor
from service.domain.errors import Conflict, Gone, NotFound
from service.models import AuditEntry, Export
from tests.crowd import together
from tests.house import House, at

pytestmark = pytest.mark.usefixtures("clock")


@pytest.fixture
def patient(house: House) -> Actor:
    """A patient with an account."""
    return house.user("patient", "lena@mail.example", "Lena Vogt")


def only(actor: Actor) -> int:
    (patient_id,) = actor.patient_ids
    return patient_id


def request(house: House, actor: Actor, patient_id: int | None = None) -> str:
    with house.writing() as session:
        return exports.request(session, actor, only(actor) if patient_id is None else patient_id).id


def claim(house: House, export_id: str, owner: str = "one") -> int | None:
    with house.writing() as session:
        return exports.claim(session, export_id, owner)


def put_back(house: House, export_id: str, owner: str = "one") -> None:
    with house.writing() as session:
        exports.put_back(session, export_id, owner)


def settle(house: House, export_id: str, owner: str = "one", rows: int = 3) -> bool:
    with house.writing() as session:
        return exports.settle(session, export_id, owner, rows, keep_hours=24)


def row(house: House, export_id: str) -> Export:
    with house.reading() as session:
        return session.get_one(Export, export_id)


def finished(house: House, actor: Actor) -> str:
    export_id = request(house, actor)
    claim(house, export_id)
    assert settle(house, export_id)
    return export_id


def waiting(house: House) -> list[str]:
    with house.reading() as session:
        return list(exports.claimable(session))


# Asking for one


def test_e8_a_second_press_is_the_same_export(house: House, patient: Actor) -> None:
    export_id = request(house, patient)
    assert len(export_id) == 32
    assert request(house, patient) == export_id
    claim(house, export_id)
    assert request(house, patient) == export_id
    assert house.count(Export) == 1
    assert house.count(AuditEntry, AuditEntry.act == "export.request") == 1


def test_e8_presses_at_the_same_moment_are_one_export(house: House, patient: Actor) -> None:
    assert len(set(together(8, lambda _number: request(house, patient)))) == 1
    assert house.count(Export) == 1


def test_after_a_finished_or_failed_one_a_new_one_can_be_made(
    house: House, patient: Actor, clock: time_machine.Traveller
) -> None:
    first = finished(house, patient)
    clock.shift(60)
    second = request(house, patient)
    claim(house, second)
    with house.writing() as session:
        exports.fail(session, second, "one", "OSError: disk full")
    third = request(house, patient)
    assert len({first, second, third}) == 3
    with house.reading() as session:
        assert {export.id for export in exports.latest(session, patient, only(patient))} == {first, second, third}


def test_z3_nobody_asks_for_a_record_that_is_not_theirs(house: House, patient: Actor) -> None:
    others = house.user("patient", "other@mail.example")
    doctor, desk = house.user("doctor", "doctor@clinic.example"), house.user("receptionist", "desk@clinic.example")
    for actor in (others, doctor, desk, house.user("admin", "admin@clinic.example")):
        with pytest.raises(NotFound):
            request(house, actor, only(patient))
    assert house.count(Export) == 0


def test_e1_the_patients_doctor_may_ask_for_it(house: House, patient: Actor) -> None:
    doctor = house.user("doctor", "doctor@clinic.example")
    house.visit(doctor.doctor_id, only(patient), at("2026-04-01 10:00"))
    assert request(house, doctor, only(patient)) == request(house, patient)


# The ledger


def test_of_many_that_claim_an_export_at_once_one_writes_it(house: House, patient: Actor) -> None:
    export_id = request(house, patient)
    got = together(8, lambda number: claim(house, export_id, f"owner-{number}"))
    assert sorted(one for one in got if one is not None) == [only(patient)]


def test_an_export_is_taken_written_and_available_for_its_hours(house: House, patient: Actor) -> None:
    export_id = request(house, patient)
    assert waiting(house) == [export_id]
    assert claim(house, export_id) == only(patient)
    assert (row(house, export_id).status, waiting(house)) == ("running", [])
    with house.writing() as session:
        assert exports.note_progress(session, export_id, "one", 2, 3)
    assert (row(house, export_id).rows_done, row(house, export_id).rows_total) == (2, 3)
    assert settle(house, export_id)
    found = row(house, export_id)
    assert (found.status, found.rows_done, found.rows_total) == ("available", 3, 3)
    assert (found.finished_at, found.expires_at) == (at("2026-05-04 06:00"), at("2026-05-05 06:00"))
    assert claim(house, export_id) is None


def test_an_export_that_a_stop_cuts_off_starts_again_once(house: House, patient: Actor) -> None:
    export_id = request(house, patient)
    claim(house, export_id)
    put_back(house, export_id)
    assert (row(house, export_id).status, waiting(house)) == ("pending", [export_id])
    claim(house, export_id)
    put_back(house, export_id)
    found = row(house, export_id)
    assert (found.status, found.last_error) == ("failed", "interrupted twice")
    assert claim(house, export_id) is None
    assert waiting(house) == []


def test_f3_an_export_whose_worker_dies_starts_again_once(
    house: House, patient: Actor, clock: time_machine.Traveller
) -> None:
    export_id = request(house, patient)
    claim(house, export_id)
    clock.shift(exports.LEASE)
    assert claim(house, export_id, "two") is None
    clock.shift(1)
    assert waiting(house) == [export_id]
    assert claim(house, export_id, "two") == only(patient)
    clock.shift(exports.LEASE + timedelta(seconds=1))
    assert claim(house, export_id, "three") is None
    assert (row(house, export_id).status, row(house, export_id).last_error) == ("failed", "interrupted twice")


def test_whoever_lost_an_export_cannot_settle_fail_or_return_it(
    house: House, patient: Actor, clock: time_machine.Traveller
) -> None:
    export_id = request(house, patient)
    claim(house, export_id)
    clock.shift(exports.LEASE + timedelta(seconds=1))
    claim(house, export_id, "two")
    assert not settle(house, export_id, "one")
    put_back(house, export_id, "one")
    with house.writing() as session:
        exports.fail(session, export_id, "one", "no")
        assert not exports.note_progress(session, export_id, "one", 1, 2)
    assert (row(house, export_id).status, row(house, export_id).owner) == ("running", "two")


def test_progress_keeps_the_claim(house: House, patient: Actor, clock: time_machine.Traveller) -> None:
    export_id = request(house, patient)
    claim(house, export_id)
    for _again in range(4):
        clock.shift(20)
        with house.writing() as session:
            assert exports.note_progress(session, export_id, "one", 1, 2)
    assert claim(house, export_id, "two") is None


# The file


def produce(house: House, patient_id: int, file: Path, progress: Callable[[int], None] = lambda _rows: None) -> int:
    with house.reading() as session:
        return exports.produce(session, patient_id, file, house.settings.clinic.zone, progress)


def test_e5_the_file_is_for_its_owner_only_and_so_is_its_folder(
    house: House, patient: Actor, tmp_path: Path
) -> None:
    folder = house.wiring.tasks.histories()
    file = exports.file_of(folder, "ab" * 16)
    produce(house, only(patient), file)
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    assert folder.parent == tmp_path / "exports"


@pytest.mark.parametrize("error", [OSError(28, "No space left on device"), KeyboardInterrupt()])
def test_f7_a_writer_that_fails_midway_leaves_nothing_behind(
    house: House, patient: Actor, tmp_path: Path, error: BaseException
) -> None:
    doctor = house.user("doctor", "doctor@clinic.example").doctor_id
    house.treated(doctor, only(patient), at("2026-04-01 10:00"), notes="a")
    seen = []

    def fail(rows: int) -> None:
        seen.append(([one.suffix for one in tmp_path.glob("out*")], rows))
        raise error

    with pytest.raises(type(error)):
        produce(house, only(patient), tmp_path / "out.csv", fail)
    assert seen == [([".part"], 1)], "it was under way, and not yet at its place"
    assert list(tmp_path.glob("out*")) == []


def test_f7_a_file_that_is_there_already_stays_whole_when_the_next_fails(
    house: House, patient: Actor, tmp_path: Path
) -> None:
    doctor = house.user("doctor", "doctor@clinic.example").doctor_id
    house.treated(doctor, only(patient), at("2026-04-01 10:00"))
    produce(house, only(patient), tmp_path / "out.csv")
    before = (tmp_path / "out.csv").read_bytes()

    def fail(_rows: int) -> None:
        raise OSError("no room")

    with pytest.raises(OSError, match="no room"):
        produce(house, only(patient), tmp_path / "out.csv", fail)
    assert (tmp_path / "out.csv").read_bytes() == before


def test_a_file_is_one_consistent_state_while_others_write(house: House, patient: Actor, tmp_path: Path) -> None:
    doctor = house.user("doctor", "doctor@clinic.example").doctor_id
    house.treated(doctor, only(patient), at("2026-04-01 10:00"))
    with house.reading() as session:
        assert session.query(Export).count() == 0  # the state is the one of the first look
        house.treated(doctor, only(patient), at("2026-04-02 10:00"))
        assert exports.produce(session, only(patient), tmp_path / "a.csv", house.settings.clinic.zone) == 1
    assert produce(house, only(patient), tmp_path / "b.csv") == 2


# Getting it


def download(house: House, actor: Actor, export_id: str) -> Path:
    with house.writing() as session:
        return exports.download(session, actor, export_id, house.settings.histories)[0]


def test_e4_a_file_is_downloaded_by_whom_it_belongs_to_while_it_is_there(
    house: House, patient: Actor, clock: time_machine.Traveller
) -> None:
    export_id = request(house, patient)
    with pytest.raises(Conflict):
        download(house, patient, export_id)
    claim(house, export_id)
    settle(house, export_id)
    assert download(house, patient, export_id) == house.settings.histories / f"{export_id}.csv"
    assert house.count(AuditEntry, AuditEntry.act == "export.download") == 1
    clock.shift(timedelta(hours=24))
    with house.reading() as session:
        assert exports.state(exports.fetch(session, patient, export_id)) == "expired"
    with pytest.raises(Gone):
        download(house, patient, export_id)
    assert house.count(AuditEntry, AuditEntry.act == "export.download") == 1


def test_e4_nobody_else_finds_it_even_with_the_id(house: House, patient: Actor) -> None:
    export_id = finished(house, patient)
    others: list[Actor] = [
        house.user("patient", "other@mail.example"),
        house.user("doctor", "doctor@clinic.example"),
        house.user("receptionist", "desk@clinic.example"),
        house.user("admin", "admin@clinic.example"),
    ]
    for actor in others:
        with pytest.raises(NotFound):
            download(house, actor, export_id)
    for missing in ("", "0" * 32, f"{export_id}x", "../../etc/passwd"):
        with pytest.raises(NotFound):
            download(house, patient, missing)


# Cleaning up


def test_e5_expired_files_and_strays_are_removed_and_the_others_stay(
    house: House, patient: Actor, clock: time_machine.Traveller
) -> None:
    folder = house.wiring.tasks.histories()
    old = finished(house, patient)
    clock.shift(timedelta(hours=23))
    fresh = finished(house, patient)
    clock.shift(timedelta(hours=1))
    writing = request(house, patient)
    claim(house, writing)
    failed = request(house, house.user("patient", "other@mail.example"))
    claim(house, failed)
    with house.writing() as session:
        exports.fail(session, failed, "one", "no")
    keep = [f"{fresh}.csv", f"{writing}.csv.0a1b.part", f"{writing}.csv"]
    go = [f"{old}.csv", f"{fresh}.csv.0a1b.part", f"{failed}.csv.0a1b.part", f"{'0' * 32}.csv", "notes.txt"]
    for name in (*keep, *go):
        (folder / name).touch()
    house.wiring.tasks.clean_up()
    assert sorted(file.name for file in folder.iterdir()) == sorted(keep)
    assert (row(house, old).status, row(house, fresh).status) == ("expired", "available")
    house.wiring.tasks.clean_up()
    assert sorted(file.name for file in folder.iterdir()) == sorted(keep)


def test_f3_the_part_of_a_dead_worker_is_removed_once_its_lease_is_over(
    house: House, patient: Actor, clock: time_machine.Traveller
) -> None:
    export_id = request(house, patient)
    claim(house, export_id)
    part = house.wiring.tasks.histories() / f"{export_id}.csv.0a1b.part"
    part.touch()
    clock.shift(exports.LEASE + timedelta(seconds=1))
    house.wiring.tasks.clean_up()
    assert not part.exists()


def test_a_history_written_elsewhere_is_put_on_record(house: House, patient: Actor, tmp_path: Path) -> None:
    with house.writing() as session:
        zone = house.settings.clinic.zone
        assert exports.produce_for(session, SYSTEM, only(patient), tmp_path / "a.csv", zone) == 0
        exports.note_written(session, SYSTEM, only(patient))
        with pytest.raises(NotFound, match="There is no patient 4711"):
            exports.produce_for(session, SYSTEM, 4711, tmp_path / "b.csv", zone)
    assert house.count(AuditEntry, AuditEntry.act == "export.write", AuditEntry.patient_id == only(patient)) == 1
    assert not (tmp_path / "b.csv").exists()


def test_the_whole_task_writes_the_file_and_says_so(house: House, patient: Actor) -> None:
    doctor: Any = house.user("doctor", "doctor@clinic.example").doctor_id
    for day in range(1, 6):
        house.treated(doctor, only(patient), at(f"2026-04-0{day} 10:00"), notes="ä")
    export_id = request(house, patient)
    house.wiring.tasks.export(export_id)
    found = row(house, export_id)
    assert (found.status, found.rows_done, found.rows_total) == ("available", 5, 5)
    assert len(download(house, patient, export_id).read_bytes().splitlines()) == 6
    assert [file.suffix for file in house.settings.histories.iterdir()] == [".csv"]


def test_f7_a_task_that_cannot_write_says_failed_and_leaves_nothing(
    house: House, patient: Actor, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(_descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    export_id = request(house, patient)
    with monkeypatch.context() as disk:
        disk.setattr(os, "fsync", full)
        house.wiring.tasks.export(export_id)
    found = row(house, export_id)
    assert (found.status, found.last_error) == ("failed", "OSError: [Errno 28] No space left on device")
    assert list(house.settings.histories.iterdir()) == []
    again = request(house, patient)
    assert again != export_id
    house.wiring.tasks.export(again)
    assert row(house, again).status == "available"
