"""What is done about an appointment: booked, moved, canceled, taken back, and how it went."""

from dataclasses import replace

from sqlalchemy.orm import Session

from service.domain.appointments import booking, outcomes, series, treatments, walk_ins
from service.domain.appointments.requests import MoveRequest, SeriesRequest
from service.domain.appointments.treatments import Findings
from service.domain.diary import affected_appointments
from service.domain.messages import message_links
from service.storage.models import Appointment, LinkPurpose
from tests.at_once.scene import EIGHT, ONE_AT_ONCE, TEN, Go, Scene


def book(scene: Scene) -> Go:
    zone, rules = scene.house.settings.clinic.zone, scene.house.settings.booking
    return lambda session: booking.book(session, scene.clinic.desk, scene.wish(), rules, zone)


def book_for_the_other(scene: Scene) -> Go:
    zone, rules = scene.house.settings.clinic.zone, scene.house.settings.booking
    wish = replace(scene.wish(), patient_id=scene.other)
    return lambda session: booking.book(session, scene.clinic.desk, wish, rules, zone)


def book_oneself(scene: Scene) -> Go:
    zone, wish, pia = scene.house.settings.clinic.zone, scene.own_time(), scene.pia
    return lambda session: booking.book(session, pia, wish, ONE_AT_ONCE, zone)


def book_a_series(scene: Scene) -> Go:
    clinic, rules, wish = scene.house.settings.clinic, scene.house.settings.booking, scene.wish()
    series_of_two = SeriesRequest(wish, 2, 7)
    return lambda session: series.book(session, scene.clinic.desk, series_of_two, rules, clinic)


def walk_in(scene: Scene) -> Go:
    zone = scene.house.settings.clinic.zone
    return lambda session: walk_ins.take_in(session, scene.clinic.desk, scene.wish(EIGHT), zone)


def move(scene: Scene) -> Go:
    zone, visit, rules = scene.house.settings.clinic.zone, scene.visit, scene.house.settings.booking
    wish = MoveRequest(TEN, [scene.doctor])
    return lambda session: booking.reschedule(session, scene.clinic.desk, visit, wish, rules, zone)


def cancel(scene: Scene) -> Go:
    visit, rules = scene.visit, scene.house.settings.booking
    return lambda session: outcomes.cancel(session, scene.clinic.desk, visit, reason="", rules=rules)


def cancel_by_link(scene: Scene) -> Go:
    visit, token, rules = scene.tomorrow, scene.link, scene.house.settings.booking

    def go(session: Session) -> None:
        link = message_links.to_act(session, token, LinkPurpose.VISIT)
        who = message_links.actor(session, link, visit, "")
        outcomes.cancel(session, who, visit, reason="", rules=rules)

    return go


def undo(scene: Scene) -> Go:
    visit, settings = scene.called_off, scene.house.settings
    return lambda session: outcomes.undo(session, scene.clinic.desk, visit, settings)


def undo_oneself(scene: Scene) -> Go:
    with scene.house.writing() as session:
        session.get_one(Appointment, scene.called_off).booked_by_id = scene.pia.user_id
    visit, settings, pia = scene.called_off, scene.house.settings.model_copy(update={"booking": ONE_AT_ONCE}), scene.pia
    return lambda session: outcomes.undo(session, pia, visit, settings)


def confirm(scene: Scene) -> Go:
    visit, pia = scene.visit, scene.pia
    return lambda session: outcomes.confirm(session, pia, visit)


def arrive(scene: Scene) -> Go:
    zone, visit = scene.house.settings.clinic.zone, scene.visit
    return lambda session: outcomes.arrive(session, scene.clinic.desk, visit, zone)


def complete(scene: Scene) -> Go:
    visit = scene.begun
    return lambda session: outcomes.complete(session, scene.clinic.desk, visit)


def miss(scene: Scene) -> Go:
    visit = scene.begun
    return lambda session: outcomes.no_show(session, scene.clinic.desk, visit)


def treat(scene: Scene) -> Go:
    zone, visit = scene.house.settings.clinic.zone, scene.begun
    return lambda session: treatments.record(
        session, scene.colleague, visit, Findings(diagnosis=f"A cold of {scene.word}"), zone
    )


def propose(scene: Scene) -> Go:
    zone, visit = scene.house.settings.clinic.zone, scene.visit
    return lambda session: affected_appointments.propose(session, scene.clinic.desk, visit, any_doctor=False, zone=zone)


ACTS = (
    book,
    book_for_the_other,
    book_oneself,
    book_a_series,
    walk_in,
    move,
    cancel,
    cancel_by_link,
    undo,
    undo_oneself,
    confirm,
    arrive,
    complete,
    miss,
    treat,
    propose,
)
