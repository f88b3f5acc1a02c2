"""The local time of an appointment, as the patient was told; its UTC instant is derived from it.

When time zone rules change by law, or a clinic corrects its zone, the local time stays and the instant is derived
again (domain/clinic/zone_changes.py).
"""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Self, TypedDict
from zoneinfo import ZoneInfo

from sqlalchemy import ColumnElement, func, select, update
from sqlalchemy.orm import Session

from service.domain.foundation.zone_rules import ZoneRules
from service.storage.models import Appointment

FORMAT = "%Y-%m-%dT%H:%M"


class Columns(TypedDict):
    """The columns of an appointment that hold its local time."""

    local_start: str
    local_fold: int
    zone: str


@dataclass(frozen=True)
class Promise:
    """A time on the wall clock of a zone."""

    local_start: str
    """`YYYY-MM-DDTHH:MM`."""
    local_fold: int
    """1 for the second occurrence of a time that clocks repeat, else 0."""
    zone: str

    @classmethod
    def of(cls, instant: datetime, zone: ZoneInfo) -> Self:
        """Return the local time in `zone` at an instant."""
        wall = instant.astimezone(zone)
        return cls(f"{wall:{FORMAT}}", wall.fold, zone.key)

    def instant(self, zone: ZoneInfo) -> datetime | None:
        """Return the UTC instant of this local time in `zone`, or None if clocks skip it.

        If the time no longer occurs twice, `local_fold` has no effect.
        """
        wall = datetime.fromisoformat(self.local_start).replace(tzinfo=zone, fold=self.local_fold)
        found = wall.astimezone(UTC)
        return found if found.astimezone(zone).replace(tzinfo=None) == wall.replace(tzinfo=None) else None

    def columns(self) -> Columns:
        """Return the values to store."""
        return {"local_start": self.local_start, "local_fold": self.local_fold, "zone": self.zone}


def fill_in(session: Session, zone: ZoneInfo, scope: ColumnElement[bool]) -> None:
    """Set the local time of all appointments in `scope` from their instants and the rules of `zone`.

    Python finds the UTC offsets and the database adds them, so a million rows take seconds.
    """
    first, last = session.execute(
        select(func.min(Appointment.starts_at), func.max(Appointment.starts_at)).where(scope)
    ).one()
    if first is None:
        return
    read_by(session, ZoneRules.between(zone.key, zone, first, last + timedelta(seconds=1)), scope)


def read_by(session: Session, rules: ZoneRules, scope: ColumnElement[bool]) -> None:
    """Set the local times by the given rules of a zone, for the period they cover."""
    is_sqlite = session.get_bind().dialect.name == "sqlite"
    for start, end, ahead, fold in rules.stretches():
        local = _local_text(is_sqlite, ahead)
        session.execute(
            update(Appointment)
            .where(scope, Appointment.starts_at >= start, Appointment.starts_at < end)
            .values(local_start=local, local_fold=fold, zone=rules.zone)
            .execution_options(synchronize_session=False)
        )


def _local_text(is_sqlite: bool, ahead: timedelta) -> ColumnElement[str]:
    seconds = int(ahead.total_seconds())
    if is_sqlite:
        return func.strftime(FORMAT, Appointment.starts_at, f"{seconds:+} seconds")
    utc = func.timezone("UTC", Appointment.starts_at)
    return func.to_char(utc + timedelta(seconds=seconds), 'YYYY-MM-DD"T"HH24:MI')
