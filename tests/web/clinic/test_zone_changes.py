"""What desk and admin see of a changed clock: before a zone is saved, and after appointments kept their time."""

import pytest

from service.storage.models import Installation
from tests.web.frozen_clinic import Clinic
from tests.web.reading import one, parsed, words

CLINIC = {"name": "Park", "timezone": "Europe/London", "country": "DE", "language": "de", "phone": "030 901820"}


def test_the_settings_say_how_many_appointments_a_new_time_zone_concerns(clinic: Clinic) -> None:
    page = parsed(clinic.browser("admin").get("/settings/clinic"))
    assert "appointments are coming up. Patients were told their local times." in words(page)
    assert one(page, "input[name=appointments][checked]")["value"] == "local"


def test_the_desk_is_led_to_what_could_not_keep_its_local_time(clinic: Clinic) -> None:
    desk = clinic.browser("receptionist")
    path = f"/zone-changes/{clinic.zone_change}"
    for board in ("/today",):
        page = parsed(desk.get(board))
        assert "12 appointments kept their local time." in words(page)
        assert one(page, f"a[href='{path}']")
    page = parsed(desk.get(path))
    assert "Pia Ahorn" in words(page)
    assert "originally Mon, 15 Jun 2026, 09:00" in words(page)
    assert "The clocks now skip this time." in words(page)
    assert desk.post(f"{path}/seen").status_code == 303
    assert path not in desk.get("/today").text


def test_who_has_nothing_to_do_with_it_sees_nothing(clinic: Clinic) -> None:
    for visitor in ("doctor", "patient"):
        browser = clinic.browser(visitor)
        assert browser.get(f"/zone-changes/{clinic.zone_change}").status_code == 403
    assert "kept their local time" not in clinic.browser("doctor").get("/today").text


@pytest.mark.parametrize(("chosen", "noted"), [("instant", "Europe/London"), ("local", None), (None, None)])
def test_a_clinic_that_moves_says_so_with_its_new_zone(clinic: Clinic, chosen: str | None, noted: str | None) -> None:
    form = CLINIC if chosen is None else {**CLINIC, "appointments": chosen}
    assert clinic.browser("admin").post("/settings/clinic", form).status_code == 303
    with clinic.house.reading() as session:
        assert session.get_one(Installation, 1).zone_at_instants == noted
