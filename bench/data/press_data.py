"""Patients with twenty treatments each and a session of their own, so that each can press once."""

from datetime import datetime, timedelta
from itertools import count

from bench.data.clinics import Clinic
from service import clock
from service.config.settings import load
from service.domain.accounts import sessions
from service.domain.accounts.sessions import Place
from service.storage.database import Database
from service.storage.models import Appointment, Doctor, Guardian, Patient, Treatment, User

TREATMENTS = 20


def fill(clinic: Clinic, patients: int) -> list[str]:
    """Fill a fresh clinic; returns a session's token for each patient."""
    clinic.command("migrate")
    settings = load(clinic.config)
    database = Database(settings.database_url)
    now, ids = clock.now(), count(1)
    with database.transaction() as session:
        session.add(Doctor(id=1, name="Dr. Hana Sommer", created_at=now))
        for patient in range(1, patients + 1):
            name = f"Patient No. {patient}"
            session.add(User(id=patient, email=f"{patient}@clinic.example", name=name, role="patient", created_at=now))
            session.add(Patient(id=patient, name=name, created_at=now))
            session.flush()
            session.add(Guardian(user_id=patient, patient_id=patient, created_at=now))
            for week in range(1, TREATMENTS + 1):
                start, visit = now - timedelta(weeks=week, minutes=15 * patient), next(ids)
                times = {"starts_at": start, "ends_at": start + timedelta(minutes=15), "created_at": start}
                session.add(Appointment(id=visit, doctor_id=1, patient_id=patient, status="completed", **times))
                session.add(_treatment(visit, week, start + timedelta(days=1)))
        session.flush()
        limits = settings.security
        tokens = [sessions.begin(session, user, Place("127.0.0.1"), limits).token for user in range(1, patients + 1)]
    database.close()
    return tokens


def _treatment(visit: int, week: int, written_at: datetime) -> Treatment:
    return Treatment(
        appointment_id=visit,
        visit_type="Follow-up",
        symptoms="Persistent cough, worse at night; no fever.",
        diagnosis="Acute bronchitis, probably viral",
        treatment=f"Week {week}: rest, plenty of fluids",
        prescription="Paracetamol 500 mg as needed",
        notes="- asked about work\n- to return if fever rises",
        created_at=written_at,
        updated_at=written_at,
    )
