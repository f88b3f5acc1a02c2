"""`backup`, `restore`, and `copy-database`."""

import sys
from datetime import datetime
from pathlib import Path

import click
from sqlalchemy.orm import Session

from service.backups import copying, encryption, making, restoring
from service.commands.frame import TypedPath, command, progress_bar
from service.config.settings import Settings
from service.domain.clinic import restored
from service.domain.clinic.restored import Settled
from service.domain.foundation.errors import DomainError
from service.health import last_backup
from service.jobs import runner
from service.jobs.make_backup import make_backup
from service.language.formats import Formats
from service.process.single_instance import instance_lock
from service.wiring import connect


@command("backup")
@click.option("--output", type=TypedPath(dir_okay=False, path_type=Path), help="Default: the backup folder.")
def backup(settings: Settings, output: Path | None) -> None:
    """Back up the database while it's in use, and verify the backup."""
    if output is not None and output.exists():
        raise DomainError(f"{output} already exists.")
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
@click.option("--yes", is_flag=True, help="Don't ask for confirmation.")
def restore(settings: Settings, file: Path, yes: bool) -> None:
    """Replace the current database with a backup; the current one is kept. Stop the service first."""
    with instance_lock(settings), restoring.opened(file, settings, _passphrase) as found:
        made_at, visits = found.about.made_at, found.about.counts.get("appointments", 0)
        when = f"{made_at.astimezone(settings.clinic.zone):%Y-%m-%d %H:%M}"
        if not yes:
            _confirm(f"Replace the data in {found.present.name} with the backup of {when} ({visits:,} appointments)?")
        settled: list[Settled] = []
        aside = restoring.put_in_place(
            found, settings, lambda session: settled.append(_settle(session, settings, made_at))
        )
    click.echo(f"Restored the backup of {when} with {visits:,} appointments. Everyone has to sign in again.")
    if aside is not None:
        click.echo(f"The previous data is kept in {aside}.")
    click.echo(
        f"{settled[0].left} queued messages were skipped, and {settled[0].waiting} stay queued for a later day. "
        "Reminders that were due today aren't sent automatically: to send them, press Run now on the Jobs page."
    )


@command("copy-database")
@click.argument("from_url")
@click.argument("to_url")
def copy_database(settings: Settings, from_url: str, to_url: str) -> None:
    """Copy a clinic to another, empty database, such as from SQLite to PostgreSQL. Stop the service first."""
    source, target = settings.with_database(from_url), settings.with_database(to_url)
    with (
        copying.opened(source, target) as pair,
        instance_lock(source),
        instance_lock(target),
        progress_bar(copying.size(pair), "Rows") as progress,
    ):
        copied = copying.copy(pair, progress)
    for table in copied:
        click.echo(f"{table.name:<20} {table.rows:>10} rows  {table.checksum}")
    click.echo(
        f"{sum(table.rows for table in copied):,} rows are the same on both sides. Set [database] url to the new one."
    )


def _settle(session: Session, settings: Settings, made_at: datetime) -> Settled:
    """Stop what must not continue in a database restored from a backup of `made_at`."""
    runner.skip_after_restore(session, settings)
    return restored.settle(session, settings.clinic.zone, made_at)


def _passphrase() -> str:
    """Ask for the passphrase of an encrypted backup on the terminal."""
    if not sys.stdin.isatty():
        raise DomainError(f"This backup is encrypted: set its passphrase in {encryption.VARIABLE}.")
    return str(click.prompt("Passphrase of this backup", hide_input=True, err=True))


def _confirm(question: str) -> None:
    """Ask on the terminal. Raises DomainError without a terminal."""
    if not sys.stdin.isatty():
        raise DomainError("Can't ask for confirmation without a terminal: add --yes to restore.")
    if not click.confirm(question, err=True):
        raise DomainError("Nothing was changed.")
