"""Signals this process from within one of its functions, a job or an act, at a step that a test names.

A step is a call of any function of the service on behalf of that one, so a moment may lie inside a transaction, between
two messages or in the middle of a file.
"""

import importlib
import json
import os
import pkgutil
import signal
import threading
from enum import StrEnum
from pathlib import Path
from types import FrameType
from typing import Any, assert_never

from service import jobs

SERVICE = str(Path(jobs.__file__).parents[1])
LEAVING = -1
"""The step at which all is done and the function is about to return: what it has locked is locked."""


class Then(StrEnum):
    """What the job does once the signal was sent."""

    GOES_ON = "goes on"
    LASTS = "lasts"
    """Longer than a stop waits for it: it goes on when it is asked to put itself back."""
    HANGS = "hangs"
    """It never ends by itself."""


def every_job() -> list[str]:
    """The jobs there are: each module of the jobs that has a function of its own name."""
    names = [module.name for module in pkgutil.iter_modules(jobs.__path__)]
    return [name for name in names if callable(getattr(importlib.import_module(f"service.jobs.{name}"), name, None))]


class Steps:
    """Counts the steps of a function in all threads, and sends the signal at one of them, once."""

    def __init__(self, function: str, at: int, number: int, then: Then, count: Path) -> None:
        module, _, name = function.partition(":")
        self._code = getattr(importlib.import_module(module), name).__code__
        self._at, self._number, self._then, self._count = at, number, then, count
        self._steps = 0
        self._of_thread = threading.local()
        self._lock = threading.Lock()

    def watch(self, frame: FrameType, event: str, _arg: Any) -> None:
        """What Python calls at every call and return."""
        if frame.f_code is self._code and event in ("call", "return"):
            self._of_thread.frame = frame if event == "call" else None
            if event == "return":
                self._count.write_text(str(self._steps), encoding="utf-8")
                self._step(frame, is_last=True)
                return
        inside = getattr(self._of_thread, "frame", None)
        if inside is not None and event == "call" and frame.f_code.co_filename.startswith(SERVICE):
            self._step(inside)

    def _step(self, inside: FrameType, *, is_last: bool = False) -> None:
        with self._lock:
            self._steps += not is_last
            is_now = self._at == (LEAVING if is_last else self._steps)
            if is_now:
                self._at = 0
        if is_now:
            self._send(inside.f_locals.get("context"))

    def _send(self, context: Any) -> None:
        if self._number == signal.SIGSTOP:  # this very thread, or it would get on a little further
            signal.pthread_kill(threading.get_ident(), self._number)
        else:
            os.kill(os.getpid(), self._number)
        match self._then:
            case Then.GOES_ON:
                pass
            case Then.LASTS:
                context.stopping.wait()
            case Then.HANGS:
                threading.Event().wait()
            case _:
                assert_never(self._then)


def install(said: str) -> None:
    """Watch every thread that begins from now on, as the arguments of `Steps` in JSON say."""
    function, at, number, then, count = json.loads(said)
    threading.setprofile(Steps(function, at, number, Then(then), Path(count)).watch)
