"""All pages a visitor may open in the clinic of clinic.py, error pages included."""

from tests.web.frozen_clinic import NOBODY, Clinic, minutes

ACCOUNT = [
    "/account",
    "/account/email",
    "/account/password",
    "/account/proof",
    "/account/second-factor",
    "/account/tokens",
    "/help",
]
PAPER = ["/calendar", "/calendar?view=week", "/calendar?date=2030-01-01", "/today/sheet", "/waitlist"]


def pages_of(clinic: Clinic, visitor: str) -> list[str]:
    """Paths that answer this visitor with HTML, whatever their status."""
    own = {
        NOBODY: [
            "/sign-in",
            "/api/docs",
            f"/invite/{clinic.invite}",
            "/invite/used-up",
            f"/visit/{clinic.links['visit_token']}",
            f"/visit/{clinic.links['visit_token']}/reschedule?appointment_id={clinic.ahead}",
            f"/offer/{clinic.links['offer_token']}",
            f"/contact/{clinic.links['contact_token']}",
            "/password-reset",
            f"/password-reset/{clinic.reset}",
            "/password-reset/used-up",
            f"/account/email/{clinic.email_proof}",
            "/account/email/used-up",
            f"/register/{clinic.registration}",
            "/register/used-up",
        ],
        "patient": _patient(clinic.pia, [clinic.begun, clinic.later, clinic.past], clinic.export),
        "other patient": _patient(clinic.otto, [clinic.other_visit], clinic.other_export),
        "doctor": _doctor(clinic.pia, [clinic.begun, clinic.later, clinic.past], clinic.export, clinic.report),
        "other doctor": _doctor(clinic.otto, [clinic.other_visit], clinic.other_export, clinic.other_report),
        "receptionist": [
            *_days(clinic),
            *(f"/appointments/{visit}" for visit in (clinic.begun, clinic.later, clinic.past, clinic.other_visit)),
            f"/appointments/new?doctor_id=any&patient_id={clinic.pia}",
            "/appointments/new?walk_in=1&doctor_id=any",
            f"/appointments/{clinic.ahead}/reschedule",
            "/to-complete",
            *_messages(clinic),
            *_people(clinic),
            *ACCOUNT,
            "/dashboard",
            "/figures",
        ],
        "admin": [
            *_days(clinic),
            f"/appointments/{clinic.past}",
            "/dashboard",
            "/users",
            "/users?of=patients&q=pia",
            "/account",
            "/help",
            "/users?q=zzz",
            "/users/new",
            f"/users/{clinic.people['patient'].user_id}",
            f"/users/{clinic.people['admin'].user_id}",
            f"/patients/{clinic.pia}",
            "/imports",
            f"/imports/{clinic.upload}",
            "/erasures",
            f"/patients/{clinic.pia}/erasure",
            f"/patients/{clinic.guest}/erasure",
            f"/patients/{clinic.pia}/changes",
            "/audit",
            "/audit?from=2026-01-01&until=2026-12-31&sort=person",
            f"/audit?patient={clinic.pia}&person=zzz",
            f"/doctors/{clinic.people['doctor'].doctor_id}",
            "/jobs",
            *_messages(clinic),
            "/clinic-exports",
            f"/clinic-exports/{clinic.clinic_export}",
            "/system",
            "/tokens",
            "/settings",
            "/settings/clinic",
            "/settings/reach",
            "/settings/mail",
            "/reports",
            f"/reports/{clinic.report}",
            f"/reports/{clinic.other_report}",
            f"/clinic-reports/{clinic.clinic_report}",
            "/figures",
            "/treatments",
        ],
    }
    return [*own[visitor], "/nowhere", "/appointments/0", "/sign-out"]


def _patient(patient: int, visits: list[int], export: str) -> list[str]:
    return [
        "/appointments",
        *(f"/appointments/{visit}" for visit in visits),
        f"/appointments/{visits[-1]}/reschedule",
        "/appointments/new",
        "/appointments/new?doctor_id=any",
        "/treatments",
        "/contact",
        f"/treatments?patient_id={patient}",
        "/who-looked",
        f"/exports/{export}",
        *ACCOUNT,
        "/account/phone",
        f"/exports/new?patient_id={patient}",
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
        f"/patients/{patient}/edit",
        "/patients",
        "/patients?q=zzz",
        "/emergency",
        f"/patients/{patient}/changes",
        f"/exports/{export}",
        f"/exports/new?patient_id={patient}",
        "/reports",
        f"/reports/{report}",
        "/figures",
        "/to-complete",
        "/appointments/new?q=a",
        *PAPER,
        "/doctors",
        "/doctors/1",
        "/doctors/2",
        "/time-off",
        "/waitlist/fits?doctor_id=1&starts_at=2026-06-01T09:00",
        "/help",
    ]


def _messages(clinic: Clinic) -> list[str]:
    return [
        "/messages",
        *(f"/messages?state={state}" for state in ("to_do", "queued", "sent", "failed", "unknown", "skipped")),
        "/messages?q=zzz&rule=daily_reminder",
        f"/messages/{clinic.message}",
        "/messages/morning",
        "/messages/morning?date=2026-05-05",
        "/messages/tomorrow",
        f"/messages/tomorrow/{clinic.tomorrow}/daily_reminder",
    ]


def _people(clinic: Clinic) -> list[str]:
    return [
        "/patients",
        "/patients?q=a",
        "/patients?q=zzz",
        "/patients/new",
        "/patients/addresses",
        f"/patients/{clinic.pia}",
        f"/patients/{clinic.pia}/edit",
        f"/patients/{clinic.pia}/guardians",
        f"/patients/{clinic.pia}/merge",
        f"/patients/{clinic.pia}/merge?q=Gus",
        f"/patients/{clinic.pia}/merge?other_id={clinic.guest}",
        f"/patients/{clinic.guest}",
        f"/patients/{clinic.guest}/guardians",
    ]


def _days(clinic: Clinic) -> list[str]:
    doll = clinic.people["doctor"].doctor_id
    return [
        "/today",
        f"/today?doctor_id={doll}",
        f"/today?date=2026-04-15&doctor_id={doll}",
        "/today?date=2030-01-01",
        *PAPER,
        f"/calendar?date=2026-06-02&view=week&doctor_id={doll}",
        "/waitlist/new",
        "/waitlist/new?q=pia",
        f"/waitlist/new?patient_id={clinic.pia}",
        f"/waitlist/fits?doctor_id={doll}&starts_at=2026-06-01T09:00",
        f"/waitlist/fits?doctor_id={doll}&starts_at=2026-06-02T09:00",
        f"/offers/{clinic.offer}",
        "/doctors",
        "/doctors?archived=1",
        f"/doctors/{doll}",
        "/time-off",
        f"/time-off/{clinic.time_off}",
        f"/time-off/{clinic.time_off}?any_doctor=1",
        f"/zone-changes/{clinic.zone_change}",
        "/visit-types",
        f"/visit-types/{clinic.visit_type}",
    ]


def after_expiry(clinic: Clinic) -> None:
    """Let the time of all exports pass."""
    clinic.clock.shift(minutes(60 * clinic.house.settings.exports.keep_hours + 1))
