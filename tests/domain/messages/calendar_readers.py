"""What calendar programs of other people read in an entry: four in Python, two in JavaScript under node."""

import json
import os
import shutil
import subprocess
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from pathlib import Path

import icalendar
import ics
import recurring_ical_events
import vobject

IN_JAVASCRIPT = Path(__file__).parent / "readers"
"""Two packages, locked, and the script that asks them."""
QUIET = ("--ignore-scripts", "--no-audit", "--no-fund", "--prefer-offline")


class NotFound(Exception):
    """Node, npm or the packages are not to be had here; the text says which."""


@dataclass(frozen=True)
class Read:
    """An entry as a program read it; its times are seconds since 1970."""

    start: float
    end: float
    uid: str
    sequence: int
    summary: str
    organizer: str


def _bare(address: str) -> str:
    return address.removeprefix("mailto:").removeprefix("MAILTO:")


def _seconds(at: date) -> float:
    assert isinstance(at, datetime)
    assert at.tzinfo is not None, "a time without a zone is no instant"
    return at.timestamp()


def _of_icalendar(event: icalendar.Event) -> Read:
    return Read(
        _seconds(event.start),
        _seconds(event.end),
        str(event.uid),
        event.sequence,
        str(event.summary),
        _bare(str(event["organizer"])),
    )


def by_icalendar(text: str) -> Read:
    """As the package that also writes our entries reads it."""
    (event,) = icalendar.Calendar.from_ical(text).events
    return _of_icalendar(event)


def by_recurring_ical_events(text: str) -> Read:
    """As programs do that look for what happens between two days."""
    calendar = icalendar.Calendar.from_ical(text)
    begins = calendar.events[0].start
    (event,) = recurring_ical_events.of(calendar).between(begins - timedelta(days=1), begins + timedelta(days=1))
    return _of_icalendar(event)


def by_ics(text: str) -> Read:
    """As ics.py reads it, which knows no SEQUENCE and keeps the line as it is."""
    (event,) = ics.Calendar(text).events
    (sequence,) = [line.value for line in event.extra if line.name == "SEQUENCE"]
    return Read(
        event.begin.timestamp(), event.end.timestamp(), event.uid, int(sequence), event.name, event.organizer.email
    )


def by_vobject(text: str) -> Read:
    """As vobject reads it, which Radicale and others are built on."""
    event = vobject.readOne(text).vevent
    return Read(
        _seconds(event.dtstart.value),
        _seconds(event.dtend.value),
        event.uid.value,
        int(event.sequence.value),
        event.summary.value,
        _bare(event.organizer.value),
    )


IN_PYTHON: Mapping[str, Callable[[str], Read]] = {
    "icalendar": by_icalendar,
    "ics": by_ics,
    "recurring-ical-events": by_recurring_ical_events,
    "vobject": by_vobject,
}


def in_javascript(texts: Sequence[str], folder: Path) -> Mapping[str, list[Read]]:
    """What each program under node reads in each text; the packages are installed in `folder`. Raises NotFound."""
    node, npm = shutil.which("node"), shutil.which("npm")
    if node is None or npm is None:
        raise NotFound("no node, or no npm")
    for file in IN_JAVASCRIPT.iterdir():
        shutil.copy(file, folder)
    got = subprocess.run([npm, "ci", *QUIET], cwd=folder, capture_output=True, text=True, check=False)
    if got.returncode:
        raise NotFound(f"npm ci: {got.stderr.strip()}")
    asked = subprocess.run(
        [node, "read.mjs"],
        cwd=folder,
        input=json.dumps(texts),
        capture_output=True,
        text=True,
        check=True,
        env={**os.environ, "TZ": "America/St_Johns"},
    )
    return {name: [Read(**one) for one in found] for name, found in json.loads(asked.stdout).items()}
