"""Today's turns of jobs that write to people are left out after a restore: they may have gone out already."""

from datetime import datetime

from sqlalchemy.orm import Session

from service import clock
from service.config.settings import Settings
from service.domain.clinic import restored
from service.domain.clinic.restored import Settled
from service.domain.foundation import job_runs
from service.domain.outbox import channels, reminders
from service.jobs import schedule


def settle(session: Session, settings: Settings, made_at: datetime) -> Settled:
    """Close what a database restored from a backup of `made_at` must not go on with."""
    now, zone = clock.now(), settings.clinic.zone
    for row in schedule.table(settings):
        day = schedule.due_day(row, now, zone)
        due = schedule.slot(row, day, zone)
        if not row.writes_to_people:
            continue
        hours = settings.messages.advance_hours
        ahead = (
            reminders.ahead(day, zone, hours) if row.job == "send_advance_reminders" else [reminders.early(day, zone)]
        )
        for span in ahead:  # visits of later days which that run has told already
            reminders.plan(session, span, channels.ways(settings))
            restored.in_doubt(session, span.scope)
        if day == clock.today(zone):
            job_runs.leave_out(session, row.job, due.name, due_at=due.due_at, why="restored")
    return restored.settle(session, zone, made_at)
