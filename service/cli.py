"""The commands of run.py. Results go to standard output, logs to standard error; exit codes are 0, 1, and 2."""

import sys
from collections.abc import Sequence
from contextlib import suppress

from service import logs
from service.commands import backups, jobs, people, records, running, services
from service.commands.frame import rounds
from service.commands.jobs import run_job
from service.config.settings import PROGRAM
from service.process import desktop, streams

__all__ = ["main", "rounds", "run_job"]
KINDS = (running, people, jobs, records, backups, services)
"""The modules that define the commands."""


def main(args: Sequence[str] | None = None) -> None:
    """The entry point of run.py and of the executable."""
    streams.reserve()
    for stream in (sys.stdout, sys.stderr):  # a console with another code page must not fail on a message in Arabic
        with suppress(AttributeError, ValueError):
            stream.reconfigure(encoding="utf-8", errors="backslashreplace")  # type: ignore[union-attr]
    desktop.give_back_environment()
    logs.configure()
    try:
        rounds.main(args=list(args) if args is not None else None, prog_name=PROGRAM)
    finally:
        streams.let_go()
