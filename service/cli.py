"""The commands of run.py: results to standard output, logs to standard error, exit codes 0, 1 and 2."""

import json
import os
import secrets
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import click
import structlog
from sqlalchemy.exc import DBAPIError
from sqlalchemy.orm import Session

from service import __version__, checkup, clock, database, demo, logs
from service.alone import only_one
from service.backups import making, restoring, sealing, upgrading
from service.database import DatabaseError
from service.domain import api_tokens, audit_check, export_files, passwords, reminders, reports, users
from service.domain.actor import SYSTEM
from service.domain.api_tokens import Scope
from service.domain.errors import DomainError
from service.domain.export_files import OF_THE_CLINIC, ONE_TABLE, Contents, Format
from service.domain.restored import Settled
from service.jobs import after_restore, last_backup
from service.settings import Settings, SettingsError, load
from service.wiring import Wiring, connect

log = structlog.get_logger()
Command = Callable[..., Any]


class Rounds(click.Group):
    """Without a command it serves; every mistake is one line."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        return super().parse_args(ctx, _with_serve(args, set(self.commands)))

    def main(self, *args: Any, **kwargs: Any) -> Any:
        try:
            return super().main(*args, **kwargs)
        except (SettingsError, DatabaseError, DomainError, checkup.Trouble) as error:
            _leave(str(error))
        except DBAPIError as error:
            _leave(database.explain(error))
        except OSError as error:
            _leave(f"{error.filename or 'The system'}: {error.strerror or error}.")
        except Exception as error:
            log.exception("command failed")
            _leave(f"That went wrong ({type(error).__name__}); nothing was half done. The log line above says where.")


def _leave(sentence: str) -> None:
    click.echo(f"Error: {' '.join(sentence.split())}", err=True)
    sys.exit(1)


def _with_serve(args: list[str], commands: set[str]) -> list[str]:
    """Put `serve` in front of options that come without a command; --config may stand before either."""
    position = 0
    while position < len(args) and args[position].split("=")[0] == "--config":
        position += 1 if "=" in args[position] else 2
    rest = args[position:]
    if rest and (rest[0] in commands or rest[0] in ("-h", "--help", "--version") or not rest[0].startswith("-")):
        return args
    return [*args[:position], "serve", *rest]


def _settings(ctx: click.Context) -> Settings:
    """The settings the innermost --config names: each command and group on the way may have one."""
    here: click.Context | None = ctx
    chosen = None
    while here is not None and not chosen:
        chosen, here = here.params.get("config"), here.parent
    settings = load(Path(chosen) if chosen else None)
    if settings.logs.format != "text":
        logs.configure(settings.logs.format)
    return settings


def command(name: str, **options: Any) -> Callable[[Command], click.Command]:
    """A command that takes --config itself as well and gets the settings as its first argument."""

    def wrap(function: Command) -> click.Command:
        @click.pass_context
        def run(ctx: click.Context, /, **params: Any) -> Any:
            params.pop("config", None)
            return function(_settings(ctx), **params)

        run.__doc__ = function.__doc__
        run.__click_params__ = getattr(function, "__click_params__", [])  # type: ignore[attr-defined]
        return rounds.command(name, **options)(_config(run))

    return wrap


_config = click.option("--config", type=click.Path(), help="The settings file; default: config.toml beside run.py.")


@click.group(cls=Rounds, context_settings={"help_option_names": ["-h", "--help"]})
@_config
@click.version_option(version=__version__, prog_name="Rounds")
def rounds(config: str | None) -> None:
    """Rounds: appointments, reminders, reports and exports of a small clinic."""


@contextmanager
def _opened(settings: Settings) -> Iterator[Wiring]:
    """A wired-up command with its database at this version."""
    wiring = connect(settings, "command")
    try:
        upgrading.migrate(wiring.database, settings)
        yield wiring
    finally:
        wiring.database.close()


@command("serve")
@click.option("--host", help="The address to listen at; default: [server] host.")
@click.option("--port", type=click.IntRange(0, 65535), help="The port; 0 picks a free one; default: [server] port.")
def serve(settings: Settings, host: str | None, port: int | None) -> None:
    """Start the service (the default command)."""
    from service import server

    ended = server.serve(settings, host or settings.server.host, settings.server.port if port is None else port)
    if (
        not ended
    ):  # a thread hangs in something that cannot be asked to stop: what it did is picked up at the next start
        sys.stdout.flush()
        os._exit(0)


@command("migrate")
def migrate(settings: Settings) -> None:
    """Bring the database to this version of Rounds."""
    wiring = connect(settings, "command")
    click.echo(f"The database is at revision {upgrading.migrate(wiring.database, settings)}.")


@command("demo")
@click.option("--doctors", type=click.IntRange(1, 500), default=4, show_default=True)
@click.option("--patients", type=click.IntRange(1, 10_000_000), default=300, show_default=True)
@click.option("--appointments", type=click.IntRange(0, 10_000_000), default=2500, show_default=True)
@click.option("--seed", type=int, default=1, show_default=True, help="Same seed and day, same clinic.")
@click.option("--password", help="Of all demo accounts; default: a random one that is printed.")
def demo_command(
    settings: Settings, doctors: int, patients: int, appointments: int, seed: int, password: str | None
) -> None:
    """Fill an empty database with a made-up clinic."""
    chosen = (
        passwords.check(password, about=(settings.clinic.name,)) if password is not None else secrets.token_urlsafe(12)
    )
    size = demo.Size(doctors, patients, appointments)
    with _opened(settings) as wiring, _bar(appointments) as progress:
        with wiring.database.transaction() as session:
            accounts = demo.fill(session, settings.clinic.zone, size, seed, passwords.hashed(chosen), progress)
        wiring.database.analyse()
    click.echo(f"A demo clinic: {doctors} doctors, {patients} patients, {appointments} visits. Accounts:")
    shown = [account for account in accounts if account.split("@")[0] in ("admin", "reception", "doctor1", "patient1")]
    for account in shown:
        click.echo(f"  {account}")
    click.echo(
        f"  and {len(accounts) - len(shown)} more: doctor1 to doctor{doctors}, patient1 to patient{min(patients, 100)}"
    )
    click.echo(f"Password of all of them: {chosen if password is None else 'the one you gave'}")


@contextmanager
def _bar(total: int) -> Iterator[Callable[[int, int], None]]:
    """A progress bar on a terminal, nothing elsewhere."""
    if not sys.stderr.isatty():
        yield lambda done, total: None
        return
    with click.progressbar(length=total, label="Visits", file=sys.stderr) as bar:
        yield lambda done, total: bar.update(done - bar.pos)


@command("add-user")
@click.option("--role", type=click.Choice(["admin", "receptionist", "doctor", "patient"]), required=True)
@click.option("--email", required=True)
@click.option("--name", required=True)
@click.option("--department", default="", help="Of a doctor.")
@click.option("--birth-date", type=click.DateTime(["%Y-%m-%d"]), help="Of a patient.")
@click.option("--phone", default="", help="Of a patient.")
@click.option("--password-stdin", is_flag=True, help="Read the password from standard input.")
def add_user(
    settings: Settings,
    role: str,
    email: str,
    name: str,
    department: str,
    birth_date: datetime | None,
    phone: str,
    password_stdin: bool,
) -> None:
    """Make a user, and the doctor or patient behind it."""
    hashed = None
    if password_stdin:
        typed = sys.stdin.readline().rstrip("\r\n")
        hashed = passwords.chosen(typed, about=(settings.clinic.name, name, email)).hash
    with _opened(settings) as wiring, wiring.database.transaction() as session:
        user = users.add(
            session,
            SYSTEM,
            role=role,
            email=email,
            name=name,
            country=settings.clinic.country,
            zone=settings.clinic.zone,
            department=department,
            birth_date=birth_date.date() if birth_date else None,
            phone=phone,
            password_hash=hashed,
        )
        token = users.invite(session, user) if hashed is None else None
    click.echo(f"{role} {user.email} was added.")
    if token is not None:
        click.echo(f"Invite link, works once within {users.INVITE_DAYS} days:")
        click.echo(f"{settings.clinic.public_url}/invite/{token}")


@command("token")
@click.option("--email", required=True, help="Of the user it acts as.")
@click.option("--name", "label", required=True, help="Which program it is for.")
@click.option(
    "--scope",
    "scopes",
    type=click.Choice([str(scope) for scope in Scope]),
    multiple=True,
    help="May be repeated; default: all.",
)
@click.option("--days", type=click.IntRange(1, api_tokens.LONGEST_DAYS), default=365, show_default=True)
def token(settings: Settings, email: str, label: str, scopes: tuple[str, ...], days: int) -> None:
    """Make a token by which another program acts as a user; it is shown here and nowhere else."""
    with _opened(settings) as wiring, wiring.database.transaction() as session:
        user = api_tokens.by_email(session, email)
        made = api_tokens.make(session, SYSTEM, user, label=label, scopes=scopes or tuple(Scope), days=days)
    click.echo(f"A token for {user.email}, good for {days} days and shown only now:")
    click.echo(made)


@rounds.group("run-job")
@_config
def run_job(config: str | None) -> None:
    """Do now what a scheduled job does."""


def subcommand(group: click.Group, name: str) -> Callable[[Command], click.Command]:
    """A command of a group, which takes --config as well."""

    def wrap(function: Command) -> click.Command:
        made = command(name)(function)
        rounds.commands.pop(name)
        group.add_command(made)
        return made

    return wrap


@subcommand(run_job, "reminders")
@click.option("--date", "day", type=click.DateTime(["%Y-%m-%d"]), help="Today or later; default: today.")
@click.option("--dry-run", is_flag=True, help="Only say what would be done.")
@click.option("--json", "as_json", is_flag=True, help="The result as JSON in the last line.")
def run_reminders(settings: Settings, day: datetime | None, dry_run: bool, as_json: bool) -> None:
    """Plan and send the reminders of a day."""
    zone = settings.clinic.zone
    on = day.date() if day else clock.today(zone)
    reminders.check_day(on, zone)
    with _opened(settings) as wiring:
        if dry_run:
            with wiring.database.transaction() as session:
                outcome = {"date": on.isoformat(), **_previewed(session, settings, reminders.of_day(on, zone))}
                early = _previewed(session, settings, reminders.early(on, zone))
                outcome["early"] = {"date": (on + timedelta(days=1)).isoformat(), **early}
        else:
            outcome = _executed(wiring, "send_daily_reminders", on.isoformat())
    if as_json:
        click.echo(json.dumps(outcome))
    else:
        click.echo(_in_words(f"Reminders of {on}", outcome["run"], dry_run))
        if any(outcome["early"]["run"].values()):
            click.echo(_in_words(f"Early visits of {outcome['early']['date']}", outcome["early"]["run"], dry_run))


def _previewed(session: Session, settings: Settings, span: reminders.Span) -> dict[str, Any]:
    run, total = reminders.preview(session, span, settings.ways), reminders.total(session, span)
    return {"run": run.as_dict(), "total": total.as_dict()}


def _in_words(title: str, run: dict[str, Any], dry_run: bool) -> str:
    would, skipped = "would be " if dry_run else "", sum(run["skipped"].values())
    told = run["queued"] if dry_run else run["sent"]
    return f"{title}: {told} {would}sent, {run['failed']} failed, {skipped} {would}skipped."


@subcommand(run_job, "reports")
@click.option("--month", help="YYYY-MM; default: the month that ended last.")
@click.option("--json", "as_json", is_flag=True, help="The result as JSON in the last line.")
def run_reports(settings: Settings, month: str | None, as_json: bool) -> None:
    """Make the monthly reports of all doctors."""
    zone = settings.clinic.zone
    chosen = reports.check_month(month or reports.last_month(zone), zone)
    with _opened(settings) as wiring:
        outcome = _executed(wiring, "generate_monthly_report", chosen)
    if as_json:
        click.echo(json.dumps(outcome))
    else:
        click.echo(f"Reports of {chosen}: {outcome['made']} made, {outcome['already']} were there.")


def _executed(wiring: Wiring, job: str, slot: str) -> dict[str, Any]:
    """Run a job in this process, through the ledger."""
    outcome = wiring.tasks.run_by_hand(job, slot)
    if outcome is None or "reason" in outcome:
        raise DatabaseError(f"{job} of {slot} could not be finished; what is left is tried again by the service.")
    return outcome


@command("export")
@click.option("--patient", "patient_id", type=click.IntRange(1, 2**63 - 1), help="The number of the patient's record.")
@click.option("--clinic", "of_clinic", is_flag=True, help="All data of the clinic instead, as a zip.")
@click.option("--output", type=click.Path(dir_okay=False, path_type=Path), required=True)
@click.option("--force", is_flag=True, help="Replace an existing file.")
@click.option("--format", "form", type=click.Choice(["csv", "json", "zip"]), default="csv", show_default=True)
@click.option("--visits", is_flag=True, help="With all visits, in JSON or zip.")
@click.option("--messages", is_flag=True, help="With all messages, in JSON or zip.")
def export(
    settings: Settings,
    patient_id: int | None,
    of_clinic: bool,
    output: Path,
    force: bool,
    form: str,
    visits: bool,
    messages: bool,
) -> None:
    """Write a patient's whole history, or all data of the clinic."""
    if (patient_id is None) is not of_clinic:
        raise click.UsageError("Name either --patient ID or --clinic.")
    contents = OF_THE_CLINIC if of_clinic else Contents(Format(form), visits, messages)
    contents.check()
    if output.exists() and not force:
        raise DomainError(f"{output} exists already: use --force to replace it.")
    if not output.parent.is_dir():
        raise DomainError(f"There is no folder {output.parent}.")
    with _opened(settings) as wiring:
        with wiring.database.transaction() as session:  # first: nothing may fail once the file is there
            export_files.note_written(session, SYSTEM, patient_id)
        with wiring.database.reading() as session:
            rows = export_files.produce(session, patient_id, contents, output, settings.clinic)
    click.echo(f"{rows} {'treatments' if contents == ONE_TABLE else 'rows'} written to {output}.")


@command("backup")
@click.option("--output", type=click.Path(dir_okay=False, path_type=Path), help="Default: the folder of backups.")
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
            wiring.tasks.note_backup(made)
    finally:
        wiring.database.close()
    click.echo(f"{made.file}: {last_backup.outcome_in_words(made.as_outcome())}.")


@command("restore")
@click.argument("file", type=click.Path(path_type=Path))
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
            found, settings, lambda session: settled.append(after_restore.settle(session, settings, made_at))
        )
    click.echo(f"The backup of {when} is in place: {visits:,} visits. Everybody signs in again.")
    if aside is not None:
        click.echo(f"What was there before is kept in {aside}.")
    click.echo(
        f"{settled[0].left} messages that waited are left out and {settled[0].waiting} wait for a later day. "
        "Reminders of today that were due are not sent again by themselves: Run now on the page Jobs sends them."
    )


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


@rounds.group("audit")
@_config
def audit_group(config: str | None) -> None:
    """The record of who did what."""


@subcommand(audit_group, "verify")
def verify(settings: Settings) -> None:
    """Check that the audit is as it was written; name the first entry that was altered."""
    with _opened(settings) as wiring, wiring.database.reading() as session:
        whole = audit_check.verify(session)
    click.echo(f"The audit is whole: {whole.entries} entries, {whole.emptied} with details emptied by an erasure.")
    click.echo(f"It ends with entry {whole.last_id}, seal {whole.seal}")


@command("check")
@click.option("--send-to", metavar="ADDRESS", help="Send a test message to an e-mail address or a telephone number.")
def check(settings: Settings, send_to: str | None) -> None:
    """Try settings, database, folders, clock, mail and SMS: a line each, ok or what to do."""
    wiring = connect(settings, "command")
    lines = list(checkup.of_all(wiring))
    if send_to is not None:
        lines.append(checkup.send(wiring.channels, settings, send_to))
    wiring.database.close()
    for _well, words in lines:
        click.echo(words)
    if not all(well for well, _words in lines):
        raise checkup.Trouble("Not all is well: the lines that do not begin with ok say what to do.")


def main(args: Sequence[str] | None = None) -> None:
    """The entry point of run.py and of the executable."""
    for stream in (sys.stdout, sys.stderr):  # a console of another code page must not stop a message in Arabic
        with suppress(AttributeError, ValueError):
            stream.reconfigure(encoding="utf-8", errors="backslashreplace")  # type: ignore[union-attr]
    logs.configure()
    rounds.main(args=list(args) if args is not None else None, prog_name="run.py")
