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


def test_nothing_is_posted_to_an_old_address(house: House) -> None:
    assert house.app.test_client().post("/waiting-list").status_code == 405
