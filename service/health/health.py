"""Whether each job has done its latest slot: ok, late, down, or never."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import assert_never

from sqlalchemy.orm import Session

from service import clock
from service.config.settings import Settings
from service.domain.exports import export_ledger
from service.domain.foundation import installation, job_runs
from service.domain.foundation.job_runs import RunSkip
from service.domain.messages import deliveries, message_log, messages
from service.health import last_backup
from service.jobs import schedule
from service.jobs.make_backup import make_backup
from service.language.formats import Formats
from service.language.translation import gettext as _
from service.language.translation import ngettext
from service.storage.models import JobRun, RunStatus, RunTrigger

PATIENCE = timedelta(minutes=5)


@dataclass(frozen=True)
class JobState:
    """A job as shown on the jobs page and the dashboard."""

    name: str
    title: str
    words: str
    next_at: datetime
    last: JobRun | None
    state: str
    state_words: str


def of_all(session: Session, settings: Settings) -> list[JobState]:
    """Return each job with its next and last run and its state."""
    return [_of(session, row, settings) for row in schedule.table(settings)]


@dataclass(frozen=True)
class Check:
    """One line of the system status."""

    title: str
    state: str
    words: str


def checks(session: Session, jobs: list[JobState], settings: Settings) -> list[Check]:
    """Return the state of jobs (including the backup), outbox, and exports: ok, late, down, or never."""
    doubt = installation.clock_in_doubt(session)
    lines = [the_clock(doubt, settings)] if doubt else []
    lines += [Check(job.title, job.state, job.state_words) for job in jobs]
    if not any(job.name == make_backup.__name__ for job in jobs):
        lines.append(Check(_("Backup"), "never", _("not set up")))
    return [*lines, _outbox(session, settings), _exports(session)]


def the_clock(doubt: datetime | None, settings: Settings) -> Check:
    """Return the state of the clock. `doubt` is when the scheduler last ticked, if that is too far from now."""
    shown = Formats(settings.clinic)
    now = shown.long_when(clock.now())
    if doubt is None:
        return Check(_("Clock"), "ok", _("shows %(now)s") % {"now": now})
    words = _(
        "shows %(now)s, but Rounds ran last on %(last)s: "
        "nothing runs or is sent until an administrator confirms the clock"
    )
    return Check(_("Clock"), "down", words % {"now": now, "last": shown.long_when(doubt)})


def _outbox(session: Session, settings: Settings) -> Check:
    title = _("Messages")
    waiting, unsure = messages.waiting_and_unsure(session)
    if waiting and messages.are_held(session, settings.messages):
        words = ngettext("paused: %(num)s queued", "paused: %(num)s queued", waiting)
        return Check(title, "late", words % {"num": waiting})
    if waiting and deliveries.waiting(session, settings, deliveries.LEASE):
        return Check(title, "late", ngettext("%(num)s overdue", "%(num)s overdue", waiting) % {"num": waiting})
    to_do = message_log.to_do(session)
    if to_do > unsure:
        words = ngettext("%(num)s to follow up at the desk", "%(num)s to follow up at the desk", to_do)
        return Check(title, "late", words % {"num": to_do})
    if unsure:
        words = ngettext("%(num)s may not have arrived", "%(num)s may not have arrived", unsure)
        return Check(title, "late", words % {"num": unsure})
    return Check(title, "ok", _("none waiting"))


def _exports(session: Session) -> Check:
    unfinished, forgotten = export_ledger.unfinished(session)
    words = ngettext("%(num)s being written", "%(num)s being written", unfinished) % {"num": unfinished}
    return Check(_("Exports"), "late" if forgotten else "ok", words if unfinished else _("none waiting"))


def _of(session: Session, row: schedule.Row, settings: Settings) -> JobState:
    now, zone = clock.now(), settings.clinic.zone
    due = schedule.slot(row, schedule.due_day(row, now, zone), zone)
    state, words = _judge(job_runs.of_slot(session, row.job, due.name), due, now)
    if row.job == make_backup.__name__:
        state, words = last_backup.judge(session, settings, state, words)
    last = job_runs.latest(session, row.job)
    return JobState(
        row.job, row.title, row.words(Formats(settings.clinic)), schedule.next_due(row, now, zone), last, state, words
    )


def _judge(run: JobRun | None, due: schedule.Slot, now: datetime) -> tuple[str, str]:
    """Return the state of the latest due slot, and what it means."""
    late = now - due.due_at > PATIENCE
    if run is None and late:
        return "down", _("was due and has not started: the scheduler is not running")
    if run is None:
        return "ok", _("due now")
    match run.status:
        case RunStatus.SKIPPED:
            return _judge_skipped(RunSkip((run.outcome or {}).get("reason", RunSkip.DAY_IS_OVER)))
        case RunStatus.FAILED:
            return "down", _("failed; run it again")
        case RunStatus.DONE:
            caught_up = run.trigger == RunTrigger.CATCHUP
            return "ok", _("caught up: the computer was off") if caught_up else _("done")
        case RunStatus.QUEUED | RunStatus.RUNNING:
            return ("late", _("has started and is not finished")) if late else ("ok", _("is running"))
        case _:
            assert_never(run.status)


def _judge_skipped(reason: RunSkip) -> tuple[str, str]:
    match reason:
        case RunSkip.BEFORE_START:
            return "never", reason.words
        case RunSkip.RESTORED | RunSkip.DAY_IS_OVER:
            return "late", reason.words
        case _:
            assert_never(reason)
