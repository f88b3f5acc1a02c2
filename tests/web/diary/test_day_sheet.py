"""Day sheets: one printed page per doctor with hours or appointments."""

from datetime import date

import pytest
from bs4 import Tag

from service.storage.models import AuditEntry, DoctorHours
from tests import waiting
from tests.house import at
from tests.web.frozen_clinic import NOW, Clinic
from tests.web.reading import attribute, parsed, words


def sheets(clinic: Clinic, visitor: str = "receptionist", query: str = "") -> dict[str, Tag]:
    """Heading -> sheet."""
    page = parsed(clinic.browser(visitor).get(f"/today/sheet{query}"))
    return {words(sheet.find("h2")): sheet for sheet in page.select(".sheet")}


def lines(sheet: Tag) -> list[str]:
    return [words(row) for row in sheet.select("tbody tr")]


@pytest.mark.parametrize("visitor", ["receptionist", "admin"])
def test_the_desk_gets_a_sheet_for_each_doctor(clinic: Clinic, visitor: str) -> None:
    assert list(sheets(clinic, visitor)) == ["Dr. Doll · Eyes", "Dr. Dora · Ears"]


@pytest.mark.parametrize("query", ["", "?doctor_id=2"])
def test_a_doctor_gets_their_own(clinic: Clinic, query: str) -> None:
    assert list(sheets(clinic, "doctor", query)) == ["Dr. Doll · Eyes"]


def test_the_desk_may_ask_for_one_doctor(clinic: Clinic) -> None:
    assert list(sheets(clinic, query="?doctor_id=2")) == ["Dr. Dora · Ears"]


def test_a_sheet_says_what_is_needed_without_a_computer(clinic: Clinic) -> None:
    kind = waiting.visit_type(clinic.house, "Check-up")
    lena = clinic.house.patient("Lena Vogt", birth_date=date(1985, 7, 2), phone="+493012345678")
    clinic.house.visit(1, lena, at("2026-05-07 07:00"), visit_type_id=kind, reason="Red\neyes")
    clinic.house.visit(1, clinic.otto, at("2026-05-07 07:00"), overbooked=True, overbooking_reason="Urgent")
    clinic.house.visit(1, clinic.pia, at("2026-05-07 10:00"), status="cancelled")
    sheet = sheets(clinic, query="?date=2026-05-07")["Dr. Doll · Eyes"]
    assert "Thursday, 7 May 2026 · 2 appointments" in words(sheet)
    assert lines(sheet) == [
        "07:00–09:00 free",
        "09:00–09:15 Lena Vogt 2 July 1985 030 12345678 Check-up Red eyes",
        "09:00–09:15 Otto Birke 030 7654321 overbooked",
        "09:15–18:00 free",
    ]
    assert sheet.select("tbody tr:nth-of-type(2) td.sheet-notes:empty")


def test_a_past_appointment_shows_its_outcome(clinic: Clinic) -> None:
    clinic.house.visit(1, clinic.otto, at("2026-05-05 07:00"), status="no_show")
    assert "09:00–09:15 Otto Birke 030 7654321 No-show" in lines(
        sheets(clinic, query="?date=2026-05-05")["Dr. Doll · Eyes"]
    )


def test_a_doctor_without_hours_or_appointments_gets_no_sheet(clinic: Clinic) -> None:
    with clinic.house.writing() as session:
        session.query(DoctorHours).delete()
    clinic.house.visit(2, clinic.otto, at("2026-05-07 07:00"))
    waiting.archive(clinic.house, 2)
    found = sheets(clinic, query="?date=2026-05-07")
    assert {heading: lines(sheet) for heading, sheet in found.items()} == {
        "Dr. Dora · Ears": ["09:00–09:15 Otto Birke 030 7654321"]
    }
    assert "No one works on this day" in words(parsed(clinic.browser("admin").get("/today/sheet?date=2026-05-15")))


@pytest.mark.parametrize(
    "query",
    ["date=2026-02-30", "date=tomorrow", "date=1999-12-31", "date=2101-01-01", "doctor_id=x", "doctor_id=999999"],
)
def test_invalid_parameters_are_not_found(clinic: Clinic, query: str) -> None:
    assert clinic.browser("receptionist").get(f"/today/sheet?{query}").status_code == 404


def test_a_day_of_25_hours_has_all_its_visits_in_order(clinic: Clinic) -> None:
    for utc in ("2026-10-25 01:30", "2026-10-25 00:30", "2026-10-24 22:00", "2026-10-25 22:45", "2026-10-25 23:00"):
        clinic.house.visit(1, clinic.pia, at(utc))
    times = [line[:11] for line in lines(sheets(clinic, query="?date=2026-10-25")["Dr. Doll · Eyes"])]
    assert times == ["00:00–00:15", "02:30–02:45", "02:30–02:45", "07:00–18:00", "23:45–00:00"]


def test_the_way_back_leads_to_the_same_day(clinic: Clinic) -> None:
    page = parsed(clinic.browser("receptionist").get("/today/sheet?date=2026-05-07&doctor_id=2"))
    assert attribute(page, ".actions a", "href") == "/today?date=2026-05-07&doctor_id=2"


def test_opening_the_sheets_is_audited(clinic: Clinic) -> None:
    sheets(clinic, query="?date=2026-05-07")
    with clinic.house.reading() as session:
        entry = session.query(AuditEntry).where(AuditEntry.act == "day_sheet.view").one()
    assert (entry.subject, entry.user_id, entry.at) == ("day/2026-05-07", clinic.people["receptionist"].user_id, NOW)
