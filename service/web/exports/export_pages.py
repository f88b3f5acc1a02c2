"""What the pages of a patient's export and of the whole clinic's share: how one is shown, taken away."""

from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime

from service.domain.exports import export_files, exports
from service.domain.exports.export_formats import FORMATS
from service.http import context
from service.language.translation import gettext as _
from service.language.translation import ngettext
from service.storage.models import Export, ExportFormat, ExportStatus


@dataclass(frozen=True)
class Shown:
    """An export as its page shows it."""

    id: str
    status: ExportStatus
    is_unfinished: bool
    patient_id: int | None
    format: ExportFormat
    visits: bool
    messages: bool
    what: str
    """Describe the file."""
    rows_done: int
    rows_total: int
    percent: int
    left: str | None
    ahead: int
    created_at: datetime
    expires_at: datetime | None
    revoked_at: datetime | None
    downloads: int
    downloaded_at: datetime | None
    last_error: str | None


def shown(export: Export) -> Shown:
    """The export for its page; one that waits is told how many are ahead."""
    seconds = exports.seconds_left(export)
    return Shown(
        id=export.id,
        status=exports.state(export),
        is_unfinished=export.is_unfinished,
        patient_id=export.patient_id,
        format=export.format,
        visits=export.with_visits,
        messages=export.with_messages,
        what=" · ".join(map(str, _what(export))),
        rows_done=export.rows_done,
        rows_total=export.rows_total,
        percent=100 * export.rows_done // export.rows_total if export.rows_total else 0,
        left=_left(seconds) if seconds is not None else None,
        ahead=exports.ahead(context.reading(), export),
        created_at=export.created_at,
        expires_at=export.expires_at,
        revoked_at=export.revoked_at,
        downloads=export.downloads,
        downloaded_at=export.downloaded_at,
        last_error=export.last_error,
    )


def take_away(export_id: str) -> None:
    """Revoke an export, then remove its file; what cannot be removed now goes with the next clean-up."""
    with context.transaction() as session:
        export = exports.revoke(session, context.actor(), export_id)
    with suppress(OSError):
        export_files.file_of(context.wiring().settings.histories, export.id, export.format).unlink(missing_ok=True)


def _what(export: Export) -> Iterator[str]:
    if export.patient_id is None:
        yield _("All tables, as CSV and JSON in one zip")
        return
    yield FORMATS[export.format].holds
    if export.with_visits and export.with_messages:
        yield _("with appointments and messages")
    elif export.with_visits or export.with_messages:
        yield _("with appointments") if export.with_visits else _("with messages")


def _left(seconds: int) -> str:
    """Describe an estimate without false precision."""
    if seconds < 10:
        return _("a few seconds left")
    if seconds < 60:
        return _("about %(num)s seconds left") % {"num": round(seconds, -1) or 10}
    minutes = round(seconds / 60)
    return ngettext("about %(num)s minute left", "about %(num)s minutes left", minutes) % {"num": minutes}
