"""The pages of this area, and who may open them."""

from service.http.access import DESK
from service.web.messages import call_list, messages, upcoming_reminders

BLUEPRINTS = tuple(page.blueprint for page in (messages, call_list, upcoming_reminders))
ACCESS = {
    "messages.index": DESK,
    "messages.show": DESK,
    "messages.retry": DESK,
    "messages.hold": DESK,
    "messages.let_go": DESK,
    "messages.mark_phoned": DESK,
    "messages.unmark_phoned": DESK,
    "messages.pause": DESK,
    "messages.resume": DESK,
    "messages.release": DESK,
    "call_list.show": DESK,
    "upcoming_reminders.index": DESK,
    "upcoming_reminders.edit": DESK,
    "upcoming_reminders.save": DESK,
    "upcoming_reminders.restore": DESK,
    "upcoming_reminders.hold": DESK,
    "upcoming_reminders.let_go": DESK,
    "upcoming_reminders.mark_phoned": DESK,
}
