"""A walk over all that the clinic shows: each field of Pia's holds its own word, and we see where that comes out."""

import io
import re
import zipfile
from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import replace
from datetime import timedelta

from sqlalchemy import delete, select
from sqlalchemy.orm import Session
from werkzeug.exceptions import HTTPException
from werkzeug.test import TestResponse

from service.domain.accounts import api_tokens, guardians
from service.domain.accounts.api_tokens import Scope
from service.domain.exports import exports
from service.domain.exports.export_formats import Contents
from service.domain.foundation import audit
from service.domain.foundation.actor import SYSTEM
from service.domain.outbox import message_rules, outbox
from service.storage.models import (
    Appointment,
    Base,
    Channel,
    ConsentChange,
    ConsentVia,
    EmergencyAccess,
    Export,
    ExportFormat,
    Guardian,
    LegalHold,
    Message,
    Patient,
    Report,
    ReportVersion,
    Treatment,
    TreatmentVersion,
    User,
    WaitlistEntry,
)
from tests.api.routes import API
from tests.house import HASH, Browser, at
from tests.trust.fields import MARKS, SURFACES, Surface
from tests.web import mail
from tests.web.frozen_clinic import NOBODY, VISITORS, Clinic, clinic_exported, email, reported
from tests.web.pages import pages_of
from tests.web.routes import ROUTES, Expected

Found = Mapping[str, frozenset[Surface]]
"""Field -> the surfaces on which it was seen."""

ACTS = {
    "patient.change": "audit_details.changes:phone",
    "patient.alerts": "audit_details.changes:allergies",
    "treatment.correct": "audit_details.changes:diagnosis",
}
"""Acts that keep what stood in a field before."""
GUARDIANS: Mapping[str, timedelta | None] = {"new guardian": timedelta(hours=24), "guardian": None}
"""Pia's other guardians, and how long they still have to wait."""


def prepare(clinic: Clinic) -> Clinic:
    """Put each field's word into a row of Pia's, and make again what was made from these rows."""
    house, pia, admin = clinic.house, clinic.pia, clinic.people["admin"]
    with house.writing() as session:
        session.execute(delete(Message).where(Message.rule == "report_ready"))
        session.execute(delete(Report))
        session.execute(delete(Export).where(Export.patient_id.is_(None)))
        for table, key in ((Patient, pia), (Treatment, clinic.treatment), (Appointment, clinic.begun)):
            _fill(session.get_one(table, key))
        _fill(session.get_one(Message, clinic.message))
        _fill(session.get_one(WaitlistEntry, clinic.waiting))
        _fill(session.get_one(EmergencyAccess, clinic.emergency))
        _fill(session.get_one(LegalHold, clinic.hold))
        _fill(session.get_one(User, clinic.people["patient"].user_id))
        consent = ConsentChange(patient_id=pia, channel=Channel.EMAIL, allowed=True, via=ConsentVia.DESK)
        consent.address, consent.changed_at = MARKS["consent_changes.address"].value, at("2026-05-01 07:00")
        session.add(consent)
        version = TreatmentVersion(treatment_id=clinic.treatment, version=1, replaced_at=at("2026-05-01 07:00"))
        version.fields = {"diagnosis": MARKS["treatment_versions.fields"].value}
        session.add(version)
        for act, field in ACTS.items():
            changes = {field.partition(":")[2]: [MARKS[field].value, None]}
            audit.record(session, clinic.people["doctor"], act, patient_id=pia, changes=changes)
    doctor = clinic.people["doctor"].doctor_id
    report = reported(house, doctor, "2026-04")
    _keep_a_version(clinic, report)
    contents = Contents(ExportFormat.JSON, visits=True, messages=True)
    with house.writing() as session:
        export = exports.request(session, clinic.people["patient"], pia, contents).id
        _link_guardians(clinic, session)
    house.export(export)
    this_month = reported(house, doctor, "2026-05")
    all_data = clinic_exported(house, admin)
    return replace(clinic, export=export, report=report, other_report=this_month, clinic_export=all_data)


def _fill(row: Base) -> None:
    for field, mark in MARKS.items():
        table, _dot, column = field.partition(".")
        if table == row.__tablename__:
            setattr(row, column, mark.value)


def _keep_a_version(clinic: Clinic, report: int) -> None:
    """The report was made again once, for the reason that the table has for it."""
    with clinic.house.writing() as session:
        row = session.get_one(Report, report)
        session.add(
            ReportVersion(
                doctor_id=row.doctor_id,
                month=row.month,
                content=row.content,
                created_at=row.created_at,
                replaced_at=row.created_at,
                reason=MARKS["report_versions.reason"].value,
            )
        )


def _link_guardians(clinic: Clinic, session: Session) -> None:
    """Two more accounts look after Pia: one that still waits, one whose time is over."""
    for who, wait in GUARDIANS.items():
        desk = clinic.people["receptionist"]
        user, _new = guardians.link(session, desk, clinic.pia, email=email(who), name="Aunt May", wait_hours=24)
        user.password_hash = HASH
        if wait is None:
            session.get_one(Guardian, (user.id, clinic.pia)).clinical_from = None


def of_browser(clinic: Clinic, visitor: str) -> Found:
    """What a visitor sees on pages and in files."""
    browser = clinic.browser(visitor) if visitor in VISITORS else clinic.house.browser(email(visitor))
    return gathered((_surface(clinic, path, answer), text(answer)) for path, answer in _pages(clinic, browser))


def of_links(clinic: Clinic) -> Found:
    """What someone sees who holds the links of a message."""
    browser = clinic.browser(NOBODY)
    paths = [one.at(clinic.ids()) for one in ROUTES.values() if "GET" in one.answers and "_token}" in one.path]
    answers = ((path, browser.get(path)) for path in paths)
    return gathered((_surface(clinic, path, answer), text(answer)) for path, answer in answers)


def of_program(clinic: Clinic, who: str) -> Found:
    """What a program sees that acts as one of the clinic's people: answers to good and to bad requests."""
    person, _comma, narrow = who.partition(", ")
    scopes = [Scope.READ] if narrow else list(Scope)
    with clinic.house.writing() as session:
        address = MARKS["users.email"].value if person == "patient" else email(person)
        user = session.scalars(select(User).where(User.email == address)).one()
        token = api_tokens.make(session, SYSTEM, user, label="Web site", scopes=scopes, days=30)
    client, headers = clinic.house.app.test_client(), {"Authorization": f"Bearer {token}"}
    answers, ids = [], {**clinic.ids(), "past": clinic.past}
    for one in API.values():
        path = f"/api/v1{one.at(ids)}"
        body: dict[str, str] | None = None if one.method == "GET" else {}
        answers.append(client.open(path, method=one.method, json=body, headers=headers, buffered=True))
    return gathered((Surface.ERROR if answer.status_code >= 400 else Surface.API, text(answer)) for answer in answers)


def of_mailbox(clinic: Clinic) -> Found:
    """What someone reads in the letters to Pia."""
    with clinic.house.writing() as session:
        visit = session.get_one(Appointment, clinic.later)
        for rule in message_rules.RULES.values():
            if rule.still and not rule.says & {"times", "old_date"}:
                outbox.about_visit(session, rule.name, visit, event="test")
        for rule in message_rules.RULES.values():
            if rule.is_notice:
                outbox.notice(session, rule.name, clinic.pia, event="test")
    letters = mail.letters(clinic)
    assert len(letters) > len(message_rules.RULES) // 2
    seen = [(Surface.MESSAGE, letter.subject + letter.body + letter.html) for letter in letters]
    seen += [(Surface.CALENDAR, str(file.content)) for letter in letters for file in letter.attachments]
    return gathered(iter(seen))


def gathered(seen: Iterator[tuple[Surface, str]]) -> Found:
    """Field -> surfaces, from texts that came back on a surface each."""
    found = defaultdict(set)
    for surface, said in seen:
        plain = re.sub(r"\s|&nbsp;", "", said)
        for name, mark in MARKS.items():
            if any(re.sub(r"\s", "", written) in plain for written in mark.written):
                found[name].add(surface)
    return {name: frozenset(surfaces) for name, surfaces in found.items()}


def text(answer: TestResponse) -> str:
    """What an answer says; of a zip, what its files say."""
    with answer:
        data = answer.get_data()
    if data[:2] != b"PK":
        return data.decode("utf-8")
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        return "\n".join(archive.read(name).decode("utf-8") for name in archive.namelist())


def _pages(clinic: Clinic, browser: Browser) -> Iterator[tuple[str, TestResponse]]:
    """Each page there is, asked for by this visitor; without the links of messages, and signing out at last."""
    ids = clinic.ids()
    paths = [one.at(ids) for one in ROUTES.values() if "GET" in one.answers and "_token}" not in one.path]
    for visitor in VISITORS:
        paths += [
            path for path in pages_of(clinic, visitor) if not path.startswith(("/visit/", "/offer/", "/contact/"))
        ]
    for path in dict.fromkeys(paths):
        yield path, browser.get(path, buffered=True)
    for one in ROUTES.values():
        if "POST" in one.answers and _refused(one):
            yield one.at(ids), browser.post(one.at(ids))


def _refused(one: Expected) -> bool:
    """Whether an empty form is refused by everyone."""
    return bool(one.form) and "_token}" not in one.path and not one.once


def _surface(clinic: Clinic, path: str, answer: TestResponse) -> Surface:
    if answer.status_code >= 400:
        return Surface.ERROR
    try:
        endpoint, _values = clinic.house.app.url_map.bind("localhost").match(path.partition("?")[0])
    except HTTPException:
        return Surface.PAGE
    return SURFACES.get(endpoint) or SURFACES.get(endpoint.partition(".")[0]) or Surface.PAGE
