"""What is done about a patient's record, and what is written about it: messages, files, reports."""

from datetime import timedelta

from sqlalchemy import delete
from sqlalchemy.orm import Session

from service.domain.accounts import guardians
from service.domain.exports import export_ledger, exports
from service.domain.foundation.actor import SYSTEM
from service.domain.imports import imports
from service.domain.messages import deliveries, messages, upcoming_reminders
from service.domain.outbox import reminders
from service.domain.patients import consent, emergency_access, merging, patient_records
from service.domain.patients.consent import Wishes
from service.domain.patients.details import PatientDetails
from service.domain.privacy import erasure, legal_holds
from service.domain.reports import reports
from service.storage.models import (
    Channel,
    ConsentVia,
    Failure,
    Message,
    Patient,
)
from tests.at_once.scene import MONTH, NUMBERS, TODAY, Go, Scene
from tests.house import day


def archive(scene: Scene) -> Go:
    return lambda session: patient_records.archive(session, scene.clinic.desk, scene.patient)


def merge(scene: Scene) -> Go:
    return lambda session: merging.merge(session, scene.clinic.desk, scene.other, other_id=scene.patient, wait_hours=24)


def merge_the_other(scene: Scene) -> Go:
    return lambda session: merging.merge(session, scene.clinic.desk, scene.patient, other_id=scene.other, wait_hours=24)


def erase(scene: Scene) -> Go:
    zone = scene.house.settings.clinic.zone
    return lambda session: erasure.erase(session, scene.clinic.admin, scene.patient, years=0, zone=zone)


def erase_the_other(scene: Scene) -> Go:
    zone = scene.house.settings.clinic.zone
    return lambda session: erasure.erase(session, scene.clinic.admin, scene.other, years=0, zone=zone)


def put_hold(scene: Scene) -> Go:
    return lambda session: legal_holds.put(session, scene.clinic.admin, scene.patient, reason="A court")


def lift_hold(scene: Scene) -> Go:
    hold = scene.hold
    return lambda session: legal_holds.lift(session, scene.clinic.admin, scene.patient, hold)


def change_details(scene: Scene) -> Go:
    with scene.house.reading() as session:
        version = session.get_one(Patient, scene.patient).version
    details = PatientDetails(scene.name, day("1980-02-01"), None, f"new.{scene.word}@mail.example".lower())
    return lambda session: patient_records.change(session, scene.clinic.desk, scene.patient, details, version=version)


def allow_sms(scene: Scene) -> Go:
    wishes = Wishes(allowed={Channel.SMS: True})
    return lambda session: consent.change(session, scene.clinic.desk, scene.patient, wishes, ConsentVia.DESK)


def change_shared_email(scene: Scene) -> Go:
    shared, new = (f"{whose}.{scene.word}@mail.example".lower() for whose in ("pia", "family"))
    with scene.house.writing() as session:
        version = session.get_one(Patient, scene.other).version + 1
        session.get_one(Patient, scene.other).email = shared
    details = PatientDetails(f"Paula {scene.word}", day("1980-02-01"), None, new)
    return lambda session: patient_records.change(
        session, scene.clinic.desk, scene.other, details, version=version, also={scene.patient}
    )


def give_access(scene: Scene) -> Go:
    with scene.house.writing() as session:
        session.execute(delete(Failure))  # the desk has sent invites in other scenes
    address = f"mother.{scene.word}@mail.example".lower()
    return lambda session: guardians.link(session, scene.clinic.desk, scene.patient, email=address, wait_hours=24)


def take_access(scene: Scene) -> Go:
    user = scene.pia.user_id
    assert user is not None
    return lambda session: guardians.unlink(session, scene.clinic.desk, scene.patient, user_id=user)


def open_in_an_emergency(scene: Scene) -> Go:
    stranger = scene.house.user("doctor", f"stranger.{scene.word}{next(NUMBERS)}@clinic.example".lower())

    def go(session: Session) -> object:
        return emergency_access.open_records(
            session, stranger, name=scene.name, birth_date=day("1980-02-01"), reason="Found in the street", hours=24
        )

    return go


def import_visit(scene: Scene) -> Go:
    folder, clinic = scene.house.settings.base / "imports", scene.house.settings.clinic
    line = f"2026-05-05,09:00,15,Dr. {scene.word},{scene.name},1980-02-01,"
    data = f"Date,Time,Minutes,Doctor,Patient,Birth date,Reason\n{line}\n".encode()
    upload = imports.upload(scene.clinic.admin, folder, kind="visits", file_name=f"{scene.word}.csv", data=data)
    reading = imports.read(upload, imports.table_of(folder, upload), clinic)
    return lambda session: imports.run(session, scene.clinic.admin, upload, reading)


def export(scene: Scene) -> Go:
    return lambda session: exports.request(session, SYSTEM, scene.patient, most_waiting=10_000)


def finish_export(scene: Scene) -> Go:
    made = scene.file
    return lambda session: export_ledger.settle(session, made, "somebody", 1, 24)


def report(scene: Scene) -> Go:
    with scene.house.reading() as session:
        content = reports.produce(session, scene.doctor, MONTH, scene.house.settings.clinic.zone)
    return lambda session: reports.store(session, scene.doctor, MONTH, content)


def remind(scene: Scene) -> Go:
    span = reminders.of_day(TODAY, scene.house.settings.clinic.zone)
    assert scene.begun
    return lambda session: reminders.plan(session, span, {Channel.EMAIL})


def send(scene: Scene) -> Go:
    settings, message = scene.house.settings, Message.id == scene.message
    return lambda session: deliveries.claim(session, scene.word, settings, message)


def hold_reminder(scene: Scene) -> Go:
    settings, visit = scene.house.settings, scene.tomorrow
    return lambda session: upcoming_reminders.hold(session, scene.clinic.desk, visit, reminders.DAILY, settings)


def remind_of_tomorrow(scene: Scene) -> Go:
    span = reminders.of_day(TODAY + timedelta(days=1), scene.house.settings.clinic.zone)
    assert scene.tomorrow
    return lambda session: reminders.plan(session, span, {Channel.EMAIL})


def hold_back(scene: Scene) -> Go:
    message = scene.message
    return lambda session: messages.hold_back(session, scene.clinic.desk, message)


ACTS = (
    archive,
    merge,
    merge_the_other,
    erase,
    erase_the_other,
    put_hold,
    lift_hold,
    change_details,
    allow_sms,
    change_shared_email,
    give_access,
    take_access,
    open_in_an_emergency,
    import_visit,
    export,
    finish_export,
    report,
    remind,
    send,
    hold_back,
)
