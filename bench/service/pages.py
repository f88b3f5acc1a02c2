"""Every page of a demo clinic: who looks at it, and where it is."""

from collections.abc import Iterator
from dataclasses import dataclass

from bench.data.clinics import Clinic
from bench.service.visitor import Visitor

ADMIN, DESK, DOCTOR, PATIENT = (f"{who}@demo.example" for who in ("admin", "reception", "doctor1", "patient1"))
VISIT = (
    "SELECT id FROM appointments WHERE doctor_id = (SELECT d.id FROM doctors d JOIN users u ON u.id = d.user_id"
    " WHERE u.email = ?) AND status = 'completed' ORDER BY starts_at DESC LIMIT 1"
)
PATIENT_OF = "SELECT patient_id FROM appointments WHERE id = ?"
OWN_VISIT = (
    "SELECT a.id FROM appointments a JOIN guardians g ON g.patient_id = a.patient_id JOIN users u ON u.id = g.user_id"
    " WHERE u.email = ? ORDER BY a.starts_at DESC LIMIT 1"
)
REPORT = (
    "SELECT r.id FROM reports r JOIN doctors d ON d.id = r.doctor_id JOIN users u ON u.id = d.user_id WHERE u.email = ?"
)


@dataclass(frozen=True)
class Page:
    """A page and the person who looks at it; no one signed in for None."""

    name: str
    email: str | None
    path: str


def of(clinic: Clinic, people: dict[str | None, Visitor]) -> Iterator[Page]:
    """The pages of this clinic, with the ids it has."""
    visit = clinic.ask(VISIT, DOCTOR)
    report = clinic.ask(REPORT, DOCTOR)
    yield Page("sign-in", None, "/sign-in")
    yield Page("today, admin", ADMIN, "/today")
    yield Page("today, desk", DESK, "/today")
    yield Page("today, doctor", DOCTOR, "/today")
    yield Page("visits, patient", PATIENT, "/appointments")
    yield Page("one visit, patient", PATIENT, f"/appointments/{clinic.ask(OWN_VISIT, PATIENT)}")
    yield Page("one visit, doctor", DOCTOR, f"/appointments/{visit}")
    yield Page("history, patient", PATIENT, "/treatments")
    yield Page("record, doctor", DOCTOR, f"/patients/{clinic.ask(PATIENT_OF, visit)}")
    yield Page("treatment form", DOCTOR, f"/appointments/{visit}/treatment")
    yield from _desk(clinic)
    yield Page("export", PATIENT, people[PATIENT].post("/exports", form="/treatments"))
    yield Page("reports, admin", ADMIN, "/reports")
    yield Page("reports, doctor", DOCTOR, "/reports")
    yield Page("one report", DOCTOR, f"/reports/{report}")
    yield Page("one report as a file", DOCTOR, f"/reports/{report}/file")
    yield Page("the clinic's report", ADMIN, f"/clinic-reports/{clinic.ask('SELECT max(id) FROM clinic_reports')}")
    yield Page("dashboard, cached", ADMIN, "/dashboard")
    yield Page("figures, doctor", DOCTOR, "/figures")
    yield Page("figures, desk", DESK, "/figures")
    yield Page("jobs", ADMIN, "/jobs")


def _desk(clinic: Clinic) -> Iterator[Page]:
    """What the desk, and the person who books, works with."""
    patient = clinic.ask("SELECT patient_id FROM guardians g JOIN users u ON u.id = g.user_id WHERE email = ?", PATIENT)
    yield Page("booking, one doctor", PATIENT, "/appointments/new?doctor_id=1")
    yield Page("booking, any of 20 doctors", DESK, f"/appointments/new?doctor_id=any&patient_id={patient}")
    yield Page("calendar, day of all doctors", DESK, "/calendar")
    yield Page("calendar, week of a doctor", DESK, "/calendar?view=week&doctor_id=1")
    yield Page("patients", DESK, "/patients")
    yield Page("patient search, name", DESK, "/patients?q=weissmann")
    yield Page("patient search, phone", DESK, "/patients?q=0176040690")
    yield Page("one patient, desk", DESK, f"/patients/{patient}")
    yield Page("waitlist", DESK, "/waitlist")
    yield Page("to complete", DESK, "/to-complete")
    yield Page("doctors", DESK, "/doctors")
    yield Page("one doctor's hours", DESK, "/doctors/1")
    yield Page("time off", DESK, "/time-off")
    yield Page("visit types", DESK, "/visit-types")
    yield Page("day sheet, one doctor", DOCTOR, "/today/sheet")
    yield Page("users", ADMIN, "/users")


def visitors(port: int) -> dict[str | None, Visitor]:
    """One signed-in visitor of each role, and one who is not."""
    return {None: Visitor(port), **{email: Visitor(port, email) for email in (ADMIN, DESK, DOCTOR, PATIENT)}}
