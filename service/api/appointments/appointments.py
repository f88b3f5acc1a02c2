"""Appointments: list, book, reschedule, cancel, and record outcomes."""

from collections.abc import Callable, Sequence
from functools import partial

from flask import Blueprint, request, url_for
from flask.typing import ResponseReturnValue

from service.api import contract, problems
from service.api.appointments.bodies import (
    Appointment,
    AppointmentQuery,
    Appointments,
    Cancellation,
    NewAppointment,
    Outcome,
    Reschedule,
)
from service.api.contract import Answer
from service.api.diary.bodies import FreeTime
from service.api.patients.own_patient import patient_meant
from service.domain.appointments import (
    appointment_search,
    appointments,
    booking,
    candidates,
    free_times,
    outcomes,
    treatments,
    visit_types,
)
from service.domain.appointments.admission import Taken
from service.domain.appointments.appointment_search import Wanted
from service.domain.appointments.requests import BookingRequest, MoveRequest
from service.http import bearers, cache, context

blueprint = Blueprint("appointments", __name__, url_prefix="/appointments")


@blueprint.get("")
@contract.reads(Appointments, query=AppointmentQuery, problems=(404,))
def index(query: AppointmentQuery) -> Answer:
    """List the appointments the user can see, earliest first."""
    wanted = Wanted(query.from_, query.to, query.doctor_id, query.patient_id, query.status)
    page = appointment_search.search(context.reading(), bearers.actor(), wanted, after=query.after, limit=query.limit)
    return Answer(Appointments(items=[Appointment.model_validate(row) for row in page.visits], next=page.older))


@blueprint.post("")
@contract.changes(Appointment, status=201, body=NewAppointment, problems=(404, 409))
def create(body: NewAppointment) -> Answer:
    """Book an appointment.

    Repeating a booking returns the same appointment. If the slot is taken, the response (409) has the nearest free
    ones.
    """
    actor, settings = bearers.actor(), context.wiring().settings
    wanted = BookingRequest(
        patient_id=patient_meant(actor, body.patient_id),
        starts_at=body.starts_at,
        doctor_id=body.chosen_doctor_id,
        department=body.department,
        visit_type_id=body.visit_type_id,
        reason=body.reason,
        overbooking_reason=body.overbooking_reason,
    )
    visit = booking.book(context.writing(), actor, wanted, settings.booking, settings.clinic.zone)
    return _made(visit.id)


@blueprint.get("/<row_id:appointment_id>")
@contract.reads(Appointment)
def show(appointment_id: int) -> Answer:
    """Show one appointment."""
    actor = bearers.actor()
    row = appointments.fetch(context.reading(), actor, appointment_id)
    answer = Answer(Appointment.model_validate(row))
    if actor.is_staff:
        with context.transaction_if_possible("appointment.view") as session:
            treatments.note_opened(session, actor, row, with_treatment=False)
    return answer


@blueprint.post("/<row_id:appointment_id>/cancellation")
@contract.changes(Appointment, body=Cancellation)
def cancel(appointment_id: int, body: Cancellation) -> Answer:
    """Cancel an appointment; patients can do so until the cutoff."""
    rules = context.wiring().settings.booking
    act = partial(outcomes.cancel, reason=body.reason, rules=rules, by=body.by, version=body.version)
    return _done(act, appointment_id)


@blueprint.post("/<row_id:appointment_id>/reschedule")
@contract.changes(Appointment, status=201, body=Reschedule)
def reschedule(appointment_id: int, body: Reschedule) -> Answer:
    """Reschedule an appointment; the response is the new one that replaces it."""
    settings = context.wiring().settings
    doctor_ids = [] if body.doctor_id is None else [body.doctor_id]
    wanted = MoveRequest(body.starts_at, doctor_ids, body.overbooking_reason, body.version)
    rules, zone = settings.booking, settings.clinic.zone
    visit = booking.reschedule(context.writing(), bearers.actor(), appointment_id, wanted, rules, zone)
    return _made(visit.id)


@blueprint.post("/<row_id:appointment_id>/arrival")
@contract.changes(Appointment, body=Outcome)
def arrive(appointment_id: int, body: Outcome) -> Answer:
    """Check the patient in."""
    zone = context.wiring().settings.clinic.zone
    return _done(partial(outcomes.arrive, zone=zone, version=body.version), appointment_id)


@blueprint.post("/<row_id:appointment_id>/completion")
@contract.changes(Appointment, body=Outcome)
def complete(appointment_id: int, body: Outcome) -> Answer:
    """Mark an appointment completed."""
    return _done(partial(outcomes.complete, version=body.version), appointment_id)


@blueprint.post("/<row_id:appointment_id>/no-show")
@contract.changes(Appointment, body=Outcome)
def no_show(appointment_id: int, body: Outcome) -> Answer:
    """Mark an appointment as a no-show."""
    return _done(partial(outcomes.no_show, version=body.version), appointment_id)


@blueprint.errorhandler(Taken)
def taken(error: Taken) -> ResponseReturnValue:
    """A refused request lists the nearest free slots, the same for everyone asking at that moment."""
    sent, zone = contract.sent_body(), context.wiring().settings.clinic.zone
    doctor_ids, minutes = _wish(sent)
    times = cache.in_a_rush(
        f"api nearest:{doctor_ids}:{sent.starts_at.isoformat()}:{minutes}",
        lambda: free_times.nearest(context.reading(), sent.starts_at, zone, doctor_ids=doctor_ids, minutes=minutes),
    )
    return problems.answer(409, str(error), free_times=[FreeTime.model_validate(time) for time in times])


def _wish(sent: NewAppointment | Reschedule) -> tuple[Sequence[int], int | None]:
    """Return the doctors whose free slots are listed, and the length in minutes; None: the default of their hours."""
    session, actor = context.reading(), bearers.actor()
    if isinstance(sent, Reschedule):
        visit = appointments.fetch(session, actor, (request.view_args or {})["appointment_id"])
        return [sent.doctor_id or visit.doctor_id], booking.minutes_of(visit)
    minutes = visit_types.minutes(session, actor, sent.visit_type_id)
    return candidates.ids(session, sent.chosen_doctor_id, sent.department), minutes


def _done(act: Callable[..., None], appointment_id: int) -> Answer:
    """Do an action, and return the appointment afterward."""
    act(context.writing(), bearers.actor(), appointment_id)
    return Answer(_shown(appointment_id))


def _made(appointment_id: int) -> Answer:
    return Answer(_shown(appointment_id), 201, url_for("api.appointments.show", appointment_id=appointment_id))


def _shown(appointment_id: int) -> Appointment:
    return Appointment.model_validate(appointments.fetch(context.writing(), bearers.actor(), appointment_id))
