"""Which roles and scopes may call each route of the API."""

from service.domain.accounts.api_tokens import Scope
from service.domain.foundation.actor import Role
from service.http.access import ANYONE, DESK, SIGNED_IN, STAFF, only

ACCESS: dict[str, tuple[frozenset[Role], Scope]] = {
    "api.statistics.show": (STAFF, Scope.READ),
    "api.doctors.index": (SIGNED_IN, Scope.READ),
    "api.doctors.show": (SIGNED_IN, Scope.READ),
    "api.doctors.free_times": (SIGNED_IN, Scope.READ),
    "api.doctors.any_free_times": (SIGNED_IN, Scope.READ),
    "api.patients.index": (SIGNED_IN, Scope.READ),
    "api.patients.create": (DESK, Scope.BOOK),
    "api.patients.show": (SIGNED_IN, Scope.READ),
    "api.patients.change": (STAFF, Scope.BOOK),
    "api.appointments.index": (SIGNED_IN, Scope.READ),
    "api.appointments.create": (SIGNED_IN, Scope.BOOK),
    "api.appointments.show": (SIGNED_IN, Scope.READ),
    "api.appointments.cancel": (SIGNED_IN, Scope.BOOK),
    "api.appointments.reschedule": (SIGNED_IN, Scope.BOOK),
    "api.appointments.arrive": (STAFF, Scope.BOOK),
    "api.appointments.complete": (STAFF, Scope.BOOK),
    "api.appointments.no_show": (STAFF, Scope.BOOK),
    "api.treatments.index": (only(Role.DOCTOR, Role.PATIENT), Scope.CLINICAL),
    "api.treatments.show": (only(Role.DOCTOR, Role.PATIENT), Scope.CLINICAL),
    "api.treatments.save": (only(Role.DOCTOR), Scope.CLINICAL),
    "api.messages.index": (DESK, Scope.READ),
    "api.messages.show": (DESK, Scope.READ),
    "api.exports.create": (only(Role.PATIENT, Role.DOCTOR), Scope.CLINICAL),
    "api.exports.show": (only(Role.PATIENT, Role.DOCTOR), Scope.CLINICAL),
    "api.exports.file": (only(Role.PATIENT, Role.DOCTOR), Scope.CLINICAL),
    "api.reports.index": (only(Role.ADMIN, Role.DOCTOR), Scope.CLINICAL),
    "api.reports.show": (only(Role.ADMIN, Role.DOCTOR), Scope.CLINICAL),
    "api.jobs.index": (only(Role.ADMIN), Scope.READ),
}
"""Endpoint -> roles whose tokens may enter, and the scope a token needs for it."""

OPEN = {"guide.document": ANYONE, "guide.page": ANYONE}
"""The description, which holds no data."""
