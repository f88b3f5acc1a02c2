"""Doctors and their free slots."""

from flask import Blueprint

from service import clock
from service.api import contract, cursors
from service.api.contract import Answer
from service.api.diary.bodies import AnyFreeTimeQuery, Doctor, DoctorQuery, Doctors, FreeTime, FreeTimeQuery, FreeTimes
from service.domain.diary import doctors, offered_times
from service.domain.diary.offered_times import Asked
from service.domain.foundation import paging
from service.http import bearers, context

blueprint = Blueprint("doctors", __name__, url_prefix="/doctors")


@blueprint.get("")
@contract.reads(Doctors, query=DoctorQuery, problems=(404,))
def index(query: DoctorQuery) -> Answer:
    """List who works here, or in a department."""
    after = cursors.id_of(query.after) or 0
    rows = doctors.page(context.reading(), department=query.department, after=after, limit=query.limit + 1)
    shown, last = paging.cut(rows, query.limit, lambda row: row.id)
    return Answer(Doctors(items=[Doctor.model_validate(row) for row in shown], next=cursors.of(last)))


@blueprint.get("/<row_id:doctor_id>")
@contract.reads(Doctor)
def show(doctor_id: int) -> Answer:
    """Show one doctor."""
    return Answer(Doctor.model_validate(doctors.fetch(context.reading(), doctor_id)))


@blueprint.get("/<row_id:doctor_id>/free-times")
@contract.reads(FreeTimes, query=FreeTimeQuery)
def free_times(doctor_id: int, query: FreeTimeQuery) -> Answer:
    """List when an appointment with this doctor could be booked."""
    return _times(query, doctor_id)


@blueprint.get("/any/free-times")
@contract.reads(FreeTimes, query=AnyFreeTimeQuery, problems=(404,))
def any_free_times(query: AnyFreeTimeQuery) -> Answer:
    """List when an appointment with any doctor, or any of a department, could be booked: each time once."""
    return _times(query, None, query.department)


def _times(query: FreeTimeQuery, doctor_id: int | None, department: str = "") -> Answer:
    zone = context.wiring().settings.clinic.zone
    asked = Asked(
        first=query.date or clock.today(zone),
        days=query.days,
        doctor_id=doctor_id,
        department=department,
        visit_type_id=query.visit_type_id,
        patient_id=query.patient_id,
    )
    page = offered_times.page(context.reading(), bearers.actor(), asked, zone, after=query.after, limit=query.limit)
    return Answer(FreeTimes(items=[FreeTime.model_validate(time) for time in page.times], next=page.following))
