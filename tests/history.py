"""A history of many treatments, put into the database in one go."""

from datetime import timedelta

from sqlalchemy import insert

from service.storage.models import Appointment, Treatment
from tests.house import House, at


def long_history(house: House, doctor: int | None, patient: int, count: int) -> None:
    """So many completed appointments of a patient, an hour apart, each with its treatment."""
    starts = [at("2000-01-01 10:00") + timedelta(hours=number) for number in range(count)]
    visits = [
        {
            "doctor_id": doctor,
            "patient_id": patient,
            "starts_at": start,
            "ends_at": start + timedelta(minutes=15),
            "overbooked": True,
            "status": "completed",
            "created_at": start,
        }
        for start in starts
    ]
    with house.writing() as session:
        ids = session.scalars(insert(Appointment).returning(Appointment.id, sort_by_parameter_order=True), visits).all()
        notes = [
            {"appointment_id": visit, "notes": f"visit {number}", "created_at": start, "updated_at": start}
            for number, (visit, start) in enumerate(zip(ids, starts, strict=True))
        ]
        session.execute(insert(Treatment), notes)
