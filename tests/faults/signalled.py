"""Signals this process from within a job of its own, at a step that a test names.

A step is a call of any function of the service on behalf of the job, so a moment may lie inside a transaction, between
two messages or in the middle of a file.
"""

import importlib
import json
import os
import pkgutil
import sys
import threading
from enum import StrEnum
from pathlib import Path
from types import FrameType
from typing import Any, assert_never

from service import jobs

SERVICE = str(Path(jobs.__file__).parents[1])


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
    """Counts the steps of a job in all threads, and sends the signal at one of them, once."""

    def __init__(self, job: str, at: int, number: int, then: Then, count: Path) -> None:
        self._code = getattr(importlib.import_module(f"service.jobs.{job}"), job).__code__
        self._at, self._number, self._then, self._count = at, number, then, count
        self._steps = 0
        self._of_thread = threading.local()
        self._lock = threading.Lock()

    def watch(self, frame: FrameType, event: str, _arg: Any) -> None:
        """What Python calls at every call and return."""
        context = getattr(self._of_thread, "context", None)
        if frame.f_code is self._code:
            if event == "call":
                context = self._of_thread.context = frame.f_locals["context"]
            elif event == "return":
                self._of_thread.context = None
                self._count.write_text(str(self._steps), encoding="utf-8")
                return
        if context is None or event != "call" or not frame.f_code.co_filename.startswith(SERVICE):
            return
        with self._lock:
            self._steps += 1
            is_now = self._steps == self._at
        if is_now:
            self._send(context)

    def _send(self, context: Any) -> None:
        sys.setprofile(None)  # the rest of this thread is nobody's step
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
    job, at, number, then, count = json.loads(said)
    threading.setprofile(Steps(job, at, number, Then(then), Path(count)).watch)
