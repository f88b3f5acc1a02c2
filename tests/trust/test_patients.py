"""A doctor sees their own patients, those of a doctor they stand in for, and others only in an emergency (Z5)."""

from collections.abc import Callable
from datetime import date

import pytest
from sqlalchemy import select

from service.storage.models import Appointment, AuditEntry, Cover, EmergencyAccess, Patient
from tests.house import Browser, at
from tests.trust import rows as trust
from tests.web.frozen_clinic import Clinic, email, minutes
from tests.web.frozen_clinic import a_clinic as a_clinic
from tests.web.frozen_clinic import a_furnished_folder as a_furnished_folder
from tests.web.frozen_clinic import a_moved_clock as a_moved_clock
from tests.web.frozen_clinic import the_log as the_log
from tests.web.reading import one, parsed, words

DOOR = {"name": "Otto Birke", "birth_date": "1977-07-07", "reason": "Brought in unconscious, which medicines?"}


@pytest.fixture(name="otto")
def otto_with_a_birth_date(clinic: Clinic) -> int:
    """Dr Dora's patient, whom Dr Doll has never seen; has a birth date to be found by."""
    with clinic.house.writing() as session:
        session.get_one(Patient, clinic.otto).birth_date = date(1977, 7, 7)
    return clinic.otto


def sees(browser: Browser, clinic: Clinic, patient: int, visit: int) -> list[int]:
    """How the pages that are about a patient answer."""
    paths = (f"/patients/{patient}", f"/patients/{patient}/edit", f"/appointments/{visit}")
    return [browser.get(path).status_code for path in paths]


def test_z5_a_doctor_does_not_see_the_patients_of_another(clinic: Clinic, otto: int) -> None:
    doctor = clinic.browser("doctor")
    assert sees(doctor, clinic, otto, clinic.other_visit) == [404, 404, 404]
    for text in ("Otto", "birke", "1977-07-07", "030 765"):
        assert "Otto Birke" not in doctor.get(f"/patients?q={text}").get_data(as_text=True)
    assert doctor.post("/exports", {"patient_id": otto}).status_code == 404
    wish = {"patient_id": otto, "doctor_id": clinic.people["doctor"].doctor_id or 0, "starts_at": "2026-06-01T09:00"}
    assert doctor.post("/appointments", wish).status_code == 404
    assert doctor.post("/walk-ins", {"patient_id": otto}).status_code == 404
    assert clinic.house.count(Appointment, Appointment.patient_id == otto) == 2


def cover(clinic: Clinic, first: str, last: str) -> int:
    doll, dora = clinic.people["doctor"].doctor_id, clinic.people["other doctor"].doctor_id
    form = {"cover_doctor_id": doll, "cover_first_day": first, "cover_last_day": last}
    assert clinic.browser("receptionist").post(f"/doctors/{dora}/covers", form).status_code == 303
    with clinic.house.reading() as session:
        return session.scalars(select(Cover.id).order_by(Cover.id.desc()).limit(1)).one()


def test_z5_who_stands_in_sees_the_patients_of_the_other_on_those_days_only(clinic: Clinic, otto: int) -> None:
    cover(clinic, "2026-05-07", "2026-05-08")
    seen = {}
    for day in ("2026-05-06 21:59", "2026-05-06 22:01", "2026-05-08 21:59", "2026-05-08 22:01"):
        clinic.clock.move_to(at(day))
        doctor = clinic.house.browser(email("doctor"))
        seen[day] = sees(doctor, clinic, otto, clinic.other_visit)
        found = "Otto Birke" in doctor.get("/patients?q=birke").get_data(as_text=True)
        assert found == (seen[day][0] == 200)
    assert [answers[0] for answers in seen.values()] == [404, 200, 200, 404]
    assert seen["2026-05-06 22:01"] == [200, 200, 200]


def test_the_doctors_page_says_who_stands_in_on_which_days(clinic: Clinic) -> None:
    cover(clinic, "2026-05-07", "2026-05-08")
    dora, doll = clinic.people["other doctor"].doctor_id, clinic.people["doctor"].doctor_id
    for doctor, sentence in (
        (dora, "Thu, 7 May – Fri, 8 May Dr. Doll covers and can open these patients' records."),
        (doll, "Thu, 7 May – Fri, 8 May Covers for Dr. Dora and can open their patients' records."),
    ):
        page = parsed(clinic.browser("doctor").get(f"/doctors/{doctor}"))
        assert sentence in words(one(page, "section[aria-labelledby=covers]"))


def test_z5_who_stands_in_reads_but_does_not_write_for_the_other(clinic: Clinic, otto: int) -> None:
    cover(clinic, "2026-05-06", "2026-05-06")
    doctor = clinic.browser("doctor")
    assert "Tinnitus" in doctor.get(f"/patients/{otto}").get_data(as_text=True)
    assert doctor.post(f"/appointments/{clinic.other_visit}/treatment", {"notes": "x"}).status_code == 403
    assert doctor.post(f"/appointments/{clinic.other_visit}/completion").status_code == 403


def test_z5_standing_in_is_not_passed_on(clinic: Clinic, otto: int) -> None:
    cover(clinic, "2026-05-06", "2026-05-06")  # Doll for Dora
    third = clinic.house.user("doctor", "third@clinic.example", "Dr. Third")
    trust.covered(
        clinic.house, clinic.people["doctor"].doctor_id, third.doctor_id, at("2026-05-05 22:00"), at("2026-05-06 22:00")
    )
    browser = clinic.house.browser("third@clinic.example")
    assert browser.get(f"/patients/{clinic.pia}").status_code == 200
    assert browser.get(f"/patients/{otto}").status_code == 404


def test_z5_ending_it_acts_on_the_next_click(clinic: Clinic, otto: int) -> None:
    number, doctor = cover(clinic, "2026-05-06", "2026-05-09"), clinic.browser("doctor")
    assert doctor.get(f"/patients/{otto}").status_code == 200
    dora = clinic.people["other doctor"].doctor_id
    desk = clinic.browser("receptionist")
    assert desk.post(f"/doctors/{dora}/covers/{number}/removal").status_code == 303
    assert doctor.get(f"/patients/{otto}").status_code == 404
    theirs = AuditEntry.subject == f"doctor/{dora}"
    assert clinic.house.count(AuditEntry, AuditEntry.act.in_(("cover.add", "cover.remove")), theirs) == 2


@pytest.mark.parametrize(
    "change",
    [
        {"cover_last_day": "2026-05-05"},
        {"cover_first_day": "2026-05-09"},
        {"cover_last_day": "2028-05-09"},
        {"cover_doctor_id": "999"},
        {"cover_doctor_id": "2"},  # herself
        {"cover_first_day": "2026-02-30"},
    ],
)
def test_a_roster_that_makes_no_sense_is_refused_beside_the_field(clinic: Clinic, change: dict[str, str]) -> None:
    form = {"cover_doctor_id": "1", "cover_first_day": "2026-05-07", "cover_last_day": "2026-05-08", **change}
    if "cover_first_day" not in change and change.get("cover_last_day") == "2026-05-05":
        form["cover_first_day"] = "2026-05-04"  # over already
    dora = clinic.people["other doctor"].doctor_id
    answer = clinic.browser("receptionist").post(f"/doctors/{dora}/covers", form)
    assert answer.status_code == 422
    assert parsed(answer).select("#covers ~ form .invalid-feedback, section .invalid-feedback")
    assert clinic.house.count(Cover) == 1


def test_z5_emergency_access_is_temporary_and_audited(clinic: Clinic, otto: int) -> None:
    doctor = clinic.browser("doctor")
    answer = doctor.post("/emergency", DOOR)
    assert (answer.status_code, answer.location) == (303, f"/patients/{otto}")
    page = doctor.get(f"/patients/{otto}").get_data(as_text=True)
    assert "Tinnitus" in page
    assert "You have emergency access until" in page
    assert "Otto Birke" in doctor.get("/patients").get_data(as_text=True)
    entry = (AuditEntry.act == "emergency.open", AuditEntry.patient_id == otto)
    assert clinic.house.count(AuditEntry, *entry, AuditEntry.user_id == clinic.people["doctor"].user_id) == 1
    assert clinic.browser("other patient").get("/who-looked").get_data(as_text=True).count("in an emergency") == 1
    clinic.clock.shift(minutes(8 * 60 - 1))
    assert clinic.house.browser(email("doctor")).get(f"/patients/{otto}").status_code == 200
    clinic.clock.shift(minutes(2))
    assert clinic.house.browser(email("doctor")).get(f"/patients/{otto}").status_code == 404


def test_z5_it_opens_for_that_doctor_alone(clinic: Clinic, otto: int) -> None:
    clinic.browser("doctor").post("/emergency", DOOR)
    clinic.house.user("doctor", "third@clinic.example", "Dr. Third")
    assert clinic.house.browser("third@clinic.example").get(f"/patients/{otto}").status_code == 404


def test_z5_administrators_see_it_until_it_is_reviewed(clinic: Clinic, otto: int) -> None:
    admin = clinic.browser("admin")
    count = "nav .side-link[href='/jobs'] .side-count"
    assert words(one(parsed(admin.get("/jobs")), count)) == "2"  # an emergency and a cover from before
    clinic.browser("doctor").post("/emergency", DOOR)
    assert words(one(parsed(admin.get("/jobs")), count)) == "3"
    page = parsed(admin.get("/audit"))
    told = words(one(page, ".note-warning li"))
    assert "Dr. Doll → Otto Birke" in told
    assert DOOR["reason"] in told
    for form in page.select(".note-warning form"):
        assert admin.post(str(form["action"])).status_code == 303
    assert parsed(admin.get("/jobs")).select(count) == []
    assert clinic.house.count(EmergencyAccess, EmergencyAccess.seen_by_id == clinic.people["admin"].user_id) == 2
    assert clinic.house.count(AuditEntry, AuditEntry.act == "emergency.seen") == 2


@pytest.mark.parametrize(
    "change",
    [
        {"name": "Otto"},
        {"name": "%"},
        {"name": "Otto Birke Junior"},
        {"birth_date": "1977-07-08"},
        {"reason": "urgent"},
        {"reason": ""},
        {"birth_date": ""},
    ],
)
def test_z5_a_guess_opens_nothing(clinic: Clinic, otto: int, change: dict[str, str]) -> None:
    doctor = clinic.browser("doctor")
    answer = doctor.post("/emergency", {**DOOR, **change})
    assert answer.status_code == 422
    assert "Tinnitus" not in answer.get_data(as_text=True)
    assert doctor.get(f"/patients/{otto}").status_code == 404
    assert clinic.house.count(EmergencyAccess, EmergencyAccess.patient_id == otto) == 0


def test_z5_guesses_are_counted_recorded_and_end(clinic: Clinic, otto: int) -> None:
    doctor = clinic.browser("doctor")
    codes = [doctor.post("/emergency", {**DOOR, "birth_date": f"1977-08-{day:02}"}).status_code for day in range(1, 13)]
    assert codes == [422] * 10 + [429] * 2
    assert clinic.house.count(AuditEntry, AuditEntry.act == "emergency.refused") == 10


def test_z5_a_record_without_a_birth_date_opens_by_the_whole_name(clinic: Clinic) -> None:
    answer = clinic.browser("doctor").post("/emergency", {**DOOR, "birth_date": "1950-01-01"})
    assert answer.location == f"/patients/{clinic.otto}"


def test_i3_an_accent_left_out_opens_a_record_only_where_nobody_bears_the_name_as_typed(clinic: Clinic) -> None:
    born = date(1977, 7, 7)
    accented = clinic.house.patient("Otto Jäger", birth_date=born)
    door = {**DOOR, "name": "Otto Jager", "birth_date": born.isoformat()}
    assert clinic.browser("doctor").post("/emergency", door).location == f"/patients/{accented}"
    plain = clinic.house.patient("Otto Jager", birth_date=born)
    assert clinic.browser("other doctor").post("/emergency", door).location == f"/patients/{plain}"
    opened = EmergencyAccess.patient_id == accented
    assert clinic.house.count(EmergencyAccess, opened) == 1, "the other doctor saw only the name that was typed"


def test_z5_ones_own_patient_needs_no_emergency(clinic: Clinic) -> None:
    answer = clinic.browser("doctor").post("/emergency", {**DOOR, "name": "Pia Ahorn"})
    assert answer.location == f"/patients/{clinic.pia}"
    assert clinic.house.count(AuditEntry, AuditEntry.act == "emergency.open") == 0


def test_l5_the_reason_and_the_name_are_not_in_the_log(clinic: Clinic, otto: int, logged: Callable[[], str]) -> None:
    doctor = clinic.browser("doctor")
    doctor.post("/emergency", DOOR)
    doctor.post("/emergency", {**DOOR, "name": "Olga Unbekannt"})
    assert "route=/emergency" in logged()
    for text in ("Otto", "Birke", "1977", "unconscious", "Unbekannt"):
        assert text not in logged()
