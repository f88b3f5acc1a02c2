"""What is expected of every route of the API: who enters with which scope, whose row it shows, what is sent."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from tests.web.frozen_clinic import PEOPLE

EVERYBODY = frozenset(PEOPLE)
PATIENTS = frozenset({"patient", "other patient"})
DOCTORS = frozenset({"doctor", "other doctor"})
DESK = frozenset({"receptionist", "admin"})
STAFF = DOCTORS | DESK
ADMIN = frozenset({"admin"})
THEIRS = frozenset({"patient", "doctor"})
FREE = "2026-06-01T09:00:00+02:00"
MOVED = "2026-06-16T10:00:00+02:00"


@dataclass(frozen=True)
class Expected:
    """One route of the API, with the places of ids."""

    method: str
    path: str
    scope: str
    enter: frozenset[str]
    status: int = 200
    body: Mapping[str, Any] | None = None
    sees: frozenset[str] = frozenset()
    """The users who see the row of Pia and Dr Doll; empty if the route shows no particular row."""
    otherwise: Mapping[str, int] = field(default_factory=dict)
    """User -> status, for users who get another response."""

    def at(self, ids: Mapping[str, object]) -> str:
        """The path with ids filled in."""
        return self.path.format(**ids)

    def filled(self, ids: Mapping[str, object]) -> dict[str, Any] | None:
        """The body with ids filled in."""
        if self.body is None:
            return None
        return {
            name: ids[value[1:-1]] if isinstance(value, str) and value.startswith("{") else value
            for name, value in self.body.items()
        }

    def status_for(self, who: str) -> int:
        """What one of the clinic's people gets with a token of every scope."""
        if who not in self.enter:
            return 403
        if self.sees and who not in self.sees:
            return 404
        return self.otherwise.get(who, self.status)


API: dict[str, Expected] = {
    "api.statistics.show": Expected("GET", "/statistics", "read", STAFF),
    "api.doctors.index": Expected("GET", "/doctors", "read", EVERYBODY),
    "api.doctors.show": Expected("GET", "/doctors/{doctor}", "read", EVERYBODY, sees=EVERYBODY),
    "api.doctors.free_times": Expected(
        "GET", "/doctors/{doctor}/free-times?date=2026-06-01", "read", EVERYBODY, sees=EVERYBODY
    ),
    "api.doctors.any_free_times": Expected("GET", "/doctors/any/free-times?days=2", "read", EVERYBODY),
    "api.patients.index": Expected("GET", "/patients?q=pia", "read", EVERYBODY),
    "api.patients.create": Expected("POST", "/patients", "book", DESK, 201, {"name": "Nora Neu", "confirm": True}),
    "api.patients.show": Expected("GET", "/patients/{patient}", "read", EVERYBODY, sees=THEIRS | DESK),
    "api.patients.change": Expected(
        "PUT",
        "/patients/{patient}",
        "book",
        STAFF,
        body={"name": "Pia Ahorn", "phone": "030 1234567", "email": "patient@clinic.example", "version": 1},
        sees=frozenset({"doctor"}) | DESK,
    ),
    "api.appointments.index": Expected("GET", "/appointments?limit=3", "read", EVERYBODY),
    "api.appointments.create": Expected(
        "POST",
        "/appointments",
        "book",
        EVERYBODY,
        201,
        {"patient_id": "{patient}", "doctor_id": "{doctor}", "starts_at": "{free}"},
        sees=THEIRS | DESK,
    ),
    "api.appointments.show": Expected("GET", "/appointments/{visit}", "read", EVERYBODY, sees=THEIRS | DESK),
    "api.appointments.cancel": Expected(
        "POST", "/appointments/{ahead}/cancellation", "book", EVERYBODY, body={"reason": "Holidays"}, sees=THEIRS | DESK
    ),
    "api.appointments.reschedule": Expected(
        "POST",
        "/appointments/{ahead}/reschedule",
        "book",
        EVERYBODY,
        201,
        {"starts_at": MOVED},
        sees=THEIRS | DESK,
    ),
    **{
        f"api.appointments.{act}": Expected(
            "POST", f"/appointments/{{visit}}/{word}", "book", STAFF, sees=frozenset({"doctor"}) | DESK
        )
        for act, word in (("arrive", "arrival"), ("complete", "completion"), ("no_show", "no-show"))
    },
    "api.treatments.index": Expected(
        "GET", "/treatments?patient_id={patient}", "clinical", PATIENTS | DOCTORS, sees=THEIRS
    ),
    "api.treatments.show": Expected(
        "GET", "/appointments/{past}/treatment", "clinical", PATIENTS | DOCTORS, sees=THEIRS
    ),
    "api.treatments.save": Expected(
        "PUT",
        "/appointments/{visit}/treatment",
        "clinical",
        DOCTORS,
        body={"notes": "Better"},
        sees=frozenset({"doctor"}),
    ),
    "api.messages.index": Expected("GET", "/messages?q=pia", "read", DESK),
    "api.messages.show": Expected("GET", "/messages/{message}", "read", DESK, sees=DESK),
    "api.exports.create": Expected(
        "POST", "/exports", "clinical", PATIENTS | DOCTORS, 201, {"patient_id": "{patient}"}, sees=THEIRS
    ),
    "api.exports.show": Expected("GET", "/exports/{export}", "clinical", PATIENTS | DOCTORS, sees=THEIRS),
    "api.exports.file": Expected("GET", "/exports/{export}/file", "clinical", PATIENTS | DOCTORS, sees=THEIRS),
    "api.reports.index": Expected("GET", "/reports", "clinical", DOCTORS | ADMIN),
    "api.reports.show": Expected(
        "GET", "/reports/{report}", "clinical", DOCTORS | ADMIN, sees=frozenset({"doctor"}) | ADMIN
    ),
    "api.jobs.index": Expected("GET", "/jobs", "read", ADMIN),
}
