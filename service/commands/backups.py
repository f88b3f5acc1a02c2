"""`backup`, `restore` and `copy-database`."""

import sys
from datetime import datetime
from pathlib import Path

import click
from sqlalchemy.orm import Session

from service.backups import copying, making, restoring, sealing
from service.commands.frame import TypedPath, command, progress_bar
from service.config.settings import Settings
from service.domain.clinic import restored
from service.domain.clinic.restored import Settled
from service.domain.foundation.errors import DomainError
from service.health import last_backup
from service.jobs import runner
from service.jobs.make_backup import make_backup
from service.language.formats import Formats
from service.process.alone import only_one
from service.wiring import connect


@command("backup")
@click.option("--output", type=TypedPath(dir_okay=False, path_type=Path), help="Default: the folder of backups.")
def backup(settings: Settings, output: Path | None) -> None:
    """Back the database up, while it is in use, and try the backup out."""
    if output is not None and output.exists():
        raise DomainError(f"{output} exists already.")
    if output is not None and not output.parent.is_dir():
        raise DomainError(f"There is no folder {output.parent}.")
    wiring = connect(settings, "command")
    try:
        made = making.make(wiring.database, settings, output=output)
        if output is None:
            runner.note_done(wiring.jobs, make_backup.__name__, made.as_outcome())
    finally:
        wiring.database.close()
    click.echo(f"{made.file}: {last_backup.outcome_in_words(made.as_outcome(), Formats(wiring.settings.clinic))}.")


@command("restore")
@click.argument("file", type=TypedPath(path_type=Path))
@click.option("--yes", is_flag=True, help="Do not ask.")
def restore(settings: Settings, file: Path, yes: bool) -> None:
    """Put a backup in the present database's place, which is kept aside. The service must not run."""
    with only_one(settings), restoring.opened(file, settings, _passphrase) as found:
        made_at, visits = found.about.made_at, found.about.counts.get("appointments", 0)
        when = f"{made_at.astimezone(settings.clinic.zone):%Y-%m-%d %H:%M}"
        if not yes:
            _confirm(f"Put the backup of {when} ({visits:,} visits) in place of what is in {found.present.name} now?")
        settled: list[Settled] = []
        aside = restoring.put_in_place(
            found, settings, lambda session: settled.append(_settle(session, settings, made_at))
        )
    click.echo(f"The backup of {when} is in place: {visits:,} visits. Everybody signs in again.")
    if aside is not None:
        click.echo(f"What was there before is kept in {aside}.")
    click.echo(
        f"{settled[0].left} messages that waited are left out and {settled[0].waiting} wait for a later day. "
        "Reminders of today that were due are not sent again by themselves: Run now on the page Jobs sends them."
    )


@command("copy-database")
@click.argument("from_url")
@click.argument("to_url")
def copy_database(settings: Settings, from_url: str, to_url: str) -> None:
    """Move a clinic to another, empty database, for instance from SQLite to PostgreSQL. The service must not run."""
    source, target = settings.with_database(from_url), settings.with_database(to_url)
    with (
        copying.opened(source, target) as pair,
        only_one(source),
        only_one(target),
        progress_bar(copying.size(pair), "Rows") as progress,
    ):
        copied = copying.copy(pair, progress)
    for table in copied:
        click.echo(f"{table.name:<20} {table.rows:>10} rows  {table.checksum}")
    click.echo(
        f"{sum(table.rows for table in copied):,} rows are the same on both sides. Set [database] url to the new one."
    )


def _settle(session: Session, settings: Settings, made_at: datetime) -> Settled:
    """Close what a database restored from a backup of `made_at` must not go on with."""
    runner.skip_after_restore(session, settings)
    return restored.settle(session, settings.clinic.zone, made_at)


def _passphrase() -> str:
    """Of a sealed backup, asked for on a terminal."""
    if not sys.stdin.isatty():
        raise DomainError(f"This backup is sealed: say its passphrase in {sealing.VARIABLE}.")
    return str(click.prompt("Passphrase of this backup", hide_input=True, err=True))


def _confirm(question: str) -> None:
    """Ask on a terminal; elsewhere --yes is needed."""
    if not sys.stdin.isatty():
        raise DomainError("Nobody is here to be asked: say --yes to restore.")
    if not click.confirm(question, err=True):
        raise DomainError("Nothing was changed.")
