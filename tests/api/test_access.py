"""The access matrix of the API: every route, every role, every scope, rows of one's own, of others, missing ones."""

from collections.abc import Callable

import pytest

from service.api import access
from service.app import create_app
from service.storage.models import Patient
from tests.api.program import ALL, Program, token_of
from tests.api.routes import API
from tests.house import House
from tests.web.frozen_clinic import MISSING, PEOPLE, Clinic

Programs = Callable[..., Program]


def ids_of(clinic: Clinic, who: str = "patient") -> dict[str, object]:
    """Rows of Pia's and Dr Doll's, and a time that no one else of the test takes."""
    free = f"2026-06-01T{8 + PEOPLE.index(who):02}:00:00+02:00"
    return {**clinic.ids(), "past": clinic.past, "free": free}


NOT_THERE = {**MISSING, "past": 999_999, "free": "2026-06-01T09:00:00+02:00"}


def test_every_route_has_an_expectation(house: House) -> None:
    rules = {rule.endpoint: rule for rule in house.app.url_map.iter_rules() if rule.endpoint in access.ACCESS}
    assert rules.keys() == API.keys() == access.ACCESS.keys()
    for endpoint, rule in rules.items():
        assert (rule.methods or set()) - {"HEAD", "OPTIONS"} == {API[endpoint].method}


def test_all_of_v1_is_behind_a_token(house: House) -> None:
    for rule in house.app.url_map.iter_rules():
        assert (rule.endpoint in access.ACCESS) is rule.rule.startswith("/api/v1/"), rule


def test_the_app_does_not_start_with_a_route_that_does_not_say(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(access.ACCESS, "api.reports.show")
    with pytest.raises(RuntimeError, match=r"api\.reports\.show"):
        create_app(house.wiring)


@pytest.mark.parametrize("endpoint", sorted(API))
def test_z1_each_route_answers_each_role_as_expected(clinic: Clinic, program: Programs, endpoint: str) -> None:
    expected, found = API[endpoint], {}
    for who in PEOPLE:
        path, body = expected.at(ids_of(clinic, who)), expected.filled(ids_of(clinic, who))
        found[who] = program(who).ask(expected.method, path, json=body).status_code
        if expected.method != "GET" and found[who] < 300 and endpoint != "api.appointments.create":
            break  # what is done once may be another act for the next
    assert found == {who: expected.status_for(who) for who in found}


@pytest.mark.parametrize("endpoint", sorted(API))
def test_z1_a_token_opens_only_what_its_scopes_say(clinic: Clinic, program: Programs, endpoint: str) -> None:
    expected, ids = API[endpoint], ids_of(clinic)
    who = sorted(expected.enter & (expected.sees or expected.enter))[0]
    others = tuple(scope for scope in ALL if scope != expected.scope)
    without = program(who, *others).ask(expected.method, expected.at(ids), json=expected.filled(ids))
    assert without.status_code == 403
    assert expected.scope in without.get_json()["detail"]
    alone = program(who, expected.scope).ask(expected.method, expected.at(ids), json=expected.filled(ids))
    assert alone.status_code == expected.status_for(who)


@pytest.mark.parametrize("endpoint", sorted(API))
def test_z1_without_a_token_nothing_opens(clinic: Clinic, endpoint: str) -> None:
    expected, ids = API[endpoint], ids_of(clinic)
    nobody = Program(clinic.house.app)
    for method in (expected.method, "OPTIONS"):
        answer = nobody.ask(method, expected.at(ids), json=expected.filled(ids))
        assert (answer.status_code, answer.headers["WWW-Authenticate"]) == (401, "Bearer")


@pytest.mark.parametrize("endpoint", sorted(API))
def test_z1_a_cookie_opens_nothing(clinic: Clinic, endpoint: str) -> None:
    expected, ids = API[endpoint], ids_of(clinic)
    browser = clinic.browser("admin")
    answer = browser.client.open(f"/api/v1{expected.at(ids)}", method=expected.method, json=expected.filled(ids))
    assert answer.status_code == 401
    assert "Set-Cookie" not in answer.headers


def test_z1_a_token_opens_no_page(clinic: Clinic) -> None:
    token = token_of(clinic.house, "admin")
    answer = clinic.house.app.test_client().get("/dashboard", headers={"Authorization": f"Bearer {token}"})
    assert answer.status_code == 303


@pytest.mark.parametrize("endpoint", sorted(name for name, one in API.items() if one.sees and one.sees != one.enter))
def test_z2_someone_elses_row_gets_the_same_bytes_as_a_missing_one(
    clinic: Clinic, program: Programs, endpoint: str
) -> None:
    expected = API[endpoint]
    for who in sorted(expected.enter - expected.sees):
        stranger = program(who)
        foreign, missing = (
            stranger.ask(expected.method, expected.at(ids), json=expected.filled(ids))
            for ids in (ids_of(clinic), NOT_THERE)
        )
        assert (foreign.status_code, foreign.data) == (missing.status_code, missing.data) == (404, missing.data)
        assert {*foreign.headers.keys()} == {*missing.headers.keys()}


def test_z2_lists_hold_only_what_the_user_may_see(clinic: Clinic, program: Programs) -> None:
    for who, patient in (("patient", clinic.pia), ("other patient", clinic.otto)):
        items = program(who).get("/appointments").get_json()["items"]
        assert {one["patient_id"] for one in items} == {patient}
        assert (
            program(who).get(f"/appointments?patient_id={clinic.pia + clinic.otto - patient}").get_json()["items"] == []
        )
    names = {one["name"] for one in program("patient").get("/patients").get_json()["items"]}
    assert names == {"Pia Ahorn"}
    assert program("other patient").get("/patients?q=pia").get_json()["items"] == []


@pytest.mark.parametrize("field", ["id", "status", "role", "booked_by_id", "version", "created_at", "csrf_token"])
def test_z4_a_field_that_is_not_described_is_refused(clinic: Clinic, program: Programs, field: str) -> None:
    body = {"doctor_id": "any", "starts_at": "2026-06-01T09:00:00+02:00", field: 1}
    answer = program("patient").post("/appointments", body)
    assert (answer.status_code, answer.get_json()["errors"][0]["field"]) == (422, field)


def test_z4_a_query_that_is_not_described_is_refused(program: Programs) -> None:
    assert program("admin").get("/appointments?sort=name").status_code == 422
    assert program("admin").get("/statistics?refresh=1").status_code == 422
    assert program("admin").get("/appointments?limit=1&limit=2").status_code == 422


def test_clinical_words_of_a_record_need_the_scope_and_a_doctor(clinic: Clinic, program: Programs) -> None:
    with clinic.house.writing() as session:
        session.get_one(Patient, clinic.pia).allergies = "Penicillin"
    path = f"/patients/{clinic.pia}"
    assert program("doctor").get(path).get_json()["allergies"] == "Penicillin"
    assert program("doctor", "read").get(path).get_json()["allergies"] is None
    assert program("receptionist").get(path).get_json()["allergies"] is None
    assert program("patient").get(path).get_json()["allergies"] is None
