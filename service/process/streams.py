"""Standard output and error may be closed, or lie on a full disk: nothing the clinic relies on depends on them."""

import os
import sys
from contextlib import suppress

import click


def reserve() -> None:
    """Keep the numbers of closed streams from going to the next file or connection that is opened."""
    for number in range(3):
        try:
            os.fstat(number)
        except OSError:
            os.open(os.devnull, os.O_RDWR)


def say(line: str, *, err: bool = False) -> None:
    """Print a line, at once, if anyone can read it."""
    with suppress(OSError):
        click.echo(line, err=err)


def let_go() -> None:
    """Drop what could not be written, or Python would make it the exit code."""
    for stream in (sys.stdout, sys.stderr):
        if stream is None:
            continue
        try:
            stream.flush()
        except (OSError, ValueError):
            with suppress(OSError, ValueError):
                os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())
