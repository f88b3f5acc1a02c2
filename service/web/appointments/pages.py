"""The pages of this area, and who may open them."""

from service.domain.foundation.actor import Role
from service.http.access import ANYONE, DESK, SIGNED_IN, STAFF, only
from service.web.appointments import appointments, booking, outcomes, treatments, visit_links, visit_types

BLUEPRINTS = tuple(page.blueprint for page in (appointments, booking, outcomes, treatments, visit_links, visit_types))
ACCESS = {
    "appointments.index": SIGNED_IN,
    "appointments.show": SIGNED_IN,
    "booking.new": SIGNED_IN,
    "booking.create": SIGNED_IN,
    "booking.walk_in": STAFF,
    "booking.move": SIGNED_IN,
    "booking.reschedule": SIGNED_IN,
    "outcomes.cancel": SIGNED_IN,
    "outcomes.confirm": STAFF,
    "outcomes.arrive": STAFF,
    "outcomes.complete": STAFF,
    "outcomes.no_show": STAFF,
    "outcomes.undo": STAFF,
    "outcomes.to_complete": STAFF,
    "treatments.history": only(Role.PATIENT),
    "treatments.edit": only(Role.DOCTOR),
    "treatments.save": only(Role.DOCTOR),
    "visit_types.index": DESK,
    "visit_types.create": DESK,
    "visit_types.edit": DESK,
    "visit_types.change": DESK,
    "visit_links.show": ANYONE,
    "visit_links.confirm": ANYONE,
    "visit_links.cancel": ANYONE,
    "visit_links.undo": ANYONE,
    "visit_links.times": ANYONE,
    "visit_links.reschedule": ANYONE,
}
