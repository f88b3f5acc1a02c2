"""The pages of this area, and who may open them."""

from service.http.access import DESK
from service.web.messages import messages, morning_sheet, next_run

BLUEPRINTS = tuple(page.blueprint for page in (messages, morning_sheet, next_run))
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
    "morning_sheet.show": DESK,
    "next_run.index": DESK,
    "next_run.edit": DESK,
    "next_run.save": DESK,
    "next_run.restore": DESK,
    "next_run.hold": DESK,
    "next_run.let_go": DESK,
    "next_run.mark_phoned": DESK,
}
