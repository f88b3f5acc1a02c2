"""All reports of a month in a fresh process: `python -m bench.twins.report_round ours|bare FOLDER MONTH` prints JSON.

ours: each doctor's report and the clinic's are counted, stored, read again and written as the file that is downloaded.
bare: the same rows and counts by plain queries, the rows through a Jinja template that is nothing but two loops.
"""

import json
import sqlite3
import sys
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path
from time import perf_counter

from jinja2 import Environment
from sqlalchemy import select
from sqlalchemy.orm import undefer

from bench.data.clinics import Clinic
from bench.service import memory
from service import clock
from service.config.settings import Settings, load
from service.domain.reports import clinic_reports, contents, reports
from service.domain.reports.report_kinds import Kind
from service.storage.database import Database
from service.storage.models import ClinicReport, Report
from service.web.reports import report_pages, report_views

QUERY = """
SELECT a.starts_at, p.name, v.name, a.reason, a.status, t.id, t.visit_type, t.diagnosis, t.treatment
FROM appointments a
JOIN patients p ON p.id = a.patient_id
LEFT JOIN visit_types v ON v.id = a.visit_type_id
LEFT JOIN treatments t ON t.appointment_id = a.id
WHERE a.doctor_id = ? AND a.starts_at >= ? AND a.starts_at < ?
ORDER BY a.starts_at, a.id
"""
NOTHING = "2001-01"
ENDED = """
SELECT status, cancelled_late, count(*) FROM appointments
WHERE {whose} starts_at >= :start AND starts_at < :end AND rescheduled_at IS NULL GROUP BY status, cancelled_late
"""
NEW = """
SELECT count(*), sum(EXISTS (
  SELECT 1 FROM appointments b
  WHERE b.patient_id = c.patient_id AND {whose_before} +b.status = 'completed' AND b.starts_at < :start
)) FROM (
  SELECT DISTINCT patient_id FROM appointments
  WHERE {whose} starts_at >= :start AND starts_at < :end AND +status = 'completed' ORDER BY patient_id
) c
"""
WHOLE = """
SELECT a.doctor_id, a.status, a.cancelled_late, t.id IS NULL, count(*), count(DISTINCT a.patient_id),
  sum(strftime('%s', a.ends_at) - strftime('%s', a.starts_at))
FROM appointments a LEFT JOIN treatments t ON t.appointment_id = a.id
WHERE a.starts_at >= :start AND a.starts_at < :end AND a.rescheduled_at IS NULL GROUP BY 1, 2, 3, 4
"""
TEMPLATE = """<table>{% for starts_at, name, type, reason, status, id, of, diagnosis, treatment in rows %}
<tr><td>{{ starts_at }}</td><td>{{ name }}</td><td>{{ type }}</td><td>{{ reason }}</td><td>{{ status }}</td></tr>
{%- endfor %}</table>
<table>{% for starts_at, name, type, reason, status, id, of, diagnosis, treatment in rows if id %}
<tr><td>{{ starts_at }}</td><td>{{ name }}</td><td>{{ of }}</td><td>{{ diagnosis }}</td><td>{{ treatment }}</td></tr>
{%- endfor %}</table>"""


def ours(settings: Settings, database: Database, month: str, doctors: Sequence[int]) -> int:
    """The service's own way; returns how many bytes were written."""
    zone = settings.clinic.zone
    for doctor_id in doctors:
        with database.reading() as session:
            content = reports.produce(session, doctor_id, month, zone)
        with database.transaction() as session:
            reports.store(session, doctor_id, month, content)
    with database.reading() as session:
        whole_content = clinic_reports.produce(session, month, zone)
    with database.transaction() as session:
        clinic_reports.store(session, month, whole_content)
    written = 0
    for doctor_id in doctors:
        with database.reading() as session:
            query = select(Report).options(undefer(Report.content))
            row = session.scalars(query.where(Report.doctor_id == doctor_id, Report.month == month)).one()
            view = report_views.of_doctor(row, contents.of_doctor(row), settings.clinic)
            written += len(report_pages.standing_alone(Kind.DOCTOR, view, settings.clinic, made_at=row.created_at))
    with database.reading() as session:
        whole = session.scalars(
            select(ClinicReport).options(undefer(ClinicReport.content)).where(ClinicReport.month == month)
        ).one()
        view = report_views.of_clinic(whole, contents.of_clinic(whole), settings.clinic)
        written += len(report_pages.standing_alone(Kind.CLINIC, view, settings.clinic, made_at=whole.created_at))
    return written


def bare(settings: Settings, file: Path, month: str) -> int:
    """The yardstick; returns how many bytes were written."""
    template = Environment(autoescape=True).from_string(TEMPLATE)
    first, zone = clock.first_of_month(month), settings.clinic.zone
    before, year = (f"{day:%Y-%m}" for day in (clock.previous_month(first), first.replace(year=first.year - 1)))
    spans = [
        {"start": f"{start:%Y-%m-%d %H:%M:%S.%f}", "end": f"{end:%Y-%m-%d %H:%M:%S.%f}"}
        for start, end in (clock.month_bounds(name, zone) for name in (month, before, year))
    ]
    written = 0
    with closing(sqlite3.connect(file)) as connection:

        def count(query: str, span: dict[str, str], doctor: int | None) -> None:
            names = ("doctor_id = :doctor AND", "+b.doctor_id = :doctor AND") if doctor else ("", "")
            text = query.format(whose=names[0], whose_before=names[1])
            connection.execute(text, {**span, "doctor": doctor} if doctor else span).fetchall()

        for doctor in [None, *(row[0] for row in connection.execute("SELECT id FROM doctors").fetchall())]:
            count(NEW, spans[0], doctor)
            for span in spans:
                count(ENDED, span, doctor)
            if doctor:
                rows = connection.execute(QUERY, (doctor, spans[0]["start"], spans[0]["end"])).fetchall()
                written += len(template.render(rows=rows))
        connection.execute(WHOLE, spans[0]).fetchall()
    return written


def forget(file: Path, month: str) -> None:
    """Let the month have no reports."""
    with closing(sqlite3.connect(file)) as connection, connection:
        for table in ("reports", "clinic_reports"):
            connection.execute(f"DELETE FROM {table} WHERE month = ?", (month,))


def _warm_up(settings: Settings, database: Database, file: Path) -> None:
    """What a service that has made a report before does not do again; both have a month in which nothing was."""
    ours(settings, database, NOTHING, [1])
    bare(settings, file, NOTHING)
    forget(file, NOTHING)


def main() -> None:
    """Do one round; the idle memory is that of the process with everything imported and every template compiled."""
    kind, clinic, month = sys.argv[1], Clinic(Path(sys.argv[2])), sys.argv[3]
    settings = load(clinic.config)
    database = Database(settings.database_url)
    if kind == "ours":
        forget(clinic.database, month)
    with database.reading() as session:
        doctors, _made = reports.missing(session, month, settings.clinic.zone)
    _warm_up(settings, database, clinic.database)
    idle = memory.resident()
    memory.forget_peak()
    start = perf_counter()
    written = ours(settings, database, month, doctors) if kind == "ours" else bare(settings, clinic.database, month)
    seconds = perf_counter() - start
    print(json.dumps({"bytes": written, "seconds": seconds, "over_idle": memory.peak() - idle}))


if __name__ == "__main__":
    main()
