"""Doctors' pages: the list with hours in words, the week, and who may change what."""

import pytest
from werkzeug.test import TestResponse

from service.storage.models import AuditEntry, Doctor, DoctorHours
from tests.house import at
from tests.web.frozen_clinic import Clinic
from tests.web.reading import attribute, links, one, parsed, words


@pytest.fixture(autouse=True)
def _no_hours_yet(clinic: Clinic) -> None:
    """Each test sets the hours it is about."""
    with clinic.house.writing() as session:
        session.query(DoctorHours).delete()


HOURS = {"weekdays": ["0", "1", "2"], "starts": "08:00", "ends": "12:00", "slot_minutes": "20"}


def page(clinic: Clinic, doctor: str = "doctor") -> str:
    return f"/doctors/{clinic.people[doctor].doctor_id}"


def add(clinic: Clinic, visitor: str = "receptionist", **changed: object) -> TestResponse:
    return clinic.browser(visitor).post(f"{page(clinic)}/hours", {**HOURS, **changed})


def blocks(clinic: Clinic) -> list[tuple[int, str, str, int]]:
    with clinic.house.reading() as session:
        rows = session.query(DoctorHours).order_by(DoctorHours.weekday, DoctorHours.starts)
        return [(row.weekday, str(row.starts), str(row.ends), row.slot_minutes) for row in rows]


def test_a_doctor_without_hours_is_a_visible_warning(clinic: Clinic) -> None:
    main = parsed(clinic.browser("receptionist").get("/doctors")).find("main")
    assert "Eyes" in words(main)
    assert words(main).count("No hours yet, so no one can book") == 2
    assert "No hours yet" in words(parsed(clinic.browser("admin").get(page(clinic))).find("main"))


def test_the_same_block_on_several_days_is_added_at_once_and_read_in_words(clinic: Clinic) -> None:
    browser = clinic.browser("receptionist")
    answer = browser.post(f"{page(clinic)}/hours", HOURS, follow_redirects=True)
    assert "added" in words(one(parsed(answer), "[role=status]"))
    browser.post(f"{page(clinic)}/hours", {**HOURS, "weekdays": ["0", "1", "2"], "starts": "14:00", "ends": "18:00"})
    browser.post(f"{page(clinic)}/hours", {**HOURS, "weekdays": ["5"], "valid_until": "2026-06-27"})
    assert blocks(clinic)[:2] == [(0, "08:00", "12:00", 20), (0, "14:00", "18:00", 20)]
    main = words(parsed(browser.get("/doctors")).find("main"))
    assert "Mon–Wed 08:00–12:00 , 14:00–18:00" in main
    assert "Sat 08:00–12:00 (until Sat, 27 Jun)" in main
    assert main.count("No hours yet") == 1


def test_the_same_form_twice_makes_the_blocks_once(clinic: Clinic) -> None:
    for _press in range(2):
        assert add(clinic).status_code == 303
    assert len(blocks(clinic)) == 3
    assert clinic.house.count(AuditEntry, AuditEntry.act == "hours.add") == 1


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("starts", "25:00"),
        ("starts", "8:0"),
        ("starts", "08:00:30"),
        ("starts", ""),
        ("starts", "24:00"),
        ("ends", "24:15"),
        ("ends", "08:00"),
        ("ends", "08:15"),
        ("slot_minutes", "4"),
        ("slot_minutes", "241"),
        ("slot_minutes", "9" * 30),
        ("slot_minutes", "x"),
        ("weekdays", []),
        ("weekdays", ["7"]),
        ("weekdays", ["-1"]),
        ("weekdays", ["Monday"]),
        ("valid_from", "2026-06-31"),
        ("valid_from", "31.06.2026"),
        ("valid_until", "2026-05-05"),
    ],
)
def test_bad_hours_are_refused_beside_the_field_and_kept(clinic: Clinic, field: str, value: object) -> None:
    answer = clinic.browser("receptionist").post(f"{page(clinic)}/hours", {**HOURS, field: value})
    assert answer.status_code == 422
    main = parsed(answer).find("main")
    assert main is not None
    assert parsed(answer).find(id=f"{field}-error") is not None
    if field != "weekdays":
        assert attribute(parsed(answer), f"main [name={field}]", "value") == value
    assert blocks(clinic) == []


def test_the_last_day_must_not_be_before_the_first(clinic: Clinic) -> None:
    answer = add(clinic, valid_from="2026-07-02", valid_until="2026-07-01")
    assert answer.status_code == 422
    assert parsed(answer).find(id="valid_until-error") is not None


def test_overlapping_hours_are_refused_and_none_of_the_days_is_added(clinic: Clinic) -> None:
    add(clinic)
    answer = add(clinic, weekdays=["2", "3"], starts="11:45", ends="13:00")
    assert answer.status_code == 422
    assert "overlap" in words(parsed(answer).find(id="starts-error"))
    assert attribute(parsed(answer), "main [name=starts]", "value") == "11:45"
    assert len(blocks(clinic)) == 3


def test_a_block_is_removed_with_one_click(clinic: Clinic) -> None:
    add(clinic)
    browser = clinic.browser("receptionist")
    action = attribute(parsed(browser.get(page(clinic))), "form[action$='/removal']", "action")
    assert browser.post(action).status_code == 303
    assert [block[0] for block in blocks(clinic)] == [1, 2]
    assert browser.post(action).status_code == 404


def test_a_block_ends_with_a_day_and_not_before_today(clinic: Clinic) -> None:
    add(clinic)
    browser = clinic.browser("receptionist")
    action = attribute(parsed(browser.get(page(clinic))), "form[action$='/removal']", "action")
    for day in ("2026-05-05", "2026-02-30"):  # over already; no such day
        refused = browser.post(action, {"last_day": day})
        assert refused.status_code == 422
        form = one(parsed(refused), "details[open]")
        assert one(form, "input[name=last_day]")["value"] == day
        assert words(form.select_one(".invalid-feedback"))
    assert browser.post(action, {"last_day": "2026-05-31"}).status_code == 303
    assert "until Sun, 31 May" in words(parsed(browser.get(page(clinic))).find("main"))
    assert len(blocks(clinic)) == 3


def test_a_block_is_removed_only_through_its_own_doctor(clinic: Clinic) -> None:
    add(clinic)
    with clinic.house.reading() as session:
        block = session.query(DoctorHours.id).limit(1).scalar()
    path = f"{page(clinic, 'other doctor')}/hours/{block}/removal"
    assert clinic.browser("other doctor").post(path).status_code == 404
    assert clinic.browser("receptionist").post(path).status_code == 404
    assert len(blocks(clinic)) == 3


def test_doctors_change_only_their_own_hours(clinic: Clinic) -> None:
    assert add(clinic, "other doctor").status_code == 403
    assert add(clinic, "other doctor", starts="25:00").status_code == 403
    assert add(clinic, "doctor").status_code == 303
    main = parsed(clinic.browser("other doctor").get(page(clinic))).find("main")
    assert "08:00–12:00" in words(main)
    assert main is not None
    assert main.find("form") is None


def test_visits_outside_the_hours_are_listed_with_links_for_those_who_keep_them(clinic: Clinic) -> None:
    add(clinic)  # the appointment at 14:00 lies outside
    for visitor in ("receptionist", "doctor"):
        answer = parsed(clinic.browser(visitor).get(page(clinic)))
        assert f"/appointments/{clinic.later}" in links(answer)
        assert "1 booked appointment is outside" in words(answer.find("main"))
    other = clinic.browser("other doctor").get(page(clinic)).get_data(as_text=True)
    assert "Pia" not in other
    assert f"/appointments/{clinic.later}" not in other
    add(clinic, weekdays=["2"], starts="13:00", ends="17:00")
    assert f"/appointments/{clinic.later}" not in links(parsed(clinic.browser("admin").get(page(clinic))))


def version(answer: TestResponse) -> str:
    return attribute(parsed(answer), "form[action^='/doctors/'] input[name=version]", "value")


def stored(clinic: Clinic) -> Doctor:
    with clinic.house.reading() as session:
        return session.get_one(Doctor, clinic.people["doctor"].doctor_id)


def test_a_name_and_a_department_are_changed(clinic: Clinic) -> None:
    browser = clinic.browser("doctor")
    form = {"name": " Dr. Doll-Öz ", "department": "Eyes  and\nears", "version": version(browser.get(page(clinic)))}
    assert browser.post(page(clinic), form).status_code == 303
    assert (stored(clinic).name, stored(clinic).department) == ("Dr. Doll-Öz", "Eyes and ears")
    assert clinic.house.count(AuditEntry, AuditEntry.act == "doctor.change") == 1


def test_a_stale_form_shows_both_versions_and_saving_again_applies_mine(clinic: Clinic) -> None:
    browser = clinic.browser("receptionist")
    opened = version(browser.get(page(clinic)))
    browser.post(page(clinic), {"name": "Dr. Faster", "department": "Eyes", "version": opened})
    answer = browser.post(page(clinic), {"name": "Dr. Mine", "department": "Ears", "version": opened})
    assert answer.status_code == 409
    assert "Dr. Faster" in words(one(parsed(answer), "[role=alert]"))
    assert attribute(parsed(answer), "main input[name=name]", "value") == "Dr. Mine"
    assert stored(clinic).name == "Dr. Faster"
    again = {"name": "Dr. Mine", "department": "Ears", "version": version(answer)}
    assert browser.post(page(clinic), again).status_code == 303
    assert stored(clinic).name == "Dr. Mine"


@pytest.mark.parametrize("form", [{"name": ""}, {"name": "x" * 201}, {"department": "x" * 101}, {"version": ""}])
def test_bad_names_are_refused_and_kept(clinic: Clinic, form: dict[str, str]) -> None:
    values = {"name": "Dr. Doll", "department": "Eyes", "version": "1", **form}
    answer = clinic.browser("admin").post(page(clinic), values)
    assert answer.status_code == 422
    assert attribute(parsed(answer), "main input[name=name]", "value") == values["name"]
    assert stored(clinic).version == 1


def test_a_doctor_is_archived_only_without_booked_appointments(clinic: Clinic) -> None:
    browser = clinic.browser("receptionist")
    form = {"name": "Dr. Doll", "department": "Eyes", "version": "1", "archived": "y"}
    answer = browser.post(page(clinic), form)
    assert answer.status_code == 422
    assert "Reschedule or cancel" in words(parsed(answer).find(id="archived-error"))
    clinic.clock.move_to(at("2026-06-16 08:00"))
    browser = clinic.house.browser("receptionist@clinic.example")
    assert browser.post(page(clinic), form).status_code == 303
    assert "Dr. Doll" not in words(parsed(browser.get("/doctors")).find("main"))
    assert "Dr. Doll" in words(parsed(browser.get("/doctors?archived=1")).find("main"))
    form = {"name": "Dr. Doll", "department": "Eyes", "version": version(browser.get(page(clinic)))}
    assert browser.post(page(clinic), form).status_code == 303
    assert stored(clinic).archived_at is None


def test_doctors_do_not_archive_themselves(clinic: Clinic) -> None:
    form = {"name": "Dr. Doll", "department": "Eyes", "version": "1", "archived": "y"}
    assert clinic.browser("doctor").post(page(clinic), form).status_code == 422
    assert clinic.browser("other doctor").post(page(clinic), form).status_code == 403
    assert clinic.browser("patient").get("/doctors").status_code == 403
    assert stored(clinic).archived_at is None


def test_hours_that_begin_later_say_so(clinic: Clinic) -> None:
    add(clinic, weekdays=["4"], valid_from="2026-06-05", valid_until="2026-06-26")
    main = words(parsed(clinic.browser("doctor").get(page(clinic))).find("main"))
    assert "Fri, 5 Jun to Fri, 26 Jun" in main
