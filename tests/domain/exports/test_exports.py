"""Exports: one unfinished file a patient, whole or not there, taken by one worker, gone when its time is over."""

from datetime import timedelta

import pytest
import time_machine

from service.domain.exports import export_ledger, exports
from service.domain.exports.export_formats import Contents
from service.domain.foundation.actor import Actor
from service.domain.foundation.errors import Conflict, Gone, Invalid, NotFound, Throttled
from service.storage.models import AuditEntry, Export, ExportFormat
from tests.crowd import together
from tests.domain.exports.asking import claim, finished, only, put_back, request, row, settle, waiting
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
        export_ledger.fail(session, second, "one", "OSError: disk full")
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
        assert export_ledger.note_progress(session, export_id, "one", 2, 3)
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
    clock.shift(export_ledger.LEASE)
    assert claim(house, export_id, "two") is None
    clock.shift(1)
    assert waiting(house) == [export_id]
    assert claim(house, export_id, "two") == only(patient)
    clock.shift(export_ledger.LEASE + timedelta(seconds=1))
    assert claim(house, export_id, "three") is None
    assert (row(house, export_id).status, row(house, export_id).last_error) == ("failed", "interrupted twice")


def test_a_worker_that_lost_an_export_cannot_finish_fail_or_put_it_back(
    house: House, patient: Actor, clock: time_machine.Traveller
) -> None:
    export_id = request(house, patient)
    claim(house, export_id)
    clock.shift(export_ledger.LEASE + timedelta(seconds=1))
    claim(house, export_id, "two")
    assert not settle(house, export_id, "one")
    put_back(house, export_id, "one")
    with house.writing() as session:
        export_ledger.fail(session, export_id, "one", "no")
        assert not export_ledger.note_progress(session, export_id, "one", 1, 2)
    assert (row(house, export_id).status, row(house, export_id).owner) == ("running", "two")


def test_progress_keeps_the_claim(house: House, patient: Actor, clock: time_machine.Traveller) -> None:
    export_id = request(house, patient)
    claim(house, export_id)
    for _again in range(4):
        clock.shift(20)
        with house.writing() as session:
            assert export_ledger.note_progress(session, export_id, "one", 1, 2)
    assert claim(house, export_id, "two") is None


# Getting it


def download(house: House, actor: Actor, export_id: str) -> str:
    with house.writing() as session:
        return exports.download(session, actor, export_id).id


def test_e4_a_file_is_downloaded_by_whom_it_belongs_to_while_it_is_there(
    house: House, patient: Actor, clock: time_machine.Traveller
) -> None:
    export_id = request(house, patient)
    with pytest.raises(Conflict):
        download(house, patient, export_id)
    claim(house, export_id)
    settle(house, export_id)
    assert download(house, patient, export_id) == export_id
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


def test_a_download_is_counted_once_and_each_part_is_audited(
    house: House, patient: Actor, clock: time_machine.Traveller
) -> None:
    export_id = finished(house, patient)
    assert (row(house, export_id).downloads, row(house, export_id).downloaded_at) == (0, None)
    for from_start in (True, False, True):
        clock.shift(60)
        with house.writing() as session:
            exports.note_download(session, patient, export_id, from_start=from_start)
    found = row(house, export_id)
    assert (found.downloads, found.downloaded_at) == (2, at("2026-05-04 06:03"))
    assert house.count(AuditEntry, AuditEntry.act == "export.download", AuditEntry.patient_id == only(patient)) == 3


# Choosing what and how


def test_an_export_remembers_what_was_chosen(house: House, patient: Actor) -> None:
    chosen = Contents(ExportFormat.ZIP, visits=True)
    with house.writing() as session:
        export_id = exports.request(session, patient, only(patient), chosen).id
        claimed = export_ledger.claim(session, export_id, "one")
    assert claimed is not None
    assert claimed.contents == chosen


def test_one_table_has_no_room_for_more(house: House, patient: Actor) -> None:
    for contents in (Contents(visits=True), Contents(messages=True)):
        with pytest.raises(Invalid, match="Choose the zip") as refused, house.writing() as session:
            exports.request(session, patient, only(patient), contents)
        assert refused.value.field == "format"
    assert house.count(Export) == 0


def test_e8_other_contents_are_another_export_but_never_at_the_same_time(house: House, patient: Actor) -> None:
    first = finished(house, patient)
    with house.writing() as session:
        second = exports.request(session, patient, only(patient), Contents(ExportFormat.JSON)).id
        assert exports.request(session, patient, only(patient), Contents(ExportFormat.ZIP)).id == second
    assert first != second


def test_e8_what_changed_within_the_ten_seconds_is_in_the_next_file(house: House, patient: Actor) -> None:
    doctor, all_of_it = house.user("doctor", "doctor@clinic.example").doctor_id, Contents(ExportFormat.ZIP, True, True)

    def press() -> str:
        with house.writing() as session:
            export_id = exports.request(session, patient, only(patient), all_of_it).id
        house.export(export_id)
        return export_id

    first = press()
    assert press() == first
    house.visit(doctor, only(patient), at("2026-06-01 10:00"), created_at=at("2026-05-04 06:00"))
    second = press()
    assert second != first


def test_e8_the_queue_is_limited_and_waiting_exports_are_not_refused(house: House, patient: Actor) -> None:
    waiting = request(house, patient)
    other = house.user("patient", "other@mail.example")
    with house.writing() as session:
        assert exports.request(session, patient, only(patient), most_waiting=1).id == waiting
        with pytest.raises(Throttled, match="in a minute") as refused:
            exports.request(session, other, only(other), most_waiting=1)
        assert refused.value.retry_after == 60
        assert exports.request(session, other, only(other), most_waiting=2).id != waiting


def test_who_asked_first_is_written_first_and_the_others_see_how_many_are_ahead(
    house: House, clock: time_machine.Traveller
) -> None:
    people = [house.user("patient", f"{number}@mail.example") for number in range(4)]
    asked = []
    for actor in people:
        asked.append(request(house, actor))
        clock.shift(1)
    assert waiting(house) == asked
    claim(house, asked[0])
    with house.reading() as session:
        ahead = [exports.ahead(session, session.get_one(Export, export_id)) for export_id in asked]
    assert ahead == [0, 1, 2, 3]


def test_time_left_is_told_once_it_can_be_told(house: House, patient: Actor, clock: time_machine.Traveller) -> None:
    export_id = request(house, patient)

    def left() -> int | None:
        return exports.seconds_left(row(house, export_id))

    assert left() is None
    claim(house, export_id)
    clock.shift(1)
    note(house, export_id, 100, 1000)
    assert left() is None, "too early to say"
    clock.shift(9)
    note(house, export_id, 250, 1000)
    assert left() == 30
    settle(house, export_id)
    assert left() is None


def note(house: House, export_id: str, rows: int, total: int) -> bool:
    with house.writing() as session:
        return export_ledger.note_progress(session, export_id, "one", rows, total)


# Stopping and taking away


def cancel(house: House, actor: Actor, export_id: str) -> None:
    with house.writing() as session:
        exports.cancel(session, actor, export_id)


def revoke(house: House, actor: Actor, export_id: str) -> None:
    with house.writing() as session:
        exports.revoke(session, actor, export_id)


def test_a_stopped_export_is_written_by_nobody_and_can_be_asked_for_again(house: House, patient: Actor) -> None:
    export_id = request(house, patient)
    cancel(house, patient, export_id)
    cancel(house, patient, export_id)
    assert (row(house, export_id).status, waiting(house)) == ("cancelled", [])
    assert claim(house, export_id) is None
    assert house.count(AuditEntry, AuditEntry.act == "export.cancel") == 1
    assert request(house, patient) != export_id


def test_the_writer_of_a_canceled_export_notices_and_cannot_finish_it(house: House, patient: Actor) -> None:
    export_id = request(house, patient)
    claim(house, export_id)
    cancel(house, patient, export_id)
    assert not note(house, export_id, 1, 2)
    assert not settle(house, export_id)
    put_back(house, export_id)
    assert row(house, export_id).status == "cancelled"


def test_what_has_ended_cannot_be_stopped(house: House, patient: Actor) -> None:
    export_id = finished(house, patient)
    with pytest.raises(Conflict, match="nothing to stop"):
        cancel(house, patient, export_id)
    assert row(house, export_id).status == "available"


def test_e4_a_removed_export_is_gone_at_once(house: House, patient: Actor) -> None:
    export_id = request(house, patient)
    with pytest.raises(Conflict):
        revoke(house, patient, export_id)
    claim(house, export_id)
    settle(house, export_id)
    revoke(house, patient, export_id)
    revoke(house, patient, export_id)
    assert (row(house, export_id).status, row(house, export_id).revoked_at) == ("expired", at("2026-05-04 06:00"))
    with pytest.raises(Gone):
        download(house, patient, export_id)
    assert house.count(AuditEntry, AuditEntry.act == "export.revoke") == 1
    assert request(house, patient) != export_id


def test_e4_nobody_else_stops_or_removes_it(house: House, patient: Actor) -> None:
    export_id = request(house, patient)
    others = [house.user("patient", "other@mail.example"), house.user("doctor", "doctor@clinic.example")]
    for actor in (*others, house.user("admin", "admin@clinic.example")):
        for act in (cancel, revoke):
            with pytest.raises(NotFound):
                act(house, actor, export_id)
    assert row(house, export_id).status == "pending"


# The whole clinic


def test_e10_only_the_admin_asks_for_the_whole_clinic_and_one_is_made_at_a_time(house: House, patient: Actor) -> None:
    admin = house.user("admin", "admin@clinic.example")
    doctor, desk = house.user("doctor", "doctor@clinic.example"), house.user("receptionist", "desk@clinic.example")
    for actor in (patient, doctor, desk):
        with pytest.raises(NotFound), house.writing() as session:
            exports.request_of_clinic(session, actor)

    def press(_number: int) -> str:
        with house.writing() as session:
            return exports.request_of_clinic(session, admin).id

    (export_id,) = set(together(4, press))
    for actor in (patient, doctor, desk):
        with pytest.raises(NotFound):
            download(house, actor, export_id)
        with pytest.raises(NotFound), house.reading() as session:
            exports.latest(session, actor, None)
    with house.reading() as session:
        assert [one.is_of_clinic for one in export_ledger.claimable(session)] == [True]
    assert house.count(AuditEntry, AuditEntry.act == "export.request", AuditEntry.patient_id.is_(None)) == 1
