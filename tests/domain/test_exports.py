"""Exports: one unfinished file a patient, whole or not there, taken by one worker, gone when its time is over."""

from datetime import timedelta
from pathlib import Path

import pytest
import time_machine

from service.domain import exports
from service.domain.actor import Actor
from service.domain.errors import Conflict, Gone, NotFound
from service.models import AuditEntry, Export
from tests.crowd import together
from tests.domain.desk import claim, finished, only, put_back, request, row, settle, waiting
from tests.house import House, at

pytestmark = pytest.mark.usefixtures("clock")


@pytest.fixture
def patient(house: House) -> Actor:
    """A patient with an account."""
    return house.user("patient", "lena@mail.example", "Lena Vogt")


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
    with house.writing() as session:
        exports.note_download(session, patient, export_id)
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
        with pytest.raises(NotFound), house.writing() as session:
            exports.note_download(session, actor, export_id)
    for missing in ("", "0" * 32, f"{export_id}x", "../../etc/passwd", f"{export_id[:-1]}\0", export_id.upper() + "é"):
        with pytest.raises(NotFound):
            download(house, patient, missing)
