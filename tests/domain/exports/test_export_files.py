"""The files of exports: whole or not there, for their owner only, removed when their time is over."""

import os
import stat
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import time_machine
from sqlalchemy.orm import Session

from service.domain.exports import export_files, export_ledger, exports
from service.domain.exports.export_formats import Contents
from service.domain.foundation.actor import SYSTEM, Actor
from service.domain.foundation.errors import NotFound
from service.storage.models import AuditEntry, Export, ExportFormat
from tests.domain.exports.asking import claim, finished, only, request, row
from tests.house import House, at

pytestmark = pytest.mark.usefixtures("clock")


@pytest.fixture
def patient(house: House) -> Actor:
    """A patient with an account."""
    return house.user("patient", "lena@mail.example", "Lena Vogt")


def produce(house: House, patient_id: int, file: Path, progress: Callable[[int], None] = lambda _rows: None) -> int:
    with house.reading() as session:
        return export_files.produce(session, patient_id, Contents(), file, house.settings.clinic, progress)


def test_e5_the_file_is_for_its_owner_only_and_so_is_its_folder(house: House, patient: Actor, tmp_path: Path) -> None:
    folder = export_files.folder_of(house.settings)
    file = export_files.file_of(folder, "ab" * 16, ExportFormat.CSV)
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
        assert export_files.produce(session, only(patient), Contents(), tmp_path / "a.csv", house.settings.clinic) == 1
    assert produce(house, only(patient), tmp_path / "b.csv") == 2


def test_e5_expired_files_and_strays_are_removed_and_the_others_stay(
    house: House, patient: Actor, clock: time_machine.Traveller
) -> None:
    folder = export_files.folder_of(house.settings)
    old = finished(house, patient)
    clock.shift(timedelta(hours=23))
    fresh = finished(house, patient)
    clock.shift(timedelta(hours=1))
    writing = request(house, patient)
    claim(house, writing)
    failed = request(house, house.user("patient", "other@mail.example"))
    claim(house, failed)
    with house.writing() as session:
        export_ledger.fail(session, failed, "one", "no")
    keep = [f"{fresh}.csv", f"{writing}.csv.0a1b2c3d.part", f"{writing}.csv"]
    go = [f"{old}.csv", f"{fresh}.csv.0a1b2c3d.part", f"{failed}.csv.0a1b2c3d.part", f"{'0' * 32}.csv", "notes.txt"]
    for name in (*keep, *go):
        (folder / name).touch()
    house.clean_up()
    assert sorted(file.name for file in folder.iterdir()) == sorted(keep)
    assert (row(house, old).status, row(house, fresh).status) == ("expired", "available")
    house.clean_up()
    assert sorted(file.name for file in folder.iterdir()) == sorted(keep)


def test_f3_the_partial_file_of_a_killed_worker_is_removed_by_the_next_writer(
    house: House, patient: Actor, clock: time_machine.Traveller
) -> None:
    export_id = request(house, patient)
    claim(house, export_id)
    part = export_files.folder_of(house.settings) / f"{export_id}.csv.0a1b2c3d.part"
    part.touch()
    clock.shift(export_ledger.LEASE + timedelta(seconds=1))
    house.export(export_id)
    assert row(house, export_id).status == "available"
    assert list(house.settings.histories.iterdir()) == [house.settings.histories / f"{export_id}.csv"]


def test_e5_a_folder_that_was_opened_to_other_users_is_made_private_again(house: House) -> None:
    folder = export_files.folder_of(house.settings)
    folder.chmod(0o755)
    export_files.close_folder(house.settings)
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700


def test_f7_an_export_does_not_begin_where_the_disk_has_no_room_for_it(
    house: House, patient: Actor, monkeypatch: pytest.MonkeyPatch
) -> None:
    doctor, admin = house.user("doctor", "doctor@clinic.example"), house.user("admin", "admin@clinic.example")
    house.treated(doctor.doctor_id, only(patient), at("2026-04-01 10:00"), notes="ä" * 10_000)
    with house.writing() as session:
        asked = [request_of(session, patient), exports.request_of_clinic(session, admin).id]
    with monkeypatch.context() as disk:
        disk.setattr("shutil.disk_usage", lambda _folder: SimpleNamespace(free=15_000))
        for export_id in asked:
            house.export(export_id)
    for export_id in asked:
        found = row(house, export_id)
        assert (found.status, found.last_error) == ("failed", "there is not enough room on the disk")
    assert list(house.settings.histories.iterdir()) == []


def request_of(session: Session, patient: Actor) -> str:
    return exports.request(session, patient, only(patient), Contents(ExportFormat.ZIP)).id


def test_an_export_that_was_stopped_at_its_last_row_leaves_no_file(
    house: House, patient: Actor, monkeypatch: pytest.MonkeyPatch
) -> None:
    export_id = request(house, patient)
    produce = export_files.produce

    def stopped_meanwhile(*args: Any) -> int:
        rows = produce(*args)
        with house.writing() as session:
            exports.cancel(session, patient, export_id)
        return rows

    monkeypatch.setattr(export_files, "produce", stopped_meanwhile)
    house.export(export_id)
    assert row(house, export_id).status == "cancelled"
    assert list(house.settings.histories.iterdir()) == []


def test_a_history_written_to_another_folder_is_audited(house: House, patient: Actor) -> None:
    with house.writing() as session:
        export_files.note_written(session, SYSTEM, only(patient))
        export_files.note_written(session, SYSTEM, None)
        with pytest.raises(NotFound, match="There is no patient 4711"):
            export_files.note_written(session, SYSTEM, 4711)
    assert house.count(AuditEntry, AuditEntry.act == "export.write", AuditEntry.patient_id == only(patient)) == 1
    assert house.count(AuditEntry, AuditEntry.act == "export.write_clinic") == 1


def test_the_whole_task_writes_the_file_and_says_so(house: House, patient: Actor) -> None:
    doctor: Any = house.user("doctor", "doctor@clinic.example").doctor_id
    for day in range(1, 6):
        house.treated(doctor, only(patient), at(f"2026-04-0{day} 10:00"), notes="ä")
    export_id = request(house, patient)
    house.export(export_id)
    found = row(house, export_id)
    assert (found.status, found.rows_done, found.rows_total) == ("available", 5, 5)
    assert len((house.settings.histories / f"{export_id}.csv").read_bytes().splitlines()) == 6
    assert [file.suffix for file in house.settings.histories.iterdir()] == [".csv"]


def test_f7_a_task_that_cannot_write_says_failed_and_leaves_nothing(
    house: House, patient: Actor, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(_descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    export_id = request(house, patient)
    with monkeypatch.context() as disk:
        disk.setattr(os, "fsync", full)
        house.export(export_id)
    found = row(house, export_id)
    assert (found.status, found.last_error) == ("failed", "No space left on device")
    assert list(house.settings.histories.iterdir()) == []
    again = request(house, patient)
    assert again != export_id
    house.export(again)
    assert row(house, again).status == "available"
