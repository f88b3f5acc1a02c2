"""Start by double-click: nobody sees printed output, so the browser is opened instead."""

import ctypes
import os
import sys
import webbrowser
from collections.abc import Mapping, Sequence
from contextlib import suppress
from threading import Thread
from typing import Any

from service.config.settings import FROZEN, HOME

NOT_STARTED = HOME / "rounds-did-not-start.txt"


def double_clicked(arguments: Sequence[str] | None = None, environ: Mapping[str, str] = os.environ) -> bool:
    """Return whether the executable was started from a desktop: without arguments and without a terminal."""
    if not FROZEN or (sys.argv[1:] if arguments is None else arguments):
        return False
    if sys.platform == "win32":
        return "SESSIONNAME" in environ and _has_own_console()
    if not (environ.get("DISPLAY") or environ.get("WAYLAND_DISPLAY")) or _is_a_service(environ):
        return False
    return not any(stream is not None and stream.isatty() for stream in (sys.stdin, sys.stdout, sys.stderr))


def show(url: str) -> Thread:
    """Open the browser, if there is one, in a separate thread, because it may take long or fail."""

    def open_it() -> None:
        with suppress(Exception):
            webbrowser.open(url)

    with suppress(OSError):
        NOT_STARTED.unlink(missing_ok=True)
    opening = Thread(target=open_it, name="browser", daemon=True)
    opening.start()
    return opening


def leave_note(sentence: str) -> None:
    """Say why Rounds didn't start, where the user will see it: in the window, or in a file next to the program."""
    if sys.platform == "win32":
        with suppress(EOFError):
            input("Press Enter to close this window.")
        return
    with suppress(Exception):
        NOT_STARTED.write_text(f"{sentence}\n", encoding="utf-8")
        webbrowser.open(NOT_STARTED.as_uri())


def give_back_environment() -> None:
    """Let other programs, such as a browser or pg_dump, load their own libraries instead of the executable's."""
    if FROZEN and sys.platform != "win32":
        for name in ("LD_LIBRARY_PATH", "DYLD_LIBRARY_PATH"):
            before = os.environ.pop(f"{name}_ORIG", None)
            if before is not None:
                os.environ[name] = before
            else:
                os.environ.pop(name, None)


def _is_a_service(environ: Mapping[str, str]) -> bool:
    """Return whether systemd started this program itself, not only the desktop it was started from."""
    return environ.get("SYSTEMD_EXEC_PID") == str(os.getppid())


def _has_own_console() -> bool:
    """Return whether the console window belongs to this program: only its two processes use it."""
    kernel: Any = getattr(ctypes, "windll").kernel32  # noqa: B009 missing on other systems
    return bool(kernel.GetConsoleProcessList((ctypes.c_uint * 8)(), 8) <= 2)
