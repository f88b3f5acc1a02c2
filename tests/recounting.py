"""The figures of a span of time counted again: hand-written SQL on the tables, nothing of the service's own queries."""

from dataclasses import dataclass
from datetime import date, datetime, timedelta
from statistics import median
from typing import Any
from zoneinfo import ZoneInfo

from sqlalchemy import text

from service.storage.models import UtcDateTime
from tests.house import House

SPAN = (
    "a.starts_at >= :start AND a.starts_at < :end AND a.rescheduled_at IS NULL"
    " AND (CAST(:doctor AS BIGINT) IS NULL OR a.doctor_id = :doctor)"
)
ENDED = f"""
SELECT count(*) AS visits,
  count(CASE WHEN a.status = 'completed' THEN 1 END) AS completed,
  count(CASE WHEN a.status = 'no_show' THEN 1 END) AS no_show,
  count(CASE WHEN a.status = 'cancelled' THEN 1 END) AS cancelled,
  count(CASE WHEN a.status = 'cancelled' AND a.cancelled_late THEN 1 END) AS late,
  count(CASE WHEN a.status IN ('booked', 'arrived') THEN 1 END) AS to_complete,
  count(CASE WHEN a.status = 'booked' THEN 1 END) AS booked,
  count(CASE WHEN a.status = 'arrived' THEN 1 END) AS arrived,
  count(DISTINCT CASE WHEN a.status = 'completed' THEN a.patient_id END) AS patients_seen
FROM appointments a WHERE {SPAN}
"""
FIRST_TIME = f"""
SELECT count(DISTINCT a.patient_id) FROM appointments a WHERE {SPAN} AND a.status IN (STATUSES) AND NOT EXISTS (
  SELECT 1 FROM appointments b WHERE b.patient_id = a.patient_id AND b.status = 'completed' AND b.starts_at < :start
  AND (CAST(:doctor AS BIGINT) IS NULL OR b.doctor_id = :doctor))
"""
EVERYBODY = f"SELECT count(DISTINCT a.patient_id) FROM appointments a WHERE {SPAN} AND a.status IN (STATUSES)"
MINUTES = {
    True: f"SELECT sum((julianday(a.ends_at) - julianday(a.starts_at)) * 1440) FROM appointments a WHERE {SPAN}",
    False: f"SELECT sum(extract(epoch FROM a.ends_at - a.starts_at)) / 60 FROM appointments a WHERE {SPAN}",
}
TIMES = f"SELECT a.starts_at, a.created_at FROM appointments a WHERE {SPAN} AND a.status <> 'cancelled'"
UNFINISHED = f"""
SELECT a.id, CASE WHEN a.status = 'completed' THEN 'note' ELSE 'outcome' END
FROM appointments a LEFT JOIN treatments t ON t.appointment_id = a.id
WHERE {SPAN} AND (a.status IN ('booked', 'arrived') OR (a.status = 'completed' AND t.id IS NULL))
ORDER BY a.starts_at, a.id
"""
WEEK = "SELECT weekday, starts, ends FROM doctor_hours WHERE doctor_id = :doctor"


@dataclass(frozen=True)
class Recount:
    """The appointments between two instants, of the clinic or of one doctor."""

    house: House
    start: datetime
    end: datetime
    doctor: int | None = None

    def ended(self) -> dict[str, Any]:
        """How the appointments ended, with the two rates."""
        found = dict(self._rows(ENDED)[0]._mapping)
        return {
            **found,
            "no_show_rate": _rate(found["no_show"], found["completed"] + found["no_show"]),
            "late_rate": _rate(found["late"], found["completed"] + found["no_show"] + found["late"]),
        }

    def patients(self, *statuses: str) -> dict[str, int]:
        """New and returning patients."""
        among = ", ".join(f"'{status}'" for status in statuses)
        new, everybody = (self._rows(query.replace("STATUSES", among))[0][0] for query in (FIRST_TIME, EVERYBODY))
        return {"new": new, "returning": everybody - new}

    def minutes(self, *, but: str = "'cancelled'") -> int:
        """How long the appointments took, without those that stand like this."""
        query = MINUTES[self.house.wiring.database.is_sqlite]
        return round(self._rows(f"{query} AND a.status NOT IN ({but})")[0][0] or 0)

    def times(self, zone: ZoneInfo) -> dict[str, Any]:
        """When the appointments were that were not canceled, and how long before they were booked."""
        rows = self._rows(TIMES, starts_at=UtcDateTime(), created_at=UtcDateTime())
        local = [row.starts_at.astimezone(zone) for row in rows]
        leads = [row.starts_at - row.created_at for row in rows if row.created_at <= row.starts_at]
        return {
            "weekdays": [sum(at.weekday() == day for at in local) for day in range(7)],
            "hours": [sum(at.hour == hour for at in local) for hour in range(24)],
            "lead_days": round(median(leads) / timedelta(days=1), 1) if leads else None,
        }

    def unfinished(self) -> list[tuple[int, str]]:
        """The appointments without an outcome or a note: id, and which is missing."""
        return [(row[0], row[1]) for row in self._rows(UNFINISHED)]

    def all_of_a_report(self, zone: ZoneInfo) -> dict[str, Any]:
        """Every figure of a month's report but the hours open."""
        ended = {key: number for key, number in self.ended().items() if key not in ("booked", "arrived")}
        return {
            **ended,
            **self.patients("completed"),
            **self.times(zone),
            "booked_minutes": self.minutes(),
        }

    def _rows(self, query: str, **types: Any) -> Any:
        def bound(at: datetime) -> Any:
            return f"{at:%Y-%m-%d %H:%M:%S.%f}" if self.house.wiring.database.is_sqlite else at

        values = {"start": bound(self.start), "end": bound(self.end), "doctor": self.doctor}
        with self.house.reading() as session:
            return session.execute(text(query).columns(**types) if types else text(query), values).all()


def hours_open(house: House, doctor: int | None, first: date, last: date) -> int:
    """The minutes of a doctor's weekly hours between two days, without exceptions and changes of the clock."""
    with house.reading() as session:
        week = session.execute(text(WEEK), {"doctor": doctor}).all()
    minutes = 0
    for count in range((last - first).days + 1):
        for weekday, starts, ends in week:
            if (first + timedelta(days=count)).weekday() == weekday:
                minutes += ends - starts
    return minutes


def _rate(part: int, whole: int) -> float | None:
    return round(100 * part / whole, 1) if whole else None
