"""The jobs page: what runs when, how the last runs ended, and a button for each."""

from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from flask import Blueprint, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue

from service.domain.foundation import audit, job_runs
from service.domain.foundation.errors import NotFound
from service.health import health, last_backup
from service.http import context
from service.jobs import runner, schedule
from service.jobs.make_backup import make_backup
from service.language.translation import gettext as _
from service.language.translation import ngettext
from service.storage.models import JobRun, RunStatus, RunTrigger
from service.web import notices
from service.web.messages.messages import sending

blueprint = Blueprint("jobs", __name__)


@dataclass(frozen=True)
class Run:
    """A run of the ledger in words."""

    job_title: str
    period: str
    trigger: RunTrigger
    status: RunStatus
    started_at: datetime | None
    finished_at: datetime | None
    words: str


@blueprint.get("/jobs")
def index() -> ResponseReturnValue:
    """The schedule and the latest runs."""
    runs, older = job_runs.history(context.reading(), request.args.get("before"))
    return render_template(
        "clinic/jobs/list.html",
        jobs=table(),
        runs=[in_words(run) for run in runs],
        older_url=url_for("jobs.index", before=older) if older else None,
        sending=sending(),
    )


@blueprint.post("/jobs/<job>/runs")
def run_now(job: str) -> ResponseReturnValue:
    """Run a job's latest slot now; what is done already is not done again."""
    wiring = context.wiring()
    if job not in {row.job for row in schedule.table(wiring.settings)}:
        raise NotFound
    with context.transaction() as session:
        run_id = runner.open_by_hand(session, wiring.settings, job)
        audit.record(session, context.actor(), "job.run", subject=f"run/{run_id}")
    wiring.queue.run(run_id)
    notices.say("run_started")
    return redirect(url_for("system.show" if job == make_backup.__name__ else "jobs.index"), 303)


def table(states: list[health.JobState] | None = None) -> list[dict[str, Any]]:
    """Each job's row, for this page and the dashboard."""
    if states is None:
        states = health.of_all(context.reading(), context.wiring().settings)
    return [
        {
            "name": job.name,
            "title": job.title,
            "words": job.words,
            "next_at": job.next_at,
            "last": in_words(job.last) if job.last else None,
            "state": job.state,
            "state_words": job.state_words,
        }
        for job in states
    ]


def in_words(run: JobRun) -> Run:
    """A run as pages show it."""
    titles = {row.job: row.title for row in schedule.table(context.wiring().settings)}
    slot, _sep, by_hand = run.slot.partition(job_runs.BY_HAND)
    return Run(
        job_title=titles.get(run.job, run.job),
        period=_period(slot),
        trigger=RunTrigger.MANUAL if by_hand else run.trigger,
        status=run.status,
        started_at=run.started_at,
        finished_at=run.finished_at,
        words=_outcome(run),
    )


def _period(slot: str) -> str:
    """What a run was for: a day or a month as people write it."""
    formats, is_month = context.formats(), slot.count("-") == 1
    try:
        first = date.fromisoformat(f"{slot}-01" if is_month else slot)
    except ValueError:
        return slot
    return formats.month(first) if is_month else formats.long_date(first)


def _outcome(run: JobRun) -> str:
    outcome = run.outcome or {}
    if run.status in (RunStatus.QUEUED, RunStatus.FAILED) and run.last_error:
        return _("failed: %(why)s") % {"why": run.last_error}
    if reason := job_runs.why_skipped(run):
        return reason.words
    if "total" in outcome:
        return _reminders_in_words(outcome["total"], outcome.get("stayed_here", 0))
    if "sheets" in outcome:
        return ngettext("%(num)s day sheet written", "%(num)s day sheets written", outcome["sheets"]) % {
            "num": outcome["sheets"]
        }
    if "tested" in outcome:
        return last_backup.outcome_in_words(outcome, context.formats())
    if "made" in outcome:
        return _reports_in_words(outcome["made"], outcome["already"])
    return ""


def _reports_in_words(created: int, existing: int) -> str:
    parts = [ngettext("%(num)s report created", "%(num)s reports created", created) % {"num": created}]
    if existing:
        parts.append(ngettext("%(num)s already existed", "%(num)s already existed", existing) % {"num": existing})
    return " · ".join(parts)


def _reminders_in_words(total: dict[str, Any], stayed_here: int) -> str:
    skipped = sum(total["skipped"].values())
    parts = [
        (total["sent"] - stayed_here, _("%(num)s sent")),
        (stayed_here, _("written only to the console: %(num)s")),
        (total["failed"], _("%(num)s failed")),
        (total["unknown"], _("delivery unknown: %(num)s")),
        (total["queued"], _("%(num)s queued")),
        (skipped, _("%(num)s skipped")),
    ]
    return " · ".join(words % {"num": number} for number, words in parts if number) or _("no one to remind")
