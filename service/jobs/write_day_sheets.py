"""Each doctor's day on paper, for the day the power fails."""

from datetime import date

from service.domain.diary import day_sheet_files
from service.domain.foundation.job_runs import RunSkip
from service.jobs.context import JobContext, Outcome


def write_day_sheets(context: JobContext, slot: str) -> Outcome:
    """Write the day's sheets to a file; run again, it replaces the file."""
    day = date.fromisoformat(slot)
    if context.is_over(day):
        return {"date": slot, "reason": RunSkip.DAY_IS_OVER}
    context.checkpoint()
    with context.database.reading() as session:
        sheets, visits = day_sheet_files.write(session, day, context.settings)
    return {"date": slot, "sheets": sheets, "visits": visits}
