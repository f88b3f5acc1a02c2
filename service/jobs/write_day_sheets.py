"""Job: write each doctor's day to a file, in case of a power failure."""

from datetime import date, datetime

from service import clock
from service.domain.diary import day_sheet_files
from service.domain.foundation.job_runs import RunSkip
from service.domain.patients import patients
from service.jobs.context import JobContext, Outcome


def write_day_sheets(context: JobContext, slot: str) -> Outcome:
    """Write the day's sheets to a file. Running it again replaces the file."""
    day = date.fromisoformat(slot)
    if context.is_over(day):
        return {"date": slot, "reason": RunSkip.DAY_IS_OVER}
    began, written = clock.now(), None
    while written is None or _erased_since(context, began):  # in case someone on the sheet was erased meanwhile
        context.checkpoint()
        began = clock.now()
        with context.database.reading() as session:
            written = day_sheet_files.write(session, day, context.settings)
    sheets, visits = written
    return {"date": slot, "sheets": sheets, "visits": visits}


def _erased_since(context: JobContext, began: datetime) -> bool:
    with context.database.reading() as session:
        return patients.erased_since(session, began)
