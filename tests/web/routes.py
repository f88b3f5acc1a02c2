"""What is expected of every route: who enters, whose row it shows, and what a form needs to be accepted."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from tests.web.clinic import PEOPLE, VISITORS

ANYONE = frozenset(VISITORS)
SIGNED_IN = frozenset(PEOPLE)
PATIENTS = frozenset({"patient", "other patient"})
DOCTORS = frozenset({"doctor", "other doctor"})
DESK = frozenset({"receptionist"})
ADMIN = frozenset({"admin"})


@dataclass(frozen=True)
class Expected:
    """One route: its path and form with the places of ids, and how it answers whom."""

    path: str
    enter: frozenset[str]
    answers: Mapping[str, int]
    """Method -> status for those who may see the row."""
    form: Mapping[str, str] = field(default_factory=dict)
    sees: frozenset[str] = frozenset()
    """Who sees the row of Pia and Dr Doll; empty when the route shows no particular row."""
    missing: int = 404

    def at(self, ids: Mapping[str, object]) -> str:
        """The path with ids filled in."""
        return self.path.format(**ids)

    def filled(self, ids: Mapping[str, object]) -> dict[str, str]:
        """The form with ids filled in."""
        return {name: value.format(**ids) for name, value in self.form.items()}


GET = {"GET": 200}
PASSWORD = "slow boats drift home"

ROUTES: dict[str, Expected] = {
    "static": Expected("/static/css/rounds.css", ANYONE, GET),
    "health.livez": Expected("/livez", ANYONE, GET),
    "home.home": Expected("/", ANYONE, {"GET": 303}),
    "setup.setup": Expected("/setup", ANYONE, {"GET": 404, "POST": 404}),
    "setup.fill_demo": Expected("/setup/demo", ANYONE, {"POST": 404}),
    "sessions.sign_in": Expected(
        "/sign-in", ANYONE, {"GET": 200, "POST": 422}, {"email": "who@clinic.example", "password": "wrong"}
    ),
    "sessions.sign_out": Expected("/sign-out", SIGNED_IN, {"POST": 303}),
    "users.invite": Expected(
        "/invite/{invite}", ANYONE, {"GET": 200, "POST": 303}, {"password": PASSWORD}, sees=ANYONE, missing=410
    ),
    "appointments.index": Expected("/appointments", SIGNED_IN, GET),
    "appointments.show": Expected(
        "/appointments/{visit}", SIGNED_IN, GET, sees=frozenset({"patient", "doctor"}) | DESK | ADMIN
    ),
    "treatments.history": Expected("/treatments?patient_id={patient}", PATIENTS, GET, sees=frozenset({"patient"})),
    "treatments.edit": Expected("/appointments/{visit}/treatment", DOCTORS, GET, sees=frozenset({"doctor"})),
    "treatments.save": Expected(
        "/appointments/{visit}/treatment", DOCTORS, {"POST": 303}, {"notes": "Better"}, sees=frozenset({"doctor"})
    ),
    "exports.create": Expected(
        "/exports",
        PATIENTS | DOCTORS,
        {"POST": 303},
        {"patient_id": "{patient}"},
        sees=frozenset({"patient", "doctor"}),
    ),
    "exports.show": Expected("/exports/{export}", PATIENTS | DOCTORS, GET, sees=frozenset({"patient", "doctor"})),
    "exports.file": Expected("/exports/{export}/file", PATIENTS | DOCTORS, GET, sees=frozenset({"patient", "doctor"})),
    "patients.record": Expected("/patients/{patient}", DOCTORS, GET, sees=frozenset({"doctor"})),
    "today.board": Expected("/today", DOCTORS | DESK | ADMIN, GET),
    "reports.index": Expected("/reports", DOCTORS | ADMIN, GET),
    "reports.show": Expected("/reports/{report}", DOCTORS | ADMIN, GET, sees=frozenset({"doctor"}) | ADMIN),
    "reports.file": Expected("/reports/{report}/file", DOCTORS | ADMIN, GET, sees=frozenset({"doctor"}) | ADMIN),
    "dashboard.dashboard": Expected("/dashboard", ADMIN, GET),
    "dashboard.refresh": Expected("/dashboard", ADMIN, {"POST": 303}),
    "jobs.index": Expected("/jobs", ADMIN, GET),
    "jobs.run_now": Expected("/jobs/{job}/runs", ADMIN, {"POST": 303}, sees=ADMIN),
}

REDIRECTED = {
    **{("appointments.index", visitor): 303 for visitor in SIGNED_IN - PATIENTS},
    **{("sessions.sign_in", visitor): 303 for visitor in SIGNED_IN},
}
"""Who is sent on by a GET that answers others with a page: staff to the day, the signed-in to their home."""
