"""Whatever goes wrong under /api is one shape (RFC 9457), says nothing about anyone, and leaves nothing half done."""

import json
from collections.abc import Callable
from typing import Any

import pytest
from sqlalchemy.exc import OperationalError
from werkzeug.test import TestResponse

from service.api import contract
from service.api.problems import MEDIA_TYPE
from service.domain.appointments import appointment_search, treatments
from service.storage.models import Appointment
from tests.api.program import Program
from tests.web.frozen_clinic import Clinic

Programs = Callable[..., Program]


def problem(answer: TestResponse, status: int) -> dict[str, Any]:
    """The problem an answer is."""
    assert (answer.status_code, answer.mimetype) == (status, MEDIA_TYPE)
    body = json.loads(answer.data)
    assert (body["type"], body["status"]) == ("about:blank", status)
    assert body["detail"].endswith(".")
    assert body.keys() <= {"type", "title", "status", "detail", "errors", "free_times"}
    return dict(body)


@pytest.mark.parametrize("path", ["/nowhere", "/appointments/0", f"/appointments/{2**63}", "/exports/xyz", "/doctors/"])
def test_w8_an_address_that_is_none(program: Programs, path: str) -> None:
    problem(program("admin").get(path), 404)


def test_an_address_below_api_alone(clinic: Clinic) -> None:
    client = clinic.house.app.test_client()
    for path in ("/api/", "/api/v2/doctors", "/api/openapi.yaml"):
        problem(client.get(path), 404)


@pytest.mark.parametrize(
    ("method", "path"), [("DELETE", "/patients/1"), ("PUT", "/doctors"), ("PATCH", "/appointments")]
)
def test_w3_a_method_that_is_none(program: Programs, method: str, path: str) -> None:
    answer = program("admin").ask(method, path)
    problem(answer, 405)
    assert "GET" in answer.headers["Allow"]


@pytest.mark.parametrize("data", [b"{", b"nothing", b'{"name": "\xff"}', b'{"name": "\\ud800"}', b"\x00", b"{}{}"])
def test_w8_broken_json(program: Programs, data: bytes) -> None:
    problem(program("receptionist").ask("POST", "/patients", data=data, content_type="application/json"), 400)


@pytest.mark.parametrize(
    "data", [b"[]", b"null", b"3", b'"x"', b'{"name": 3}', b'{"name": ""}', b'{"name": "a\\u0000b"}']
)
def test_w8_json_of_another_shape(program: Programs, data: bytes) -> None:
    problem(program("receptionist").ask("POST", "/patients", data=data, content_type="application/json"), 422)


@pytest.mark.parametrize(
    "kind", ["", "text/plain", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x"]
)
def test_another_form_than_json(program: Programs, kind: str) -> None:
    problem(program("receptionist").ask("POST", "/patients", data=b"name=Nora", content_type=kind), 415)


def test_w8_too_much(program: Programs) -> None:
    data = json.dumps({"name": "x" * 1024 * 1024}).encode()
    problem(program("receptionist").ask("POST", "/patients", data=data, content_type="application/json"), 413)


NO_TIMES = ("2026-06-01T09:00:00", "2026-06-01", "1780297200", "2026-13-01T09:00:00Z", "0001-01-01T00:00:00+14:00")


@pytest.mark.parametrize("moment", [*NO_TIMES, "", 1780297200, None])
def test_a_time_without_an_offset_is_none(program: Programs, moment: object) -> None:
    found = problem(program("patient").post("/appointments", {"doctor_id": "any", "starts_at": moment}), 422)
    assert found["errors"][0]["field"] == "starts_at"
    assert str(moment or "starts") not in found["errors"][0]["detail"]


@pytest.mark.parametrize("days", ["0", "32", "x", "1.0", "١", "1_0", " 1", "+1"])
def test_a_number_that_is_none(program: Programs, days: str) -> None:
    problem(program("patient").get("/doctors/any/free-times", query_string={"days": days}), 422)


def test_a_sentence_of_the_domain_names_its_field(clinic: Clinic, program: Programs) -> None:
    body = {"name": "Nora Neu", "phone": "12"}
    found = problem(program("receptionist").post("/patients", body), 422)
    assert found["errors"] == [{"field": "phone", "detail": found["detail"]}]


def test_f9_a_busy_database(clinic: Clinic, program: Programs, monkeypatch: pytest.MonkeyPatch) -> None:
    def locked(*_args: object, **_more: object) -> None:
        raise OperationalError("SELECT", {}, Exception("database is locked"))

    monkeypatch.setattr(appointment_search, "search", locked)
    answer = program("admin").get("/appointments")
    problem(answer, 503)
    assert answer.headers["Retry-After"] == "5"


def test_w7_an_error_of_ours_shows_nothing(
    clinic: Clinic, program: Programs, monkeypatch: pytest.MonkeyPatch, logged: Callable[[], str]
) -> None:
    def broken(*_args: object, **_more: object) -> None:
        raise RuntimeError("Pia Ahorn")

    monkeypatch.setattr(treatments, "history", broken)
    client = program("patient")
    answer = client.app.test_client().get("/api/v1/treatments", headers={"Authorization": f"Bearer {client.token}"})
    found = problem(answer, 500)
    assert "Pia" not in answer.text
    assert found["detail"] == "Nothing was changed."
    assert answer.headers["X-Request-ID"] in logged()


def test_what_fails_after_the_act_leaves_no_act(
    clinic: Clinic, program: Programs, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(_answer: object) -> None:
        raise RuntimeError

    before = clinic.house.count(Appointment)
    monkeypatch.setattr(contract, "_kept", broken)
    client = program("patient")
    body = {"doctor_id": "any", "starts_at": "2026-06-01T09:00:00+02:00"}
    headers = {"Authorization": f"Bearer {client.token}", "Idempotency-Key": "k"}
    answer = client.app.test_client().post("/api/v1/appointments", json=body, headers=headers)
    problem(answer, 500)
    assert clinic.house.count(Appointment) == before


def test_l5_what_was_sent_stands_in_no_answer_and_no_log(
    clinic: Clinic, program: Programs, logged: Callable[[], str]
) -> None:
    secret = "Xylophon-7"
    doctor, desk = program("doctor"), program("receptionist")
    treatment = f"/appointments/{clinic.begun}/treatment"
    answers = [
        doctor.put(treatment, {"notes": secret, "next_visit": secret}),
        doctor.put(treatment, {"notes": secret, secret: secret * 3, "version": secret}),
        doctor.put(treatment, {"notes": secret, "version": 99}),
        desk.post("/patients", {"name": secret, "email": f"{secret}@@", "birth_date": "2026-01-01"}),
        desk.post("/patients", {"name": [secret]}),
        desk.ask("POST", "/patients", data=f'{{"name": "{secret}"', content_type="application/json"),
        desk.get("/patients", query_string={"q": secret * 30}),
        desk.get(f"/messages?state={secret}"),
        desk.get(f"/exports/{secret}"),
        Program(clinic.house.app, secret).get("/doctors"),
    ]
    assert {one.status_code for one in answers} == {400, 401, 404, 409, 422}
    for one in answers:
        assert secret not in one.text.replace(f'"field":"{secret}"', "")
    assert secret not in logged()
    for token in (doctor.token, desk.token):
        assert str(token) not in logged()


def test_w6_another_host(program: Programs) -> None:
    problem(program("admin").get("/doctors", base_url="http://evil.example"), 400)


def test_head_answers_like_get_and_options_does_nothing(clinic: Clinic, program: Programs) -> None:
    caller = program("admin")
    for path in ("/doctors", f"/appointments/{clinic.ahead}", "/appointments/999999"):
        shown, head = caller.get(path), caller.ask("HEAD", path)
        assert (head.status_code, head.data) == (shown.status_code, b"")
    asked = caller.ask("OPTIONS", "/appointments")
    assert (asked.status_code, asked.data) == (200, b"")
