"""`install-service`: start Rounds when the computer starts."""

import sys
from pathlib import Path

import click

from service.commands.frame import TypedPath, command
from service.config.settings import Settings
from service.domain.foundation.errors import DomainError
from service.process import system_service


@command("install-service")
@click.option("--output", type=TypedPath(dir_okay=False, path_type=Path), help=f"Default: {system_service.UNIT}.")
@click.option("--print", "only_print", is_flag=True, help="Only show the unit.")
@click.option("--user", "account", default="rounds", show_default=True, help="The account that Rounds runs as.")
def install_service(settings: Settings, output: Path | None, only_print: bool, account: str) -> None:
    """Write a systemd unit, and print the next steps. On Windows and macOS, print the steps."""
    text = system_service.text(settings, account)
    if only_print or sys.platform in ("win32", "darwin"):
        click.echo(text, nl=False)
        return
    unit = (output or system_service.UNIT).absolute()
    if not unit.parent.is_dir():
        raise DomainError(f"There is no folder {unit.parent}: without systemd, --print shows what to start.")
    try:
        system_service.write(unit, text)
    except PermissionError:
        raise DomainError(f"{unit} may only be written by root: put sudo in front, or use --print.") from None
    click.echo(system_service.next_steps(settings, account, unit), nl=False)
