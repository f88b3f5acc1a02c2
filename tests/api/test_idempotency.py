"""Idempotency-Key: the same request twice is one act with one answer."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest

from service.domain.foundation import idempotency
from service.storage.models import Appointment, IdempotencyKey, Patient
from tests.api.program import Program
from tests.crowd import together
from tests.web.frozen_clinic import Clinic

Programs = Callable[..., Program]
NORA = {"name": "Nora Neu"}


def wish(clinic: Clinic, time: str = "09:00", **more: Any) -> dict[str, Any]:
    return {"doctor_id": "any", "starts_at": f"2026-06-01T{time}:00+02:00", "patient_id": clinic.pia, **more}


def test_b3_the_same_key_again_gets_the_same_answer_and_does_nothing(clinic: Clinic, program: Programs) -> None:
    caller = program("receptionist")
    first, again = (caller.post("/patients", {**NORA, "confirm": True}, key="k1") for _ in range(2))
    assert (first.status_code, first.data, first.headers["Location"]) == (201, again.data, again.headers["Location"])
    assert again.status_code == 201
    assert clinic.house.count(Patient, Patient.name == "Nora Neu") == 1


def test_the_answer_is_the_one_of_then(clinic: Clinic, program: Programs) -> None:
    caller = program("receptionist")
    first = caller.post("/appointments", wish(clinic), key="k")
    assert caller.post(f"/appointments/{first.get_json()['id']}/cancellation").status_code == 200
    assert caller.post("/appointments", wish(clinic), key="k").data == first.data


@pytest.mark.parametrize(("path", "time"), [("/appointments", "10:00"), ("/patients", "09:00")])
def test_another_request_under_the_same_key_is_refused(clinic: Clinic, program: Programs, path: str, time: str) -> None:
    caller = program("receptionist")
    assert caller.post("/appointments", wish(clinic), key="k").status_code == 201
    body = wish(clinic, time) if path == "/appointments" else NORA
    answer = caller.post(path, body, key="k")
    assert (answer.status_code, answer.get_json()["errors"][0]["field"]) == (422, "Idempotency-Key")
    assert clinic.house.count(Patient, Patient.name == "Nora Neu") == 0


def test_a_key_is_its_token_s_own(clinic: Clinic, program: Programs) -> None:
    bodies = ({"name": "Nora Neu"}, {"name": "Nils Neu"})
    made = [program("receptionist").post("/patients", body, key="k").get_json()["id"] for body in bodies]
    assert len(set(made)) == 2


def test_what_was_refused_may_be_tried_again_under_the_same_key(clinic: Clinic, program: Programs) -> None:
    caller = program("receptionist")
    doctor = clinic.people["doctor"].doctor_id
    taken = {"doctor_id": doctor, "patient_id": clinic.otto, "starts_at": "2026-06-15T09:00:00+02:00"}
    assert caller.post("/appointments", taken, key="k").status_code == 409
    assert caller.post(f"/appointments/{clinic.ahead}/cancellation").status_code == 200
    assert caller.post("/appointments", taken, key="k").status_code == 201


@pytest.mark.parametrize("key", ["", " ", "x" * 101, "\u00e4".encode().decode("latin-1"), "a\tb"])
def test_a_key_that_is_none_is_refused(clinic: Clinic, program: Programs, key: str) -> None:
    caller = program("receptionist")
    assert caller.post("/patients", NORA, key=key).status_code == 422
    assert clinic.house.count(Patient, Patient.name == "Nora Neu") == 0


def test_it_is_kept_for_a_day_and_then_cleaned_up(clinic: Clinic, program: Programs) -> None:
    caller = program("receptionist")
    first = caller.post("/patients", {**NORA, "confirm": True}, key="k").get_json()["id"]
    clinic.clock.shift(idempotency.KEPT_FOR - timedelta(seconds=1))
    assert caller.post("/patients", {**NORA, "confirm": True}, key="k").get_json()["id"] == first
    clinic.clock.shift(timedelta(seconds=1))
    assert caller.post("/patients", {**NORA, "confirm": True}, key="k").get_json()["id"] != first
    clinic.clock.shift(idempotency.KEPT_FOR)
    clinic.house.clean_up()
    assert clinic.house.count(IdempotencyKey) == 0


def test_b3_at_the_same_moment_it_is_one_act(clinic: Clinic, program: Programs) -> None:
    caller, before = program("receptionist"), clinic.house.count(Appointment)
    assert caller.get("/doctors").status_code == 200  # its use is noted for this minute

    def book(_number: int) -> tuple[int, bytes]:
        answer = caller.post("/appointments", wish(clinic), key="at-once")
        return answer.status_code, answer.data

    answers = set(together(8, book))
    assert {status for status, _body in answers} == {201}
    assert len(answers) == 1
    assert clinic.house.count(Appointment) == before + 1


def test_an_export_is_queued_once(clinic: Clinic, program: Programs, monkeypatch: pytest.MonkeyPatch) -> None:
    queued: list[str] = []
    monkeypatch.setattr(clinic.house.wiring.queue, "export", queued.append)
    clinic.clock.shift(timedelta(minutes=1))
    caller = program("patient")
    first, again = (caller.post("/exports", {"format": "json"}, key="k").get_json() for _ in range(2))
    assert queued == [first["id"]]
    assert again == first
