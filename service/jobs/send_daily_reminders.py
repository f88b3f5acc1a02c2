"""The 08:00 job: send reminders for today's appointments and tomorrow's early ones, then the call list."""

from datetime import date, timedelta

from service import clock
from service.domain.foundation.job_runs import RunSkip
from service.domain.messages import call_lists
from service.domain.outbox import reminders
from service.jobs.context import JobContext, Outcome
from service.jobs.deliver_messages import send_due, send_reminders
from service.storage.models import Message


def send_daily_reminders(context: JobContext, slot: str) -> Outcome:
    """Plan and send the reminders of a clinic day. `run` is what this run changed, `total` the day so far."""
    day = date.fromisoformat(slot)
    if context.is_over(day):
        return {"date": slot, "reason": RunSkip.DAY_IS_OVER}
    outcome = send_reminders(context, reminders.of_day(day, context.zone))
    early = send_reminders(context, reminders.early(day, context.settings))
    if day == clock.today(context.zone):
        _send_morning_sheet(context, day)
    next_day = (day + timedelta(days=1)).isoformat()
    return {"date": slot, **outcome, "early": {"date": next_day, **early}}


def _send_morning_sheet(context: JobContext, day: date) -> None:
    """Send the call list to the clinic's own address, if one is set."""
    recipient = context.settings.messages.morning_sheet_to
    if not recipient:
        return
    sheet = context.database.write(lambda session: call_lists.post(session, day, recipient).id)
    send_due(context, Message.id == sheet)
