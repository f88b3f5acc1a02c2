"""Characters and numbers that a database cannot hold are unknown to it, not an error of ours; on both databases."""

import pytest

from service.storage.models import SignIn
from tests.house import House


@pytest.fixture(params=["sqlite", "postgresql"])
def database_kind(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def inhabited(house: House) -> House:
    for role in ("patient", "doctor"):
        house.user(role, f"{role}@clinic.example", "Pia Ahorn")
    return house


@pytest.mark.parametrize(
    ("role", "paths"),
    [
        (
            "patient",
            [
                "/exports/%00",
                "/exports/a%00b/file",
                "/exports/%ed%a0%80",
                f"/exports/{'x' * 300}",
                "/treatments?patient_id=%00",
                "/appointments?before=20260506T080000000000-9223372036854775808",
                f"/appointments/{2**63}",
            ],
        ),
        ("doctor", [f"/patients/{2**63 - 1}", f"/reports/{2**63 - 1}", "/reports?before=%00", "/today?date=%00"]),
    ],
)
def test_an_address_that_no_row_can_have_is_no_page(inhabited: House, role: str, paths: list[str]) -> None:
    browser = inhabited.browser(f"{role}@clinic.example")
    assert {path: browser.get(path).status_code for path in paths} == dict.fromkeys(paths, 404)


@pytest.mark.parametrize("query", ["00010101T000000000000-1", "99991231T235959999999-1"])
def test_the_ends_of_time_are_pages_without_rows(inhabited: House, query: str) -> None:
    browser = inhabited.browser("patient@clinic.example")
    for path in ("/appointments", "/treatments"):
        assert browser.get(f"{path}?before={query}").status_code == 200


@pytest.mark.parametrize("address", ["pat\0ient@clinic.example", "patient@clinic.example\0", "\0"])
def test_a_nul_in_an_address_is_nobodys(inhabited: House, address: str) -> None:
    assert inhabited.browser().sign_in(address).status_code == 422
    assert inhabited.count(SignIn) == 0


def test_a_nul_in_a_password_is_a_wrong_one(inhabited: House) -> None:
    assert inhabited.browser().sign_in("patient@clinic.example", "quiet rivers\0run deep").status_code == 422
