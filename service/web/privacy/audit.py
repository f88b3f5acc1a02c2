"""The audit as the admin reads it: by period, person and patient, in any order, and as a file."""

import io
from datetime import timedelta
from typing import Any

from flask import Blueprint, redirect, render_template, request, send_file, url_for
from flask.typing import ResponseReturnValue

from service import clock
from service.domain.foundation import audit
from service.domain.foundation.errors import NotFound
from service.domain.patients import emergency_access
from service.domain.privacy import access_grants, audit_log
from service.http import context
from service.language.translation import gettext as _
from service.web.date_fields import AskedDay, asked_day
from service.web.local_times import row_id_of
from service.web.privacy import audit_words

blueprint = Blueprint("audit", __name__)

USUAL_DAYS = 7
LONGEST = 200
PAGES_OF = {
    "appointment": "appointments.show",
    "report": "reports.show",
    "user": "users.show",
    "doctor": "doctors.show",
}
"""Kinds of rows that have a page, and whose id stands in the path under the kind's name."""


@blueprint.get("/audit")
def index() -> ResponseReturnValue:
    """The entries of a period (`?from=&until=`, the last week without), of a person, about a patient, sorted."""
    actor, session = context.actor(), context.reading()
    number = _page_number()
    since, until = _days()
    rows, more = audit_log.page(session, actor, _wanted(), number)
    page = render_template(
        "privacy/audit/list.html",
        asked=_asked(),
        since=since,
        until=until,
        columns=_columns(),
        entries=[_shown(row) for row in rows],
        number=number,
        newer_url=_url(page=number - 1) if number > 1 else None,
        older_url=_url(page=number + 1) if more else None,
        file_url=_url("audit.file"),
        emergency_accesses=emergency_access.unseen(session, actor),
        grants=[(grant, audit_words.act(grant.act)) for grant in access_grants.unseen(session, actor)],
        now=clock.now().astimezone(context.wiring().settings.clinic.zone),
    )
    return page, 400 if since.error or until.error else 200


@blueprint.get("/audit/file")
def file() -> ResponseReturnValue:
    """The same entries, all of them, as a CSV file; that someone took it is on record."""
    actor = context.actor()
    if any(asked.error for asked in _days()):
        return index()
    text = io.StringIO(newline="")
    audit_log.write_csv(context.reading(), actor, _wanted(), text)
    with context.transaction() as session:
        audit.record(session, actor, "audit.download")
    day = clock.today(context.wiring().settings.clinic.zone)
    made = io.BytesIO(text.getvalue().encode())
    return send_file(made, mimetype="text/csv", as_attachment=True, download_name=f"audit-{day}.csv", max_age=0)


@blueprint.post("/access-grants/<row_id:entry_id>/review")
def mark_grants_seen(entry_id: int) -> ResponseReturnValue:
    """The admin has looked at who was given access, up to this entry."""
    with context.transaction() as session:
        access_grants.mark_seen(session, context.actor(), entry_id)
    return redirect(url_for("audit.index"), 303)


def _days() -> tuple[AskedDay, AskedDay]:
    until = asked_day("until")
    return asked_day("from", until.day - timedelta(days=USUAL_DAYS - 1)), until


def _text(name: str) -> str:
    return request.args.get(name, "").replace("\0", " ").strip()[:LONGEST]


def _asked() -> dict[str, str]:
    """What the form and the links of the page carry on."""
    since, until = _days()
    sort, order = request.args.get("sort", "at"), request.args.get("order", "")
    if sort not in audit_log.SORTS or order not in ("", "asc", "desc"):
        raise NotFound
    return {
        "from": since.day.isoformat(),
        "until": until.day.isoformat(),
        "person": _text("person"),
        "patient": _text("patient"),
        "sort": sort,
        "order": order or ("desc" if sort == "at" else "asc"),
    }


def _wanted() -> audit_log.Wanted:
    asked, zone, (since, until) = _asked(), context.wiring().settings.clinic.zone, _days()
    return audit_log.Wanted(
        since=clock.day_bounds(since.day, zone)[0],
        until=clock.day_bounds(until.day, zone)[1],
        date_order=context.formats().order,
        person=asked["person"],
        patient=asked["patient"],
        sort=asked["sort"],
        descending=asked["order"] == "desc",
    )


def _page_number() -> int:
    number = row_id_of(request.args.get("page", "1"))
    if number is None or number > 10_000:
        raise NotFound
    return number


def _url(endpoint: str = "audit.index", **more: Any) -> str:
    return url_for(endpoint, **{name: value for name, value in {**_asked(), **more}.items() if value})


def _columns() -> list[dict[str, Any]]:
    """The heads of the table: each sorts by its column, the one in use the other way round."""
    asked = _asked()
    titles = {
        "at": _("Date and time"),
        "person": _("User"),
        "role": _("Role"),
        "act": _("Action"),
        "patient": _("Patient"),
        "subject": _("Object"),
        "address": _("IP address"),
    }
    columns = []
    for name, title in titles.items():
        sorted_here = asked["sort"] == name
        order = ("asc" if asked["order"] == "desc" else "desc") if sorted_here else ("desc" if name == "at" else "asc")
        columns.append(
            {
                "title": title,
                "url": _url(sort=name, order=order),
                "sorted": {"asc": "ascending", "desc": "descending"}[asked["order"]] if sorted_here else None,
            }
        )
    return columns


def _shown(row: Any) -> dict[str, Any]:
    changes = audit_log.shown_changes(row) or {}
    return {
        "id": row.id,
        "at": row.at,
        "user_id": row.user_id,
        "person": row.person,
        "role": row.role,
        "words": audit_words.act(row.act, of_everybody=row.patient_id is None),
        "patient_id": row.patient_id,
        "patient": row.patient,
        "subject": row.subject,
        "subject_url": _page_of(row.subject),
        "address": row.address,
        "changes": [{"field": audit_words.field(name), "pair": pair} for name, pair in changes.items()],
    }


def _page_of(subject: str | None) -> str | None:
    kind, _sep, number = (subject or "").partition("/")
    row = row_id_of(number)
    if kind not in PAGES_OF or row is None:
        return None
    place: dict[str, Any] = {f"{kind}_id": row}
    return url_for(PAGES_OF[kind], **place)
