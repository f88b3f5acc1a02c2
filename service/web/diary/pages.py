"""The pages of this area, and who may open them."""

from service.http.access import ANYONE, DESK, STAFF
from service.web.diary import (
    calendar,
    day_sheet,
    doctors,
    hit_visits,
    offer_links,
    offers,
    time_off,
    today,
    waiting_list,
)

BLUEPRINTS = tuple(
    page.blueprint
    for page in (calendar, day_sheet, doctors, hit_visits, offer_links, offers, time_off, today, waiting_list)
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
    "hit_visits.show": STAFF,
    "hit_visits.move": STAFF,
    "hit_visits.cancel": STAFF,
    "hit_visits.propose": STAFF,
    "hit_visits.withdraw": STAFF,
    "today.board": STAFF,
    "day_sheet.show": STAFF,
    "calendar.show": STAFF,
    "waiting_list.index": STAFF,
    "waiting_list.new": DESK,
    "waiting_list.create": DESK,
    "waiting_list.remove": DESK,
    "waiting_list.fits": STAFF,
    "waiting_list.offer": DESK,
    "offer_links.show": ANYONE,
    "offer_links.accept": ANYONE,
    "offer_links.decline": ANYONE,
    "offers.show": DESK,
    "offers.accept": DESK,
    "offers.decline": DESK,
}
