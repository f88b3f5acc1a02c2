"""Standard output and error, which may be closed or on a full disk without consequences."""

import os
import sys
from contextlib import suppress

import click


def reserve() -> None:
    """Keep the file descriptors of closed streams from being reused for files or connections."""
    for number in range(3):
        try:
            os.fstat(number)
        except OSError:
            os.open(os.devnull, os.O_RDWR)


def say(line: str, *, err: bool = False) -> None:
    """Print a line without buffering, and ignore errors."""
    with suppress(OSError):
        click.echo(line, err=err)


def let_go() -> None:
    """Drop unwritten output at exit; otherwise, Python would exit with an error."""
    for stream in (sys.stdout, sys.stderr):
        if stream is None:
            continue
        try:
            stream.flush()
        except (OSError, ValueError):
            with suppress(OSError, ValueError):
                os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())
