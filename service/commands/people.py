"""Commands that add people: the demo clinic, one user, an API token."""

import secrets
import sys
from dataclasses import replace
from datetime import date, datetime
from typing import Any

import click

from service.commands.frame import command, opened, progress_bar
from service.config.settings import Settings
from service.demo import clinic as demo
from service.domain.accounts import api_tokens, passwords, users
from service.domain.accounts.api_tokens import Scope
from service.domain.accounts.users import NewUser
from service.domain.foundation.actor import SYSTEM, Role


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
    with opened(settings) as wiring, progress_bar(appointments, "Visits") as progress:
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


ROLES = [role.value for role in (Role.ADMIN, Role.RECEPTIONIST, Role.DOCTOR, Role.PATIENT)]


def _role(_context: click.Context, _option: click.Parameter, typed: str) -> Role:
    return Role(typed)


def _day(_context: click.Context, _option: click.Parameter, typed: datetime | None) -> date | None:
    return typed.date() if typed else None


@command("add-user")
@click.option("--role", type=click.Choice(ROLES), callback=_role, required=True)
@click.option("--email", required=True)
@click.option("--name", required=True)
@click.option("--department", default="", help="Of a doctor.")
@click.option("--birth-date", type=click.DateTime(["%Y-%m-%d"]), callback=_day, help="Of a patient.")
@click.option("--phone", default="", help="Of a patient.")
@click.option("--password-stdin", is_flag=True, help="Read the password from standard input.")
def add_user(settings: Settings, *, password_stdin: bool, **typed: Any) -> None:
    """Add a user and, depending on the role, a doctor or patient."""
    new = NewUser(**typed)
    if password_stdin:
        password = sys.stdin.readline().rstrip("\r\n")
        hashed = passwords.chosen(password, about=(settings.clinic.name, new.name, new.email)).hash
        new = replace(new, password_hash=hashed)
    with opened(settings) as wiring, wiring.database.transaction() as session:
        user = users.add(session, SYSTEM, new, settings.clinic)
        token = None if password_stdin else users.invite(session, user)
    click.echo(f"{new.role} {user.email} was added.")
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
    """Create a token with which another program acts as a user. It's shown only once."""
    with opened(settings) as wiring, wiring.database.transaction() as session:
        user = api_tokens.by_email(session, email)
        made = api_tokens.make(session, SYSTEM, user, label=label, scopes=scopes or tuple(Scope), days=days)
    click.echo(f"API token for {user.email}, valid for {days} days. It's shown only once:")
    click.echo(made)
