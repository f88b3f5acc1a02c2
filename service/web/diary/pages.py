"""The pages of this area, and who may open them."""

from service.http.access import ANYONE, DESK, STAFF
from service.web.diary import (
    affected_appointments,
    calendar,
    day_sheet,
    doctors,
    offer_links,
    offers,
    time_off,
    today,
    waitlist,
)

BLUEPRINTS = tuple(
    page.blueprint
    for page in (affected_appointments, calendar, day_sheet, doctors, offer_links, offers, time_off, today, waitlist)
)
ACCESS = {
    "doctors.index": STAFF,
    "doctors.show": STAFF,
    "doctors.change": STAFF,
    "doctors.add_hours": STAFF,
    "doctors.remove_hours": STAFF,
    "doctors.add_cover": DESK,
    "doctors.remove_cover": DESK,
    "time_off.index": STAFF,
    "time_off.create": STAFF,
    "time_off.create_extra": STAFF,
    "time_off.remove": STAFF,
    "affected_appointments.show": STAFF,
    "affected_appointments.move": STAFF,
    "affected_appointments.cancel": STAFF,
    "affected_appointments.propose": STAFF,
    "affected_appointments.withdraw": STAFF,
    "today.board": STAFF,
    "day_sheet.show": STAFF,
    "calendar.show": STAFF,
    "waitlist.index": STAFF,
    "waitlist.new": DESK,
    "waitlist.create": DESK,
    "waitlist.remove": DESK,
    "waitlist.fits": STAFF,
    "waitlist.offer": DESK,
    "offer_links.show": ANYONE,
    "offer_links.accept": ANYONE,
    "offer_links.decline": ANYONE,
    "offers.show": DESK,
    "offers.accept": DESK,
    "offers.decline": DESK,
}
