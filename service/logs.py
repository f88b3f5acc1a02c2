"""Logging to standard error, one line per event, with ids but no names, addresses, or texts."""

import logging
import sys
import threading
from collections.abc import Callable
from contextlib import suppress
from contextvars import ContextVar
from pathlib import Path
from typing import Any, Literal, TextIO, cast

import structlog
from structlog.typing import EventDict, Processor

Room = Callable[[int], bool]
_room: ContextVar[Room | None] = ContextVar("room", default=None)
LONGEST = 400
"""The most characters of one value, enough for the trace of an error."""


def configure(style: Literal["text", "json"] = "text") -> None:
    """Set up structlog, and route the libraries' logging through it. Called by the command line.

    Each line has `key=value` pairs or, for machines, one JSON object. A line break in a value doesn't start a new line.
    """
    shared: list[Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        _shortened_trace,
        _cut,
        _only_with_room,
    ]
    renderer = _renderer(style)
    stream = cast(TextIO, _Forgiving(sys.stderr))
    structlog.configure(
        processors=[*shared, renderer],
        logger_factory=structlog.PrintLoggerFactory(file=stream),
        cache_logger_on_first_use=False,
    )
    handler = logging.StreamHandler(stream)
    handler.addFilter(lambda _record: _has_room(LONGEST))
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=[structlog.stdlib.add_logger_name, *shared[:-1]],  # the filter has checked the budget
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, renderer],
            use_get_message=False,  # without values, because a path may contain a token
        )
    )
    logging.basicConfig(level=logging.WARNING, handlers=[handler], force=True)
    threading.excepthook = _thread_ended


def limit(room: Room | None) -> None:
    """From now on, call `room` with a line's length to ask whether this thread may write it. None: write all."""
    _room.set(room)


def _has_room(length: int) -> bool:
    room = _room.get()
    return room is None or room(length)


def _only_with_room(_logger: object, _method: str, event: EventDict) -> EventDict:
    """Drop a line that exceeds the budget."""
    if not _has_room(sum(len(name) + len(str(value)) + 2 for name, value in event.items())):
        raise structlog.DropEvent
    return event


def _renderer(style: str) -> Processor:
    if style == "json":
        return structlog.processors.JSONRenderer(default=str)
    return structlog.processors.LogfmtRenderer(key_order=["timestamp", "level", "event"], bool_as_flag=False)


def _thread_ended(thread: threading.ExceptHookArgs) -> None:
    """Log an uncaught error, without its message."""
    error = (thread.exc_type, thread.exc_value, thread.exc_traceback)
    structlog.get_logger().error("thread ended", exc_info=error)


class _Forgiving:
    """A stream that ignores write errors: closed, on a full disk, or no longer read."""

    def __init__(self, stream: TextIO | None) -> None:
        self._stream = stream

    def write(self, text: str) -> None:
        with suppress(OSError, ValueError):
            if self._stream is not None:
                self._stream.write(text)

    def flush(self) -> None:
        with suppress(OSError, ValueError):
            if self._stream is not None:
                self._stream.flush()


def _shortened_trace(_logger: object, _method: str, event: EventDict) -> EventDict:
    """Format an exception as its type and traceback, without its message, which may quote a patient's text."""
    given: Any = event.pop("exc_info", None)
    if not given:
        return event
    kind, _error, trace = given if isinstance(given, tuple) else sys.exc_info()
    places = []
    while trace is not None:
        code = trace.tb_frame.f_code
        places.append(f"{Path(code.co_filename).name}:{trace.tb_lineno}")
        trace = trace.tb_next
    event["error"] = kind.__name__ if kind else "unknown"
    event["trace"] = " > ".join(places[-12:])
    return event


def _cut(_logger: object, _method: str, event: EventDict) -> EventDict:
    """Cut every value to LONGEST characters, so that requests can't fill the log."""
    for name, value in event.items():
        if isinstance(value, str | bytes | list | tuple | dict) and not name.startswith("_"):
            text = value if isinstance(value, str) else repr(value)
            event[name] = f"{text[:LONGEST]}…" if len(text) > LONGEST else value
    return event
