"""A stored report as its templates want it: times written out, lines of its tables, what to compare with what.

The lines of a table are tuples in the order of its columns: a month of a busy doctor has thousands of them.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import date, datetime, time
from typing import Any

from service import clock
from service.config.settings import Clinic
from service.domain.reports.contents import ClinicContent, Content, DoctorContent, Lacking
from service.domain.reports.report_kinds import AnyReport
from service.language.formats import Formats
from service.language.rendering import one_line
from service.language.translation import gettext as _
from service.storage.models import AppointmentStatus, ClinicReport, Report


def of_doctor(report: Report, content: DoctorContent, clinic: Clinic) -> dict[str, Any]:
    """A doctor's report; `content` is what its reader may see of it, or of what it was before it was made again."""
    moment = _moments(Formats(clinic))
    kinds, lacking = _states(), {Lacking.OUTCOME: _("no outcome"), Lacking.NOTE: _("no note")}
    return {
        "month": clock.first_of_month(report.month),
        "doctor_name": content["doctor_name"],
        "department": content["department"],
        "here_from": _day(content.get("here_from")),
        "here_until": _day(content.get("here_until")),
        "figures": _figures(report.month, content, Formats(clinic)),
        "unfinished": [
            (row["appointment_id"], moment(row["starts_at"]), one_line(row["patient_name"]), lacking[row["lacks"]])
            for row in content.get("unfinished", ())
        ],
        "outcomes": [(kinds[key], number) for key, number in content["outcomes"].items()],
        "visits": [
            (
                moment(row["starts_at"]),
                one_line(row["patient_name"]),
                row.get("visit_type", ""),
                one_line(row.get("reason") or ""),
                _("Canceled late") if row.get("late") else kinds[row["status"]],
            )
            for row in content["visits"]
        ],
        "clinical": "treatments" in content,
        "treatments": [
            (
                moment(row["starts_at"]),
                one_line(row["patient_name"]),
                row["visit_type"],
                row["diagnosis"],
                row["treatment"],
            )
            for row in content.get("treatments", ())
        ],
    }


def of_clinic(report: ClinicReport, content: ClinicContent, clinic: Clinic) -> dict[str, Any]:
    """The clinic's report."""
    return {
        "month": clock.first_of_month(report.month),
        "figures": _figures(report.month, content, Formats(clinic)),
        "doctors": content["doctors"],
        "departments": content["departments"],
        "unfinished_count": sum(row["unfinished"] for row in content["doctors"]),
    }


def _states() -> dict[str, str]:
    return {
        AppointmentStatus.BOOKED: _("Booked"),
        AppointmentStatus.ARRIVED: _("Arrived"),
        AppointmentStatus.COMPLETED: _("Completed"),
        AppointmentStatus.NO_SHOW: _("No-show"),
        AppointmentStatus.CANCELLED: _("Canceled"),
        "to_complete": _("No outcome yet"),
    }


def _moments(formats: Formats) -> Callable[[str], str]:
    """Writes a stored instant: `Mon, Nov 23, 10:30 AM`."""
    return lambda stored: formats.when_in_year(datetime.fromisoformat(stored))


def _figures(month: str, content: Content, formats: Formats) -> dict[str, Any] | None:
    """The figures with the months beside them; None for a report of the time before there were any."""
    if "figures" not in content:
        return None
    figures = content["figures"]
    months: list[Mapping[str, Any]] = [{"month": month, **figures}, *content["compared"]]
    longest = max(row["visits"] for row in months)
    return {
        **figures,
        "months": [
            {**row, "month": clock.first_of_month(row["month"]), "bar": _shares(row, longest)} for row in months
        ],
        "weekdays": [(formats.weekday(day, short=True), figures["weekdays"][day]) for day in formats.week],
        "hours": [(formats.hour(hour), figures["hours"][hour]) for hour in shown_hours(figures["hours"])],
        "busiest_weekday": _busiest(figures["weekdays"], {day: formats.weekday(day) for day in range(7)}),
        "busiest_hour": _busiest(figures["hours"], {hour: formats.time(time(hour)) for hour in range(24)}),
        "full": percent(figures["booked_minutes"], figures["open_minutes"]),
    }


def _shares(row: Mapping[str, Any], longest: int) -> list[tuple[str, float, float]]:
    """The stretches of a month's bar in hundredths of the longest one: what, from where, how wide."""
    found, start = [], 0.0
    for key in ("completed", "to_complete", "no_show", "cancelled"):
        width = 100 * row[key] / longest if longest else 0.0
        if width:
            found.append((key, round(start, 2), round(width, 2)))
        start += width
    return found


def shown_hours(counts: Sequence[int]) -> range:
    """From the first to the last hour in which anything was; nothing for none."""
    busy = [hour for hour, count in enumerate(counts) if count]
    return range(busy[0], busy[-1] + 1) if busy else range(0)


def _busiest(counts: Sequence[int], names: Mapping[int, str]) -> tuple[str, int] | None:
    """The name and the count of the most; the first of several."""
    most = max(counts)
    return (names[counts.index(most)], most) if most else None


def percent(part: int, whole: int) -> int | None:
    """A share in whole hundredths; None of nothing."""
    return round(100 * part / whole) if whole else None


def _day(stored: str | None) -> date | None:
    return date.fromisoformat(stored) if stored else None


def lines(reports: Iterable[Report], whole: Mapping[str, ClinicReport], before: str | None) -> list[dict[str, Any]]:
    """The archive's lines: above the first report of each month, the clinic's of that month."""
    found: list[dict[str, Any]] = []
    month = before
    for report in reports:
        if report.month != month and report.month in whole:
            found.append(_line(whole[report.month], None))
        month = report.month
        found.append(_line(report, report.doctor.name))
    return found


def _line(report: AnyReport, doctor_name: str | None) -> dict[str, Any]:
    return {
        "id": report.id,
        "month": clock.first_of_month(report.month),
        "doctor_name": doctor_name,
        "visits": report.visits,
        "created_at": report.created_at,
    }
