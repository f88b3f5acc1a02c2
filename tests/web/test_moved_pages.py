"""Pages whose path has changed are still found at the old one."""

import pytest

from tests.house import House

FITS = "/fits?doctor_id=1&starts_at=2026-06-01T09:00"
MOVED = {
    "/waiting-list": "/waitlist",
    "/waiting-list/new?q=pia&patient_id=3": "/waitlist/new?q=pia&patient_id=3",
    f"/waiting-list{FITS}": f"/waitlist{FITS}",
}


@pytest.mark.parametrize("old", MOVED)
def test_an_old_address_redirects_to_the_new_one_for_good(house: House, old: str) -> None:
    answer = house.app.test_client().get(old)
    assert (answer.status_code, answer.location) == (308, MOVED[old])


def test_a_form_of_an_old_page_is_sent_to_the_new_address(house: House) -> None:
    house.user("receptionist", "rita@clinic.example", "Rita")
    answer = house.browser("rita@clinic.example").post("/waiting-list/1/removal", {"reason": "a"})
    assert (answer.status_code, answer.location) == (308, "/waitlist/1/removal")


def test_what_is_escaped_in_an_old_address_stays_escaped(house: House) -> None:
    answer = house.app.test_client().get("/waiting-list/a%3Fb?q=%C3%A4%26")
    assert (answer.status_code, answer.location) == (308, "/waitlist/a%3Fb?q=%C3%A4%26")


def test_line_breaks_and_other_bytes_in_the_query_of_a_moved_page_stay_escaped(house: House) -> None:
    answer = house.browser().client.get("/waiting-list", query_string="name=\r\nX: 1&q=\xe9&r=%20+")
    assert answer.status_code == 308
    assert answer.headers["Location"] == "/waitlist?name=%0D%0AX:%201&q=%C3%A9&r=%20+"
