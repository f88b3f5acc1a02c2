"""The admin's audit page and file, and the page on which patients see who looked (L1, L3, L4)."""

import csv
import io
import re

import pytest
from sqlalchemy import select

from service.config.settings import ROOT
from service.domain.accounts import guardians
from service.domain.foundation import audit
from service.domain.foundation.actor import Actor
from service.storage.models import AuditDetail, AuditEntry, Guardian, Patient
from service.web.privacy import audit_words
from tests.house import Browser
from tests.web.frozen_clinic import Clinic, minutes
from tests.web.reading import one, parsed, words


def entries(browser: Browser, query: str = "") -> list[list[str]]:
    """The cells of the audit's table, row by row."""
    answer = browser.get(f"/audit{query}")
    assert answer.status_code == 200
    return [[words(cell) for cell in row.select("td, th")] for row in parsed(answer).select("tbody tr")]


def column(browser: Browser, query: str, number: int) -> list[str]:
    return [row[number] for row in entries(browser, query)]


def busy(clinic: Clinic) -> None:
    """Some people do some things, minutes apart."""
    for visitor, path in (
        ("doctor", f"/patients/{clinic.pia}"),
        ("receptionist", f"/patients/{clinic.otto}"),
        ("other doctor", f"/patients/{clinic.otto}"),
        ("doctor", f"/appointments/{clinic.past}"),
    ):
        clinic.clock.shift(minutes(1))
        assert clinic.browser(visitor).get(path).status_code == 200


def test_l3_the_page_says_who_did_what_when_with_whose_record_and_from_where(clinic: Clinic) -> None:
    busy(clinic)
    newest, *_rest = entries(clinic.browser("admin"))
    assert newest == [
        "Wed, 6 May, 10:04:00",
        "Dr. Doll",
        "Doctor",
        "Read a treatment",
        "Pia Ahorn",
        f"appointment/{clinic.past}",
        "127.0.0.1",
    ]


@pytest.mark.parametrize(
    ("number", "sort"), list(enumerate(("at", "person", "role", "act", "patient", "subject", "address")))
)
def test_l3_every_column_sorts_both_ways(clinic: Clinic, number: int, sort: str) -> None:
    busy(clinic)
    admin = clinic.browser("admin")
    with clinic.house.reading() as session:
        acts = session.scalars(select(AuditEntry.act).order_by(AuditEntry.act)).all()
    up, down = (column(admin, f"?sort={sort}&order={order}", number) for order in ("asc", "desc"))
    assert len(up) > 10
    assert up == down[::-1]
    if sort == "act":  # in words on the page, sorted as they are stored
        assert len(acts) == len(up)
    elif sort != "at":
        named = [text for text in up if text not in ("", "–")]
        stored = {"Rounds": "system", "Receptionist": "receptionist"}
        assert named == sorted(named, key=lambda text: stored.get(text, text.casefold() if sort == "role" else text))
    head = parsed(admin.get(f"/audit?sort={sort}&order=asc")).select("th[aria-sort]")
    assert [str(one["aria-sort"]) for one in head] == ["ascending"]


def test_l3_a_period_leaves_out_what_lies_outside(clinic: Clinic) -> None:
    admin = clinic.browser("admin")
    busy(clinic)
    assert entries(admin, "?from=2026-05-06&until=2026-05-06")
    assert entries(admin, "?from=2026-05-07&until=2026-05-09") == []
    assert entries(admin, "?until=2026-05-05") == []


def test_l3_by_person_and_by_patient(clinic: Clinic) -> None:
    busy(clinic)
    admin = clinic.browser("admin")
    doll = clinic.people["doctor"].user_id
    for person in ("doll", "doctor@clinic.example".upper(), str(doll)):
        names = set(column(admin, f"?person={person}", 1))
        assert "Dr. Doll" in names
        assert names <= {"Dr. Doll", "Dr. Dora"}
    for patient in ("birke", str(clinic.otto)):
        assert set(column(admin, f"?patient={patient}", 4)) == {"Otto Birke"}
    assert entries(admin, "?patient=nobody&person=doll") == []


def test_l3_a_long_period_comes_in_pages(clinic: Clinic) -> None:
    with clinic.house.writing() as session:
        for number in range(150):
            audit.record(session, clinic.people["doctor"], "patient.view", patient_id=clinic.pia, subject=f"x/{number}")
    admin = clinic.browser("admin")
    first = entries(admin, f"?patient={clinic.pia}&sort=subject")
    second = entries(admin, f"?patient={clinic.pia}&sort=subject&page=2")
    assert len(first) == 100
    assert len(first) + len(second) >= 150
    page = parsed(admin.get(f"/audit?patient={clinic.pia}&sort=subject"))
    assert f"patient={clinic.pia}" in str(one(page, "a.older")["href"])


def test_l3_the_file_holds_the_same_and_taking_it_is_on_record(clinic: Clinic) -> None:
    busy(clinic)
    with clinic.house.writing() as session:
        session.get_one(Patient, clinic.otto).name = "=1+1"
    admin = clinic.browser("admin")
    answer = admin.get("/audit/file?person=doll&sort=at&order=asc", buffered=True)
    assert answer.headers["Content-Disposition"] == "attachment; filename=audit-2026-05-06.csv"
    assert answer.mimetype == "text/csv"
    rows = list(csv.DictReader(io.StringIO(answer.data.decode("utf-8-sig"))))
    assert {row["Person"] for row in rows} == {"Dr. Doll"}
    assert rows[-1]["Time (UTC)"] == "2026-05-06 08:04:00.000000"
    assert (rows[-1]["Act"], rows[-1]["Patient ID"]) == ("treatment.view", str(clinic.pia))
    assert len(rows[-1]["Seal"]) == 64
    whole = admin.get("/audit/file", buffered=True).data.decode("utf-8-sig")
    assert '"\'=1+1"' in whole
    assert clinic.house.count(AuditEntry, AuditEntry.act == "audit.download") == 2


def test_a_change_keeps_before_and_after(clinic: Clinic) -> None:
    form = {"name": "Pia Ahorn-Weide", "birth_date": "1980-02-03", "phone": "030 9999999", "email": "p@x.example"}
    desk = clinic.browser("receptionist")
    version = one(parsed(desk.get(f"/patients/{clinic.pia}/edit")), "input[name=version]")["value"]
    assert desk.post(f"/patients/{clinic.pia}/edit", {**form, "version": version}).status_code == 303
    with clinic.house.reading() as session:
        entry = session.scalars(select(AuditEntry).where(AuditEntry.act == "patient.change")).one()
        changes = session.get_one(AuditDetail, entry.id).changes
    assert changes is not None
    assert changes["name"] == ["Pia Ahorn", "Pia Ahorn-Weide"]
    assert changes["phone"] == ["+49301234567", "+49309999999"]
    text = clinic.browser("admin").get(f"/audit?patient={clinic.pia}").get_data(as_text=True)
    assert "Pia Ahorn-Weide" in text
    assert "+49309999999" in text


def test_what_was_deleted_is_kept_too(clinic: Clinic) -> None:
    doll = clinic.people["doctor"].doctor_id
    desk = clinic.browser("receptionist")
    assert desk.post(f"/doctors/{doll}/hours/{clinic.block}/removal").status_code == 303
    assert desk.post(f"/time-off/{clinic.time_off}/removal").status_code == 303
    with clinic.house.reading() as session:
        acts = ("hours.remove", "time_off.remove")
        entries = session.scalars(select(AuditEntry.id).where(AuditEntry.act.in_(acts)).order_by(AuditEntry.id)).all()
        hours, time_off = (session.get_one(AuditDetail, entry).changes or {} for entry in entries)
    assert hours["starts"] == ["07:00", None]
    assert time_off["first_day"] == ["2026-12-24", None]


def test_the_admin_sees_that_a_clinical_text_changed_but_not_what_it_says(clinic: Clinic) -> None:
    doctor = clinic.browser("doctor")
    version = one(parsed(doctor.get(f"/patients/{clinic.pia}/edit")), "input[name=version]")["value"]
    form = {"allergies": "Penicillin", "alerts": "", "version": version}
    assert doctor.post(f"/patients/{clinic.pia}/alerts", form).status_code == 303
    admin = clinic.browser("admin")
    page = admin.get(f"/audit?patient={clinic.pia}").get_data(as_text=True)
    assert "Changed allergies or alerts" in page
    assert "<dt>Allergies</dt>" in page
    assert "Penicillin" not in page
    assert b"Penicillin" not in admin.get("/audit/file", buffered=True).data


def looks(browser: Browser, patient: int) -> list[str]:
    page = parsed(browser.get(f"/who-looked?patient_id={patient}"))
    return [words(row) for row in page.select("main .rows li")]


def test_l4_a_patient_sees_who_looked_at_the_record(clinic: Clinic) -> None:
    busy(clinic)
    found = looks(clinic.browser("patient"), clinic.pia)
    assert found[0] == "Wed, 6 May, 10:04 Dr. Doll · Doctor Read a treatment"
    assert found[1] == "Wed, 6 May, 10:01 Dr. Doll · Doctor Opened the record"
    assert not [line for line in found if "Otto" in line or "Dora" in line or "Rita" in line]
    assert any(
        "Rita Tresen · Receptionist Opened the record" in line
        for line in looks(clinic.browser("other patient"), clinic.otto)
    )


def test_l4_ones_own_looks_are_not_listed_but_another_guardians_are(clinic: Clinic) -> None:
    mother = clinic.house.user("patient", "mother@clinic.example", "Mia Ahorn")
    link = Actor(clinic.people["receptionist"].role, user_id=clinic.people["receptionist"].user_id)
    with clinic.house.writing() as session:
        guardians.link(session, link, clinic.pia, email="mother@clinic.example", wait_hours=24)
    assert mother.user_id is not None
    with clinic.house.writing() as session:
        session.get_one(Guardian, (mother.user_id, clinic.pia)).clinical_from = None
    clinic.house.browser("mother@clinic.example").get(f"/treatments?patient_id={clinic.pia}")
    clinic.browser("patient").get("/treatments")
    found = looks(clinic.browser("patient"), clinic.pia)
    assert any("Mia Ahorn · Patient Read the history" in line for line in found)
    assert not [line for line in found if "Pia Ahorn" in line]


def test_every_act_that_is_put_on_record_has_words() -> None:
    written = re.compile(r"""(?:audit\.record|_note)\(\s*session, [\w.]+, "([\w.-]+)\"""")
    source = (file.read_text(encoding="utf-8") for file in (ROOT / "service" / "domain").rglob("*.py"))
    acts = {act for text in source for act in written.findall(text)}
    assert len(acts) > 60
    assert sorted(act for act in acts if audit_words.act(act) == act.replace("_", " ").replace(".", ": ")) == []
