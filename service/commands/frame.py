"""What all commands share: --config, settings, and one-line errors."""

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import click
import structlog
from sqlalchemy.exc import DBAPIError

from service import __version__, logs
from service.backups import upgrading
from service.config.settings import HOME, Settings, SettingsError, load
from service.domain.foundation.errors import DomainError
from service.health import checkup
from service.process import desktop, streams
from service.storage import database
from service.storage.database import DatabaseError
from service.wiring import Wiring, connect

log = structlog.get_logger()
Command = Callable[..., Any]


class Rounds(click.Group):
    """Runs `serve` if no command is given, and prints every error as one line."""

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


def say_mistake(sentence: str) -> None:
    """Print why a command failed, or show it if the program was double-clicked."""
    said = f"Error: {' '.join(sentence.split())}"
    streams.say(said, err=True)
    if desktop.double_clicked():
        desktop.leave_note(said)


def _leave(sentence: str) -> None:
    say_mistake(sentence)
    sys.exit(1)


class TypedPath(click.Path):
    """A path as typed. `~` is expanded, even if the shell hasn't done it."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """Return the path with `~` expanded."""
        try:
            return super().convert(Path(value).expanduser(), param, ctx)
        except RuntimeError:
            self.fail(f"{value!r}: there is no such home. Write the whole path.", param, ctx)


def _with_serve(args: list[str], commands: set[str]) -> list[str]:
    """Insert `serve` before options without a command. --config may come first."""
    position = 0
    while position < len(args) and args[position].split("=")[0] == "--config":
        position += 1 if "=" in args[position] else 2
    rest = args[position:]
    if rest and (rest[0] in commands or rest[0] in ("-h", "--help", "--version") or not rest[0].startswith("-")):
        return args
    return [*args[:position], "serve", *rest]


def _settings(ctx: click.Context) -> Settings:
    """Load the settings named by the innermost --config: commands and groups both accept it."""
    here: click.Context | None = ctx
    chosen = None
    while here is not None and not chosen:
        chosen, here = here.params.get("config"), here.parent
    settings = load(Path(chosen) if chosen else None)
    if settings.logs.format != "text":
        logs.configure(settings.logs.format)
    return settings


def command(name: str, **options: Any) -> Callable[[Command], click.Command]:
    """Define a command that accepts --config and gets the settings as its first argument."""

    def wrap(function: Command) -> click.Command:
        @click.pass_context
        def run(ctx: click.Context, /, **params: Any) -> Any:
            params.pop("config", None)
            return function(_settings(ctx), **params)

        run.__doc__ = function.__doc__
        run.__click_params__ = getattr(function, "__click_params__", [])  # type: ignore[attr-defined]
        return rounds.command(name, **options)(config_option(run))

    return wrap


config_option = click.option("--config", type=TypedPath(), help=f"The settings file; default: {HOME / 'config.toml'}.")


@click.group(cls=Rounds, context_settings={"help_option_names": ["-h", "--help"]})
@config_option
@click.version_option(version=__version__, prog_name="Rounds")
def rounds(config: str | None) -> None:
    """Rounds: appointments, reminders, reports, and exports for a small clinic."""


def subcommand(group: click.Group, name: str) -> Callable[[Command], click.Command]:
    """Define a command of a group that accepts --config."""

    def wrap(function: Command) -> click.Command:
        made = command(name)(function)
        rounds.commands.pop(name)
        group.add_command(made)
        return made

    return wrap


json_option = click.option(
    "--json",
    "as_json",
    is_flag=True,
    help="Print only the result, as JSON, to standard output; messages go to standard error.",
)


@contextmanager
def opened(settings: Settings, *, as_json: bool = False) -> Iterator[Wiring]:
    """Wire up a command, with the database upgraded. `as_json` reserves standard output for the result."""
    wiring = connect(settings, "command", aside=as_json)
    try:
        upgrading.migrate(wiring.database, settings)
        yield wiring
    finally:
        wiring.database.close()


@contextmanager
def progress_bar(total: int, label: str) -> Iterator[Callable[[int, int], None]]:
    """Show a progress bar on a terminal; nothing elsewhere."""
    if not sys.stderr.isatty():
        yield lambda done, total: None
        return
    with click.progressbar(length=total, label=label, file=sys.stderr) as bar:
        yield lambda done, total: bar.update(done - bar.pos)
