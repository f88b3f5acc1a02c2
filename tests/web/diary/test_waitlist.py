"""The pages of the waitlist: entries, whom a slot suits, and offers by phone."""

from datetime import timedelta
from typing import Any

import pytest
from werkzeug.test import TestResponse

from service.storage.models import Appointment, Offer, WaitlistEntry
from tests import waiting
from tests.house import at
from tests.web.frozen_clinic import Clinic
from tests.web.reading import attribute, links, one, parsed, words

FREE = "2026-06-01T09:00"


def doll(clinic: Clinic) -> int:
    found = clinic.people["doctor"].doctor_id
    assert found is not None
    return found


def put(clinic: Clinic, **fields: Any) -> TestResponse:
    return clinic.browser("receptionist").post("/waitlist", {"patient_id": clinic.pia, **fields})


def newest(clinic: Clinic) -> WaitlistEntry:
    with clinic.house.reading() as session:
        return session.query(WaitlistEntry).order_by(WaitlistEntry.id.desc()).limit(1).one()


def offered(clinic: Clinic, **fields: Any) -> TestResponse:
    form = {"doctor_id": doll(clinic), "starts_at": FREE, **fields}
    return clinic.browser("receptionist").post(f"/waitlist/{clinic.waiting}/offers", form)


def test_the_waitlist_says_who_is_waiting_since_when_and_for_what(clinic: Clinic) -> None:
    kind = waiting.visit_type(clinic.house, "Glasses")
    lena = clinic.house.patient("Lena Vogt")
    waiting.entry(clinic.house, lena, days_ago=2, urgent=True, weekdays="02", part="morning", visit_type_id=kind)
    rows = [words(row) for row in parsed(clinic.browser("receptionist").get("/waitlist")).select("tbody tr")]
    assert [row.split(" Waits")[0].split(" any")[0][:9] for row in rows] == ["Lena Vogt", "Otto Birk", "Pia Ahorn"]
    assert "Urgent" in rows[0]
    assert "Any doctor · Glasses · Mon, Wed · Morning (before 12:00)" in rows[0]
    assert "Mon, 4 May, 10:00" in rows[0]
    assert "Urgent" not in rows[2]
    assert "Dr. Doll" in rows[2]
    assert "Lives next door" in rows[2]
    assert "030 1234567" in rows[2]


def test_a_doctor_reads_the_list_and_changes_nothing(clinic: Clinic) -> None:
    page = parsed(clinic.browser("doctor").get("/waitlist"))
    assert "Pia Ahorn" in words(page.find("main"))
    assert "Otto Birke" not in words(page.find("main"))
    assert not page.select("main form")
    assert not [link for link in links(page) if "waitlist" in link or "offers" in link]


def test_an_empty_waitlist_says_so(clinic: Clinic) -> None:
    browser = clinic.browser("receptionist")
    with clinic.house.writing() as session:
        session.query(Offer).delete()
        session.query(WaitlistEntry).delete()
    assert "The waitlist is empty" in words(parsed(browser.get("/waitlist")).find("main"))


def test_a_patient_is_found_and_added_to_the_waitlist(clinic: Clinic) -> None:
    browser = clinic.browser("receptionist")
    (link,) = [link for link in links(parsed(browser.get("/waitlist/new?q=pia"))) if "patient_id" in link]
    page = parsed(browser.get(link))
    assert attribute(page, "main [name=patient_id]", "value") == str(clinic.pia)
    kind = waiting.visit_type(clinic.house)
    form = {
        "patient_id": clinic.pia,
        "doctor_id": doll(clinic),
        "visit_type_id": kind,
        "weekdays": ["4", "0"],
        "part": "evening",
        "urgent": "y",
        "note": "Rings back",
    }
    answer = browser.post("/waitlist", form, follow_redirects=True)
    assert answer.request.path == "/waitlist"
    assert "Added to the waitlist." in words(one(parsed(answer), "[role=status]"))
    entry = newest(clinic)
    assert (entry.patient_id, entry.doctor_id, entry.visit_type_id) == (clinic.pia, doll(clinic), kind)
    assert (entry.weekdays, entry.part, entry.urgent, entry.note) == ("04", "evening", True, "Rings back")


@pytest.mark.parametrize("doctor", ["any", ""])
def test_without_choices_any_doctor_day_and_time_fits(clinic: Clinic, doctor: str) -> None:
    assert put(clinic, doctor_id=doctor).status_code == 303
    entry = newest(clinic)
    assert (entry.doctor_id, entry.visit_type_id, entry.weekdays) == (None, None, "0123456")
    assert (entry.part, entry.urgent, entry.note) == ("any", False, "")


@pytest.mark.parametrize(
    ("fields", "status"),
    [
        ({"part": "night"}, 422),
        ({"weekdays": "7"}, 422),
        ({"weekdays": "Mon"}, 422),
        ({"note": "x" * 201}, 422),
        ({"note": "a\0b"}, 422),
        ({"patient_id": ""}, 422),
        ({"status": "booked"}, 422),
        ({"created_at": "2020-01-01"}, 422),
        ({"patient_id": "999999"}, 404),
        ({"patient_id": "1 OR 1=1"}, 404),
        ({"doctor_id": "999999"}, 404),
        ({"doctor_id": "-1"}, 404),
        ({"doctor_id": "9" * 30}, 404),
        ({"visit_type_id": "999999"}, 404),
    ],
)
def test_an_invalid_entry_changes_nothing(clinic: Clinic, fields: dict[str, str], status: int) -> None:
    before = clinic.house.count(WaitlistEntry)
    assert put(clinic, **fields).status_code == status
    assert clinic.house.count(WaitlistEntry) == before


def test_a_refused_form_keeps_what_was_typed(clinic: Clinic) -> None:
    page = parsed(put(clinic, doctor_id=doll(clinic), weekdays=["1", "2"], part="morning", urgent="y", note="x" * 201))
    assert attribute(page, "[name=note]", "value") == "x" * 201
    assert attribute(page, "[name=note]", "aria-invalid") == "true"
    assert [box["value"] for box in page.select("[name=weekdays][checked]")] == ["1", "2"]
    chosen = {attribute(field, "option[selected]", "value") for field in page.select("select:has([selected])")}
    assert chosen == {str(doll(clinic)), "morning"}
    assert page.select("[name=urgent][checked]")


def test_an_entry_is_removed(clinic: Clinic) -> None:
    answer = clinic.browser("receptionist").post(f"/waitlist/{clinic.waiting}/removal", follow_redirects=True)
    assert "Pia Ahorn" not in words(one(parsed(answer), "main"))
    assert waiting.row(clinic.house, WaitlistEntry, clinic.waiting).closed_at is not None


def test_a_slot_shows_whom_it_suits_and_is_offered_with_one_click(clinic: Clinic) -> None:
    lena = waiting.entry(clinic.house, clinic.house.patient("Lena Vogt"), urgent=True)
    waiting.entry(clinic.house, clinic.house.patient("Never on Monday"), weekdays="123456")
    browser = clinic.browser("receptionist")
    page = parsed(browser.get(f"/waitlist/fits?doctor_id={doll(clinic)}&starts_at={FREE}"))
    assert [words(name) for name in page.select(".fit-who strong")] == ["Lena Vogt", "Pia Ahorn"]
    form = one(page, ".fit form:has(.btn-primary)")
    fields = {str(field["name"]): str(field["value"]) for field in form.select("input")}
    assert str(form["action"]) == f"/waitlist/{lena}/offers"
    assert browser.post(str(form["action"]), fields).status_code == 303


@pytest.mark.parametrize("visitor", ["doctor", "other doctor"])
def test_a_doctor_sees_whom_a_slot_suits_without_buttons(clinic: Clinic, visitor: str) -> None:
    page = parsed(clinic.browser(visitor).get(f"/waitlist/fits?doctor_id={doll(clinic)}&starts_at={FREE}"))
    assert not page.select("main form")


@pytest.mark.parametrize(
    "query",
    [
        "",
        "doctor_id=1",
        "starts_at=2026-06-01T09:00",
        "doctor_id=x&starts_at=2026-06-01T09:00",
        "doctor_id=999999&starts_at=2026-06-01T09:00",
        "doctor_id=1&starts_at=2026-06-01",
        "doctor_id=1&starts_at=2026-06-01T25:00",
        "doctor_id=1&starts_at=2026-06-31T09:00",
        "doctor_id=1&starts_at=2026-06-01T09:00:30",
        "doctor_id=1&starts_at=2026-06-01T09:00%2B02:00",
        "doctor_id=1&starts_at=2027-03-28T02:30",
    ],
)
def test_an_invalid_slot_is_not_found(clinic: Clinic, query: str) -> None:
    assert clinic.browser("receptionist").get(f"/waitlist/fits?{query}").status_code == 404


@pytest.mark.parametrize("starts_at", ["2026-06-02T09:00", "2026-05-06T09:00", "2026-06-01T23:00"])
def test_a_slot_that_is_not_free_suits_no_one(clinic: Clinic, starts_at: str) -> None:
    path = f"/waitlist/fits?doctor_id={doll(clinic)}&starts_at={starts_at}"
    page = parsed(clinic.browser("receptionist").get(path))
    assert "This slot isn't free" in words(page.find("main"))
    assert not page.select("main form")


def test_an_offer_says_whom_to_call_what_to_say_and_until_when_it_stands(clinic: Clinic) -> None:
    answer = offered(clinic)
    assert answer.status_code == 303
    page = parsed(clinic.browser("receptionist").get(answer.location))
    said = words(page.find("main"))
    assert "Call 030 1234567" in said
    assert "Mon, 1 Jun, 09:00 with Dr. Doll" in said
    assert "until 10:20" in said
    assert attribute(page, "main a[href^=tel]", "href") == "tel:+49301234567"
    list_page = parsed(clinic.browser("receptionist").get("/waitlist"))
    assert answer.location in links(list_page)


def test_accepting_books_the_appointment(clinic: Clinic) -> None:
    path = offered(clinic).location
    answer = clinic.browser("receptionist").post(f"{path}/acceptance", follow_redirects=True)
    assert answer.request.path.startswith("/appointments/")
    assert clinic.house.count(Appointment, Appointment.starts_at == at("2026-06-01 07:00")) == 1
    assert "The appointment is booked" in words(parsed(clinic.browser("receptionist").get(path)).find("main"))
    assert "Pia Ahorn" not in words(parsed(clinic.browser("receptionist").get("/waitlist")).find("main"))


def test_declining_releases_the_slot(clinic: Clinic) -> None:
    path = offered(clinic).location
    answer = clinic.browser("receptionist").post(f"{path}/decline", follow_redirects=True)
    assert "stays on the waitlist" in words(one(parsed(answer), "[role=status]"))
    assert clinic.browser("receptionist").post(f"{path}/acceptance").status_code == 409
    assert "This offer has ended" in words(parsed(clinic.browser("receptionist").get(path)).find("main"))


@pytest.mark.parametrize(
    ("fields", "status"),
    [
        ({"starts_at": "2026-06-02T09:00"}, 409),
        ({"starts_at": "2026-05-06T09:30"}, 422),
        ({"starts_at": "2026-06-01T23:00"}, 422),
        ({"starts_at": "2026-06-31T09:00"}, 422),
        ({"starts_at": ""}, 422),
        ({"starts_at": "2027-03-28T02:30"}, 422),
        ({"patient_id": "1"}, 422),
        ({"doctor_id": "999999"}, 404),
        ({"doctor_id": ""}, 404),
    ],
)
def test_a_slot_that_cannot_be_offered_is_refused_with_a_reason(
    clinic: Clinic, fields: dict[str, str], status: int
) -> None:
    before = clinic.house.count(Offer)
    answer = offered(clinic, **fields)
    assert answer.status_code == status
    assert status == 404 or words(one(parsed(answer), "[role=alert]"))
    assert clinic.house.count(Offer) == before


def test_a_slot_that_was_just_taken_is_refused_on_the_same_page(clinic: Clinic) -> None:
    path = offered(clinic).location
    clinic.clock.shift(timedelta(minutes=21))
    clinic.house.visit(doll(clinic), clinic.otto, at("2026-06-01 07:00"))
    answer = clinic.house.browser("receptionist@clinic.example").post(f"{path}/acceptance")
    assert answer.status_code == 409
    assert "taken" in words(one(parsed(answer), "[role=alert]"))
    assert clinic.house.count(Appointment, Appointment.starts_at == at("2026-06-01 07:00")) == 1


def test_z5_a_doctor_sees_only_their_own_of_those_a_free_time_suits(clinic: Clinic) -> None:
    path = f"/waitlist/fits?doctor_id={doll(clinic)}&starts_at={FREE}"
    assert "Pia Ahorn" in words(one(parsed(clinic.browser("receptionist").get(path)), "main"))
    assert "Pia Ahorn" not in words(one(parsed(clinic.browser("other doctor").get(path)), "main"))
