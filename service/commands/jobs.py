"""`run-job`: run a scheduled job by hand."""

import json
from datetime import datetime, timedelta
from typing import Any

import click
from sqlalchemy.orm import Session

from service import clock
from service.commands.frame import config_option, json_option, opened, rounds, subcommand
from service.config.settings import Settings
from service.domain.outbox import channels, reminders
from service.domain.reports import reports
from service.jobs import runner
from service.jobs.generate_monthly_report import generate_monthly_report
from service.jobs.schedule import Job
from service.jobs.send_daily_reminders import send_daily_reminders
from service.storage.database import DatabaseError
from service.wiring import Wiring


@rounds.group("run-job")
@config_option
def run_job(config: str | None) -> None:
    """Run a scheduled job now."""


@subcommand(run_job, "reminders")
@click.option("--date", "day", type=click.DateTime(["%Y-%m-%d"]), help="Today or later; default: today.")
@click.option("--dry-run", is_flag=True, help="Only say what would be done.")
@json_option
def run_reminders(settings: Settings, day: datetime | None, dry_run: bool, as_json: bool) -> None:
    """Plan and send the reminders of a day."""
    zone = settings.clinic.zone
    on = day.date() if day else clock.today(zone)
    reminders.check_day(on, zone)
    with opened(settings, as_json=as_json) as wiring:
        if dry_run:
            with wiring.database.transaction() as session:
                outcome = {"date": on.isoformat(), **_previewed(session, settings, reminders.of_day(on, zone))}
                early = _previewed(session, settings, reminders.early(on, settings))
                outcome["early"] = {"date": (on + timedelta(days=1)).isoformat(), **early}
        else:
            outcome = _executed(wiring, send_daily_reminders, on.isoformat())
    if as_json:
        click.echo(json.dumps(outcome))
    else:
        click.echo(_in_words(f"Reminders of {on}", outcome["run"], dry_run))
        if any(outcome["early"]["run"].values()):
            click.echo(_in_words(f"Early visits of {outcome['early']['date']}", outcome["early"]["run"], dry_run))


def _previewed(session: Session, settings: Settings, span: reminders.Span) -> dict[str, Any]:
    run, total = reminders.preview(session, span, channels.ways(settings)), reminders.total(session, span)
    return {"run": run.as_dict(), "total": total.as_dict()}


def _in_words(title: str, run: dict[str, Any], dry_run: bool) -> str:
    would, skipped = "would be " if dry_run else "", sum(run["skipped"].values())
    told = run["queued"] if dry_run else run["sent"]
    wait = f", {run['queued']} wait" if run["queued"] and not dry_run else ""
    return f"{title}: {told} {would}sent, {run['failed']} failed, {skipped} {would}skipped{wait}."


@subcommand(run_job, "reports")
@click.option("--month", help="YYYY-MM; default: the month that ended last.")
@json_option
def run_reports(settings: Settings, month: str | None, as_json: bool) -> None:
    """Make the monthly reports of the clinic and all doctors."""
    zone = settings.clinic.zone
    chosen = reports.check_month(month or reports.last_month(zone), zone)
    with opened(settings, as_json=as_json) as wiring:
        outcome = _executed(wiring, generate_monthly_report, chosen)
    if as_json:
        click.echo(json.dumps(outcome))
    else:
        click.echo(f"Reports of {chosen}: {outcome['made']} made, {outcome['already']} were there.")


def _executed(wiring: Wiring, job: Job, slot: str) -> dict[str, Any]:
    """Run a job in this process, and record it in the ledger."""
    outcome = runner.run_by_hand(wiring.jobs, job.__name__, slot)
    if outcome is None or "reason" in outcome:
        raise DatabaseError(
            f"{job.__name__} of {slot} could not be finished; what is left is tried again by the service."
        )
    return outcome
