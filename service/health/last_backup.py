"""Describe the last good backup: when it was made, what it has, and whether the second copy is missing."""

from collections.abc import Mapping
from typing import Any, assert_never

from sqlalchemy.orm import Session

from service.backups.making import SecondCopy
from service.config.settings import Clinic, Settings
from service.domain.foundation import job_runs
from service.jobs.make_backup import make_backup
from service.language.formats import Formats
from service.language.translation import gettext as _
from service.language.translation import ngettext
from service.storage.models import JobRun


def judge(session: Session, settings: Settings, state: str, words: str) -> tuple[str, str]:
    """Return the state of backups, and describe the last good one. `state` and `words` are those of the last slot."""
    last = job_runs.latest_done(session, make_backup.__name__)
    if last is None or last.finished_at is None:
        return state, words if state != "ok" else _("none was made yet: %(words)s") % {"words": words}
    outcome, said = last.outcome or {}, last_in_words(last, settings.clinic)
    if state == "never":  # made by hand before the first night
        state = "ok"
    elif state != "ok":
        said = f"{words} · {said}"
    return "late" if state == "ok" and lacks_second(outcome) else state, said


def lacks_second(outcome: Mapping[str, Any]) -> bool:
    """Return whether a backup should have been copied to a second folder but wasn't."""
    return outcome.get("second") in (SecondCopy.MISSING, SecondCopy.FAILED)


def last_in_words(last: JobRun, clinic: Clinic) -> str:
    """Say when a backup was made, and what it has."""
    assert last.finished_at is not None
    formats = Formats(clinic)
    words = {"when": formats.when(last.finished_at), "what": outcome_in_words(last.outcome or {}, formats)}
    return _("last %(when)s, %(what)s") % words


def outcome_in_words(outcome: Mapping[str, Any], formats: Formats) -> str:
    """Say what a backup has, and that it was verified."""
    visits = outcome["visits"]
    words = ngettext("%(num)s appointment", "%(num)s appointments", visits) % {"num": formats.number(visits)}
    parts = [words, size(outcome["bytes"], formats), _("restored in a test: yes")]
    if outcome.get("second"):
        parts.append(_second_in_words(SecondCopy(outcome["second"])))
    return ", ".join(parts)


def _second_in_words(copy: SecondCopy) -> str:
    match copy:
        case SecondCopy.COPIED:
            return _("copied to the second folder")
        case SecondCopy.MISSING:
            return _("the second folder is missing")
        case SecondCopy.FAILED:
            return _("the copy to the second folder failed")
        case never:
            assert_never(never)


def size(number: int, formats: Formats) -> str:
    """Format a size in bytes: `940 kB`, `1.2 MB`."""
    for limit, unit in ((10**9, "GB"), (10**6, "MB")):
        if number >= limit:
            return f"{formats.number(number / limit, 1, 1)} {unit}"
    return f"{formats.number(-(-number // 1000))} kB"
