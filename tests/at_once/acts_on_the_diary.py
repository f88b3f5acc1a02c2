"""What is done about a doctor's time and the people who wait for some of it."""

from datetime import timedelta

from sqlalchemy import select

from service.domain.diary import covers, doctors, hours, offers, time_off, waitlist
from service.domain.diary.covers import CoverRequest
from service.domain.diary.doctors import DoctorDetails
from service.domain.diary.time_off import Closure
from service.domain.diary.waitlist import WaitlistRequest
from service.storage.models import (
    DoctorHours,
)
from tests.at_once.scene import TEN, TODAY, Go, Scene


def wait(scene: Scene) -> Go:
    return lambda session: waitlist.add(session, scene.clinic.desk, WaitlistRequest(scene.patient, scene.doctor))


def wait_no_more(scene: Scene) -> Go:
    entry = scene.entry
    return lambda session: waitlist.remove(session, scene.clinic.desk, entry)


def offer(scene: Scene) -> Go:
    zone, entry = scene.house.settings.clinic.zone, scene.entry
    return lambda session: offers.make(
        session, scene.clinic.desk, entry, doctor_id=scene.doctor, starts_at=TEN, zone=zone
    )


def accept(scene: Scene) -> Go:
    zone, made, rules = scene.house.settings.clinic.zone, scene.offered, scene.house.settings.booking
    return lambda session: offers.accept(session, scene.clinic.desk, made, rules=rules, zone=zone)


def decline(scene: Scene) -> Go:
    made = scene.offered
    return lambda session: offers.decline(session, scene.clinic.desk, made)


def close_day(scene: Scene) -> Go:
    zone = scene.house.settings.clinic.zone
    return lambda session: time_off.close(session, scene.clinic.desk, Closure(scene.doctor, TODAY, TODAY), zone)


def close_the_clinic(scene: Scene) -> Go:
    zone, later = scene.house.settings.clinic.zone, TODAY + timedelta(days=60)
    return lambda session: time_off.close(session, scene.clinic.desk, Closure(None, later, later), zone)


def end_hours(scene: Scene) -> Go:
    zone = scene.house.settings.clinic.zone
    with scene.house.reading() as session:
        monday = DoctorHours.doctor_id == scene.doctor, DoctorHours.weekday == 0
        block = session.scalars(select(DoctorHours.id).where(*monday)).one()
    return lambda session: hours.end(session, scene.clinic.desk, scene.doctor, block, last_day=None, zone=zone)


def stand_in(scene: Scene) -> Go:
    zone, colleague = scene.house.settings.clinic.zone, scene.clinic.colleague
    asked = CoverRequest(colleague, TODAY, TODAY)
    return lambda session: covers.add(session, scene.clinic.desk, scene.doctor, asked, zone)


def archive_doctor(scene: Scene) -> Go:
    details = DoctorDetails(f"Dr. {scene.word}", scene.word)
    return lambda session: doctors.change(session, scene.clinic.desk, scene.doctor, details, version=1, archived=True)


ACTS = (
    wait,
    wait_no_more,
    offer,
    accept,
    decline,
    close_day,
    close_the_clinic,
    end_hours,
    stand_in,
    archive_doctor,
)
