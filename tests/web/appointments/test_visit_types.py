"""Appointment types: the list, adding and changing one, and stale forms."""

import pytest
from werkzeug.test import TestResponse

from service.storage.models import AuditEntry, VisitType
from tests.web.frozen_clinic import Clinic
from tests.web.reading import attribute, faults, links, one, parsed, words

FORM = {"name": "First visit", "minutes": "45", "colour": "3", "online": "y"}


def make(clinic: Clinic, **changed: str) -> TestResponse:
    return clinic.browser("receptionist").post("/visit-types", {**FORM, **changed})


def stored(clinic: Clinic, name: str = "First visit") -> VisitType:
    with clinic.house.reading() as session:
        return session.query(VisitType).where(VisitType.name == name).one()


def test_a_new_type_appears_in_the_list(clinic: Clinic) -> None:
    answer = clinic.browser("admin").post("/visit-types", FORM, follow_redirects=True)
    assert "saved" in words(one(parsed(answer), "[role=status]"))
    row = stored(clinic)
    assert (row.minutes, row.colour, row.online, row.archived_at) == (45, 3, True, None)
    assert f"/visit-types/{row.id}" in links(parsed(answer))
    assert "45 min · online" in words(parsed(answer).find("main"))


def test_the_same_form_twice_makes_one_type(clinic: Clinic) -> None:
    for _press in range(2):
        assert make(clinic).status_code == 303
    assert clinic.house.count(AuditEntry, AuditEntry.act == "visit_type.add") == 1


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("name", ""),
        ("name", " "),
        ("name", "x" * 61),
        ("name", "old CHECK"),
        ("minutes", "4"),
        ("minutes", "721"),
        ("minutes", "half an hour"),
        ("colour", "8"),
        ("colour", "-1"),
        ("colour", "red"),
        ("colour", ""),
    ],
)
def test_invalid_input_is_refused_next_to_the_field_and_kept(clinic: Clinic, field: str, value: str) -> None:
    answer = make(clinic, **{field: value})
    assert answer.status_code == 422
    assert faults(answer.get_data(as_text=True)) == []
    assert parsed(answer).find(id=f"{field}-error") is not None
    if field != "colour":
        assert attribute(parsed(answer), f"main [name={field}]", "value") == value
    assert clinic.house.count(VisitType) == 1


@pytest.mark.parametrize("field", ["archived", "version", "role", "id"])
def test_a_field_the_form_does_not_have_is_refused(clinic: Clinic, field: str) -> None:
    assert make(clinic, **{field: "1"}).status_code == 422
    assert clinic.house.count(VisitType) == 1


def test_a_type_can_be_changed_archived_and_restored(clinic: Clinic) -> None:
    make(clinic)
    row, browser = stored(clinic), clinic.browser("receptionist")
    path = f"/visit-types/{row.id}"
    form = {"name": "Long talk", "minutes": "60", "colour": "0", "archived": "y", "version": "1"}
    assert browser.post(path, form).status_code == 303
    changed = stored(clinic, "Long talk")
    assert (changed.minutes, changed.colour, changed.online) == (60, 0, False)
    assert changed.archived_at is not None
    assert "2 archived" in words(parsed(browser.get("/visit-types")).find("main"))
    page = browser.get(path)
    assert one(parsed(page), "input[name=archived]").has_attr("checked")
    back = {"name": "Long talk", "minutes": "60", "colour": "0", "version": "2"}
    assert browser.post(path, back).status_code == 303
    assert stored(clinic, "Long talk").archived_at is None


def test_a_stale_form_shows_both_versions_and_saving_again_applies_mine(clinic: Clinic) -> None:
    make(clinic)
    path, browser = f"/visit-types/{stored(clinic).id}", clinic.browser("receptionist")
    browser.post(path, {**FORM, "name": "Somebody’s", "version": "1"})
    answer = browser.post(path, {**FORM, "name": "Mine", "version": "1"})
    assert answer.status_code == 409
    assert faults(answer.get_data(as_text=True)) == []
    assert "Somebody’s" in words(parsed(answer).find("dl"))
    assert attribute(parsed(answer), "main input[name=name]", "value") == "Mine"
    assert stored(clinic, "Somebody’s").version == 2
    again = {**FORM, "name": "Mine", "version": attribute(parsed(answer), "input[name=version]", "value")}
    assert browser.post(path, again).status_code == 303
    assert stored(clinic, "Mine").version == 3


def test_doctors_and_patients_cannot_edit_types(clinic: Clinic) -> None:
    for visitor in ("doctor", "patient"):
        assert clinic.browser(visitor).get("/visit-types").status_code == 403
        assert clinic.browser(visitor).post("/visit-types", FORM).status_code == 403
    assert clinic.house.count(VisitType) == 1
