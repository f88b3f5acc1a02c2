"""Every way to an appointment follows the same rules: each is tried against each reason to refuse it."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import date, timedelta
from itertools import product
from typing import Any

import pytest
import time_machine
from sqlalchemy import delete, select
from werkzeug.test import TestResponse

from service.domain.messages import message_links
from service.storage.models import (
    TAKES_PLACE,
    Appointment,
    Doctor,
    ExceptionKind,
    Guardian,
    HoursException,
    LinkPurpose,
    Message,
    MoveProposal,
    Offer,
    Patient,
    WaitlistEntry,
)
from tests import waiting
from tests.api.program import Program, token_of
from tests.house import Browser, House, at
from tests.web.frozen_clinic import email

EIGHT, NINE = at("2026-05-04 06:00"), at("2026-05-04 07:00")
"""On a Monday in Berlin: now, and the requested time."""
NINE_TYPED, NINE_SAID = "2026-05-04T09:00", "2026-05-04T09:00:00+02:00"
TOMORROW = NINE + timedelta(days=1)


@dataclass
class Door:
    """The users with their browsers and API clients."""

    house: House
    clock: time_machine.Traveller
    pia: Browser
    desk: Browser
    nobody: Browser
    pias_program: Program
    desks_program: Program
    account: int


@dataclass
class Try:
    """One try to get nine o'clock with a doctor in one way; each try has its own people."""

    door: Door
    doctor: int
    other_doctor: int
    patient: int
    other: int
    row: int = 0
    """What the way starts from: an appointment, an offer, or a waitlist entry."""
    path: str = ""
    """The link in a message."""
    fields: dict[str, Any] = field(default_factory=dict)

    @property
    def house(self) -> House:
        return self.door.house

    def visit(self, starts_at: Any = NINE, **more: Any) -> int:
        return self.house.visit(self.doctor, self.patient, starts_at, **{"overbooked": False, **more})

    def link(self, purpose: LinkPurpose, **about: Any) -> str:
        """Return a link as in a message to the patient."""
        values = {"channel": "email", "status": "sent", "due_at": EIGHT, "lease_until": EIGHT, "created_at": EIGHT}
        rule = "waiting_list_offer" if purpose == LinkPurpose.OFFER else "visit_moved"
        with self.house.writing() as session:
            message = Message(rule=rule, patient_id=self.patient, **values, **about)
            session.add(message)
            session.flush()
            token = message_links.make(
                session,
                message,
                purpose,
                patient_id=self.patient,
                appointment_id=about.get("appointment_id"),
                expires_at=TOMORROW + timedelta(days=9),
            )
        return f"/{purpose}/{token}"

    def has_nine(self) -> int:
        """Count the patient's bookings and holds at nine o'clock with the doctor."""
        mine = Appointment.patient_id == self.patient, Appointment.doctor_id == self.doctor
        booked = self.house.count(
            Appointment, *mine, Appointment.starts_at == NINE, Appointment.status.in_(TAKES_PLACE)
        )
        if not self.fields.get("holds"):
            return booked
        entries = select(WaitlistEntry.id).where(WaitlistEntry.patient_id == self.patient)
        return booked + self.house.count(Offer, Offer.starts_at == NINE, Offer.waiting_id.in_(entries))


@dataclass(frozen=True)
class Way:
    """A way to get an appointment."""

    begin: Callable[[Try], None]
    go: Callable[[Try], TestResponse]
    limited: bool = False
    """Whether `max_open` applies: to patients who add an appointment."""


def nothing(_one: Try) -> None:
    """Prepare nothing."""


def booking_form(one: Try, **more: Any) -> dict[str, Any]:
    return {"patient_id": one.patient, "doctor_id": one.doctor, "starts_at": NINE_TYPED, **more}


def body(one: Try) -> dict[str, Any]:
    return {"patient_id": one.patient, "doctor_id": one.doctor, "starts_at": NINE_SAID}


def has_tomorrow(one: Try) -> None:
    one.row = one.visit(TOMORROW)


def has_tomorrow_by_link(one: Try) -> None:
    has_tomorrow(one)
    one.path = one.link(LinkPurpose.VISIT, appointment_id=one.row, starts_at=TOMORROW)


def is_proposed_nine(one: Try) -> None:
    has_tomorrow_by_link(one)
    times = {"times": [{"doctor_id": one.doctor, "starts_at": f"{NINE:%Y-%m-%dT%H:%M:%SZ}"}]}
    with one.house.writing() as session:
        session.add(MoveProposal(appointment_id=one.row, times=times, created_at=EIGHT))


def is_away_tomorrow(one: Try) -> None:
    has_tomorrow(one)
    one.fields["time_off"] = away(one, TOMORROW.date())


def cancelled_at_the_desk(one: Try) -> None:
    one.row = one.visit()
    assert one.door.desk.post(f"/appointments/{one.row}/cancellation").status_code == 303


def cancelled_by_link(one: Try) -> None:
    one.row = one.visit()
    one.path = one.link(LinkPurpose.VISIT, appointment_id=one.row, starts_at=NINE)
    assert one.door.nobody.post(f"{one.path}/cancellation", {"appointment_id": one.row}).status_code == 303


def waits(one: Try) -> None:
    one.row = waiting.entry(one.house, one.patient, doctor_id=one.doctor)
    one.fields["holds"] = True


def is_offered_nine(one: Try) -> None:
    one.row = waiting.offer(one.house, waiting.entry(one.house, one.patient, doctor_id=one.doctor), one.doctor, NINE)


def is_offered_nine_by_link(one: Try) -> None:
    is_offered_nine(one)
    one.path = one.link(LinkPurpose.OFFER, about=f"offer/{one.row}")


def move_by_link(one: Try) -> TestResponse:
    return one.door.nobody.post(f"{one.path}/reschedule", {"appointment_id": one.row, "starts_at": NINE_TYPED})


def move_on_the_page_of_time_off(one: Try) -> TestResponse:
    form = {"appointment_id": one.row, "doctor_id": one.doctor, "starts_at": NINE_TYPED}
    return one.door.desk.post(f"/time-off/{one.fields['time_off']}/moves", form)


WAYS = {
    "a patient's page": Way(nothing, lambda one: one.door.pia.post("/appointments", booking_form(one)), limited=True),
    "the desk's page": Way(nothing, lambda one: one.door.desk.post("/appointments", booking_form(one))),
    "a patient's program": Way(
        nothing, lambda one: one.door.pias_program.post("/appointments", body(one)), limited=True
    ),
    "the desk's program": Way(nothing, lambda one: one.door.desks_program.post("/appointments", body(one))),
    "a series": Way(nothing, lambda one: one.door.desk.post("/appointments", booking_form(one, count=2, every_days=7))),
    "rescheduled by a patient": Way(
        has_tomorrow,
        lambda one: one.door.pia.post(f"/appointments/{one.row}/reschedule", {"starts_at": NINE_TYPED}),
    ),
    "rescheduled at the desk": Way(
        has_tomorrow,
        lambda one: one.door.desk.post(f"/appointments/{one.row}/reschedule", {"starts_at": NINE_TYPED}),
    ),
    "rescheduled by a program": Way(
        has_tomorrow,
        lambda one: one.door.pias_program.post(f"/appointments/{one.row}/reschedule", {"starts_at": NINE_SAID}),
    ),
    "rescheduled by link": Way(has_tomorrow_by_link, move_by_link),
    "a proposal accepted": Way(is_proposed_nine, move_by_link),
    "moved out of time off": Way(is_away_tomorrow, move_on_the_page_of_time_off),
    "undone at the desk": Way(cancelled_at_the_desk, lambda one: one.door.desk.post(f"/appointments/{one.row}/undo")),
    "undone by link": Way(
        cancelled_by_link,
        lambda one: one.door.nobody.post(f"{one.path}/undo", {"appointment_id": one.row}),
        limited=True,
    ),
    "offered from the waitlist": Way(
        waits,
        lambda one: one.door.desk.post(
            f"/waitlist/{one.row}/offers", {"doctor_id": one.doctor, "starts_at": NINE_TYPED}
        ),
    ),
    "an offer accepted at the desk": Way(
        is_offered_nine, lambda one: one.door.desk.post(f"/offers/{one.row}/acceptance")
    ),
    "an offer accepted by link": Way(
        is_offered_nine_by_link, lambda one: one.door.nobody.post(f"{one.path}/acceptance")
    ),
}
"""Staff make offers, so `max_open` does not limit them. Walk-ins have their own test."""


def held_for_somebody_else(one: Try) -> None:
    waiting.offer(one.house, waiting.entry(one.house, one.other), one.doctor, NINE)


def away(one: Try, day: date) -> int:
    with one.house.writing() as session:
        row = HoursException(
            doctor_id=one.doctor, kind=ExceptionKind.OFF, first_day=day, last_day=day, created_at=EIGHT
        )
        session.add(row)
        session.flush()
        return row.id


def time_off(one: Try) -> None:
    away(one, NINE.date())


def changed(one: Try, table: type[Any], row_id: int, **values: Any) -> None:
    with one.house.writing() as session:
        for name, value in values.items():
            setattr(session.get_one(table, row_id), name, value)


def archived_doctor(one: Try) -> None:
    changed(one, Doctor, one.doctor, archived_at=EIGHT)


def archived(one: Try) -> None:
    changed(one, Patient, one.patient, archived_at=EIGHT)


def merged(one: Try) -> None:
    changed(one, Patient, one.patient, archived_at=EIGHT, merged_into_id=one.other)


def erased(one: Try) -> None:
    changed(one, Patient, one.patient, archived_at=EIGHT, erased_at=EIGHT)


def three_are_open(one: Try) -> None:
    for week in (1, 2, 3):
        one.house.visit(one.other_doctor, one.patient, NINE + timedelta(weeks=week, hours=2))


def taken(one: Try) -> None:
    one.house.visit(one.doctor, one.other, NINE, overbooked=False)


def elsewhere_then(one: Try) -> None:
    one.house.visit(one.other_doctor, one.patient, NINE, overbooked=False)


TAKEN = "That slot was just taken or isn't free."
GONE = "This record is archived"
MERGED = "This record was merged into another one. Open that one."
ERASED = "This record was erased, so it can't have new appointments."
PAST = "That time has passed"
REFUSALS: dict[str, tuple[Callable[[Try], None], str]] = {
    "held": (held_for_somebody_else, TAKEN),
    "time off": (time_off, "The doctor doesn't work at that time"),
    "archived doctor": (archived_doctor, "no longer sees patients here"),
    "archived patient": (archived, GONE),
    "merged patient": (merged, MERGED),
    "erased patient": (erased, ERASED),
    "max_open": (three_are_open, "You have 3 appointments booked"),
    "overlap of the doctor": (taken, TAKEN),
    "overlap of the patient": (elsewhere_then, "The patient already has an appointment at that time."),
}
NO_SUCH_DOCTOR = {"a patient's page", "the desk's page", "a series"}
"""Where a doctor is chosen from a list, another doctor is not found."""


@pytest.fixture(name="door")
def the_doors(make_house: Callable[..., House]) -> Iterator[Door]:
    with time_machine.travel(EIGHT, tick=False) as traveller:
        house = make_house(
            booking={"cancel_cutoff_hours": 0}, security={"idle_minutes": 240, "patient_idle_minutes": 240}
        )
        pia = house.user("patient", email("patient"), "Pia Ahorn")
        house.user("receptionist", email("receptionist"), "Rita Tresen")
        yield Door(
            house=house,
            clock=traveller,
            pia=house.browser(email("patient")),
            desk=house.browser(email("receptionist")),
            nobody=house.browser(),
            pias_program=Program(house.app, token_of(house, "patient")),
            desks_program=Program(house.app, token_of(house, "receptionist")),
            account=pia.user_id or 0,
        )


def people(door: Door) -> Try:
    """Add people for one try; the patient is managed by Pia's user."""
    with door.house.writing() as session:
        doctors = [Doctor(name=f"Dr. {name}", department="Eyes", created_at=EIGHT) for name in ("Ahrens", "Beyer")]
        patients = [Patient(name=name, created_at=EIGHT - timedelta(days=90)) for name in ("Ina Ulm", "Otto Birke")]
        session.add_all([*doctors, *patients])
        session.flush()
        session.execute(delete(Guardian).where(Guardian.user_id == door.account))
        session.add(Guardian(user_id=door.account, patient_id=patients[0].id, created_at=EIGHT))
        one = Try(door, doctors[0].id, doctors[1].id, patients[0].id, patients[1].id)
    door.house.hours(one.doctor)
    return one


def said(answer: TestResponse) -> str:
    return answer.get_data(as_text=True).replace("&#39;", "'")


@pytest.mark.tour
def test_h14_all_ways_to_an_appointment_refuse_the_same_things(door: Door) -> None:
    wrong = []
    for (name, way), reason in product(WAYS.items(), ["", *REFUSALS]):
        one = people(door)
        way.begin(one)
        stand_in_the_way, sentence = REFUSALS.get(reason, (nothing, ""))
        stand_in_the_way(one)
        answer = way.go(one)
        if not reason or (reason == "max_open" and not way.limited):
            well = answer.status_code in (201, 303) and one.has_nine() == 1
        else:
            absent = reason == "archived doctor" and name in NO_SUCH_DOCTOR and answer.status_code == 404
            well = one.has_nine() == 0 and (absent or (answer.status_code in (409, 422) and sentence in said(answer)))
        if not well:
            wrong.append((name, reason, answer.status_code, one.has_nine()))
    assert wrong == []


@pytest.mark.tour
def test_h14_no_way_books_in_the_past(door: Door) -> None:
    tries = []
    for name, way in WAYS.items():
        one = people(door)
        way.begin(one)
        tries.append((name, way, one))
    door.clock.move_to(NINE + timedelta(minutes=1))
    for name, way, one in tries:
        with door.house.writing() as session:
            session.execute(delete(Guardian).where(Guardian.user_id == door.account))
            session.add(Guardian(user_id=door.account, patient_id=one.patient, created_at=EIGHT))
        answer = way.go(one)
        sentence = "You can no longer undo this online" if name == "undone by link" else PAST
        assert (answer.status_code in (409, 422), one.has_nine(), sentence in said(answer)) == (True, 0, True), name


def test_h14_undoing_staff_can_overrule_only_the_time_and_with_a_logged_reason(door: Door) -> None:
    for stand_in_the_way in (held_for_somebody_else, time_off, taken, elsewhere_then):
        one = people(door)
        cancelled_at_the_desk(one)
        stand_in_the_way(one)
        refused = one.door.desk.post(f"/appointments/{one.row}/undo")
        assert (refused.status_code, one.has_nine()) == (409, 0)
        assert 'name="overbooking_reason"' in said(refused)
        again = one.door.desk.post(f"/appointments/{one.row}/undo", {"overbooking_reason": "In pain"})
        assert (again.status_code, one.has_nine()) == (303, 1)
        row = waiting.row(one.house, Appointment, one.row)
        assert (row.overbooked, row.overbooking_reason) == (True, "In pain")
    for stand_in_the_way in (archived_doctor, archived):
        one = people(door)
        cancelled_at_the_desk(one)
        stand_in_the_way(one)
        refused = one.door.desk.post(f"/appointments/{one.row}/undo", {"overbooking_reason": "In pain"})
        assert (refused.status_code, one.has_nine()) == (409, 0)


def test_h14_a_patient_whose_undo_is_refused_gets_no_message(door: Door) -> None:
    one = people(door)
    changed(one, Patient, one.patient, email="ina@mail.example")
    cancelled_by_link(one)
    held_for_somebody_else(one)
    assert one.door.nobody.post(f"{one.path}/undo", {"appointment_id": one.row}).status_code == 409
    assert one.house.count(Message, Message.rule == "visit_restored") == 0
    assert one.house.count(Message, Message.rule == "visit_cancelled", Message.status == "queued") == 1


def test_h16_cancel_three_book_three_and_undo_leaves_three(door: Door) -> None:
    one = people(door)
    cancelled = []
    for week in (1, 2, 3):
        starts_at = NINE + timedelta(weeks=week)
        one.row = one.visit(starts_at)
        one.path = one.link(LinkPurpose.VISIT, appointment_id=one.row, starts_at=starts_at)
        form = {"appointment_id": one.row}
        assert one.door.nobody.post(f"{one.path}/cancellation", form).status_code == 303
        cancelled.append((one.path, form))
    for day in (1, 2, 3):
        typed = f"2026-05-{4 + day:02}T09:00"
        assert one.door.pia.post("/appointments", booking_form(one, starts_at=typed)).status_code == 303
    for path, form in cancelled:
        refused = one.door.nobody.post(f"{path}/undo", form)
        assert (refused.status_code, "You have 3 appointments booked" in said(refused)) == (409, True)
    open_now = Appointment.patient_id == one.patient, Appointment.status.in_(TAKES_PLACE)
    assert one.house.count(Appointment, *open_now) == 3


@pytest.mark.parametrize(
    ("stand_in_the_way", "status"), [(archived_doctor, 404), (archived, 422), (merged, 409), (erased, 422)]
)
def test_a_walk_in_needs_an_active_doctor_and_patient(
    door: Door, stand_in_the_way: Callable[[Try], None], status: int
) -> None:
    one = people(door)
    stand_in_the_way(one)
    answer = one.door.desk.post("/walk-ins", {"patient_id": one.patient, "doctor_id": one.doctor})
    assert answer.status_code == status
    assert (MERGED in said(answer), ERASED in said(answer)) == (stand_in_the_way is merged, stand_in_the_way is erased)
    assert one.house.count(Appointment, Appointment.patient_id == one.patient) == 0


@pytest.mark.parametrize("said_of_it", ["completion", "no-show", "cancellation"])
def test_correcting_a_past_appointment_of_a_removed_record_changes_nothing(door: Door, said_of_it: str) -> None:
    one = people(door)
    visit = one.visit()
    door.clock.move_to(NINE + timedelta(minutes=20))
    for expected, row in ((303, visit), (409, visit)):
        assert one.door.desk.post(f"/appointments/{row}/{said_of_it}").status_code == 303
        if expected == 409:
            erased(one)
        assert one.door.desk.post(f"/appointments/{row}/undo").status_code == expected
    open_now = Appointment.patient_id == one.patient, Appointment.status.in_(("booked", "arrived"))
    assert one.house.count(Appointment, *open_now) == 0


def test_an_appointment_booked_by_staff_can_be_restored_between_slots(door: Door) -> None:
    one = people(door)
    one.row = one.visit(NINE + timedelta(minutes=7))
    one.path = one.link(LinkPurpose.VISIT, appointment_id=one.row, starts_at=NINE + timedelta(minutes=7))
    form = {"appointment_id": one.row}
    assert one.door.nobody.post(f"{one.path}/cancellation", form).status_code == 303
    assert one.door.nobody.post(f"{one.path}/undo", form).status_code == 303
    assert waiting.row(one.house, Appointment, one.row).status == "booked"


def test_patients_can_restore_an_overbooked_appointment_only_if_the_slot_is_free(door: Door) -> None:
    for stands_there, status in ((nothing, 303), (taken, 409)):
        one = people(door)
        one.row = one.visit(overbooked=True, overbooking_reason="In pain")
        one.path = one.link(LinkPurpose.VISIT, appointment_id=one.row, starts_at=NINE)
        stands_there(one)
        form = {"appointment_id": one.row}
        assert one.door.nobody.post(f"{one.path}/cancellation", form).status_code == 303
        assert one.door.nobody.post(f"{one.path}/undo", form).status_code == status
        assert one.has_nine() == (status == 303)
        if status == 409:
            assert one.door.desk.post(f"/appointments/{one.row}/undo").status_code == 303
            assert waiting.row(one.house, Appointment, one.row).overbooking_reason == "In pain"
