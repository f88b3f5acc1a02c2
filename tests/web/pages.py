"""All pages a visitor may open in the clinic of clinic.py, error pages included."""

from tests.web.clinic import NOBODY, Clinic, minutes


def pages_of(clinic: Clinic, visitor: str) -> list[str]:
    """Paths that answer this visitor with HTML, whatever their status."""
    own = {
        NOBODY: ["/sign-in", f"/invite/{clinic.invite}", "/invite/used-up"],
        "patient": _patient(clinic.pia, [clinic.begun, clinic.later, clinic.past], clinic.export),
        "other patient": _patient(clinic.otto, [clinic.other_visit], clinic.other_export),
        "doctor": _doctor(clinic.pia, [clinic.begun, clinic.later, clinic.past], clinic.export, clinic.report),
        "other doctor": _doctor(clinic.otto, [clinic.other_visit], clinic.other_export, clinic.other_report),
        "receptionist": [
            *_days(clinic),
            *(f"/appointments/{visit}" for visit in (clinic.begun, clinic.later, clinic.past, clinic.other_visit)),
            "/dashboard",
        ],
        "admin": [
            *_days(clinic),
            f"/appointments/{clinic.past}",
            "/dashboard",
            "/jobs",
            "/reports",
            f"/reports/{clinic.report}",
            f"/reports/{clinic.other_report}",
            "/treatments",
        ],
    }
    return [*own[visitor], "/nowhere", "/appointments/0", "/sign-out"]


def _patient(patient: int, visits: list[int], export: str) -> list[str]:
    return [
        "/appointments",
        *(f"/appointments/{visit}" for visit in visits),
        "/treatments",
        f"/treatments?patient_id={patient}",
        f"/exports/{export}",
        "/today",
    ]


def _doctor(patient: int, visits: list[int], export: str, report: int) -> list[str]:
    begun, later, *_past = [*visits, visits[0]]
    return [
        "/today",
        "/today?date=2026-04-15",
        "/today?date=2030-01-01",
        *(f"/appointments/{visit}" for visit in visits),
        f"/appointments/{begun}/treatment",
        f"/appointments/{later}/treatment",
        f"/appointments/{visits[-1]}/treatment",
        f"/patients/{patient}",
        f"/exports/{export}",
        "/reports",
        f"/reports/{report}",
    ]


def _days(clinic: Clinic) -> list[str]:
    doll = clinic.people["doctor"].doctor_id
    return ["/today", f"/today?doctor_id={doll}", f"/today?date=2026-04-15&doctor_id={doll}", "/today?date=2030-01-01"]


def after_expiry(clinic: Clinic) -> None:
    """Let the time of all exports pass."""
    clinic.clock.shift(minutes(60 * clinic.house.settings.exports.keep_hours + 1))
