"""Reminders 24, 48, or 72 hours ahead, if the clinic wants them."""

from datetime import date

from service.domain.foundation.job_runs import RunSkip
from service.domain.outbox import reminders
from service.domain.outbox.reminders import Tally
from service.jobs.context import JobContext, Outcome
from service.jobs.deliver_messages import send_reminders


def send_advance_reminders(context: JobContext, slot: str) -> Outcome:
    """Plan and send reminders of appointments as many hours ahead as the clinic has chosen."""
    day = date.fromisoformat(slot)
    if context.is_over(day):
        return {"date": slot, "reason": RunSkip.DAY_IS_OVER}
    spans = reminders.ahead(day, context.settings)
    days = [send_reminders(context, span) for span in spans]
    stayed_here = sum(one.get("stayed_here", 0) for one in days)
    outcome: Outcome = {"date": slot, "run": _sum(days, "run"), "total": _sum(days, "total")}
    return outcome | ({"stayed_here": stayed_here} if stayed_here else {})


def _sum(days: list[Outcome], key: str) -> Outcome:
    tally = Tally()
    for day in days:
        tally.add(day[key])
    return tally.as_dict()
