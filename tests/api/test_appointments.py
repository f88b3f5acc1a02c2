"""Booking, moving and closing appointments from another program; what it is told when it comes second or too late."""

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import select

from service import clock
from service.storage.models import Appointment, VisitType
from tests import patience
from tests.api.program import Program
from tests.crowd import together
from tests.house import at
from tests.web.frozen_clinic import Clinic

Programs = Callable[..., Program]
NINE = "2026-06-01T09:00:00+02:00"


def doctor(clinic: Clinic) -> int:
    found = clinic.people["doctor"].doctor_id
    assert found is not None
    return found


def test_the_next_free_time_of_any_doctor_of_a_department(clinic: Clinic, program: Programs) -> None:
    clinic.clock.shift(timedelta(minutes=1))
    caller = program("receptionist")
    soonest = caller.get("/doctors/any/free-times?department=Ears&days=7").get_json()["items"][0]
    wish = {"doctor_id": "any", "department": "Ears", "starts_at": soonest["starts_at"], "patient_id": clinic.guest}
    made = caller.post("/appointments", wish)
    assert made.status_code == 201
    assert made.get_json()["doctor_id"] == clinic.people["other doctor"].doctor_id
    assert made.get_json()["starts_at"] == soonest["starts_at"]
    assert caller.get(made.headers["Location"].removeprefix("/api/v1")).get_json() == made.get_json()


def test_times_are_read_with_any_offset_and_told_with_the_clinic_s(clinic: Clinic, program: Programs) -> None:
    wish = {"doctor_id": doctor(clinic), "starts_at": "2026-06-01T12:30:00+05:30"}
    assert program("patient").post("/appointments", wish).get_json()["starts_at"] == NINE


def test_who_comes_second_is_told_the_nearest_free_times(clinic: Clinic, program: Programs) -> None:
    wish = {"doctor_id": doctor(clinic), "starts_at": NINE}
    assert program("patient").post("/appointments", wish).status_code == 201
    late = program("other patient").post("/appointments", wish)
    assert late.status_code == 409
    assert late.get_json()["free_times"]
    desk = program("receptionist").post("/appointments", {**wish, "patient_id": clinic.guest})
    assert desk.status_code == 409
    nearest = [one["starts_at"] for one in desk.get_json()["free_times"]]
    assert nearest == ["2026-06-01T08:30:00+02:00", "2026-06-01T08:45:00+02:00", "2026-06-01T09:15:00+02:00"]
    blocked = program("receptionist").post(f"/appointments/{clinic.ahead}/reschedule", {"starts_at": NINE})
    assert blocked.status_code == 409
    assert {one["doctor_id"] for one in blocked.get_json()["free_times"]} == {doctor(clinic)}


def test_the_free_times_that_are_told_are_long_enough(clinic: Clinic, program: Programs) -> None:
    with clinic.house.writing() as session:
        session.add(VisitType(name="Ultrasound", minutes=30, online=True, created_at=clock.now()))
    with clinic.house.reading() as session:
        kind = session.scalars(select(VisitType.id).where(VisitType.name == "Ultrasound")).one()
    wish = {"doctor_id": doctor(clinic), "starts_at": NINE}
    assert program("patient").post("/appointments", wish).status_code == 201
    late = program("other patient").post("/appointments", {**wish, "visit_type_id": kind})
    assert late.status_code == 409
    nearest = late.get_json()["free_times"]
    long = timedelta(minutes=30)
    assert all(datetime.fromisoformat(x["ends_at"]) - datetime.fromisoformat(x["starts_at"]) == long for x in nearest)
    again = {**wish, "visit_type_id": kind, "starts_at": nearest[0]["starts_at"]}
    assert program("other patient").post("/appointments", again).status_code == 201


def test_b1_of_many_at_once_one_gets_the_time(clinic: Clinic, program: Programs) -> None:
    guests = [clinic.house.patient(f"Guest {number}") for number in range(6)]
    caller = program("receptionist")
    assert caller.get("/doctors").status_code == 200  # its use is noted for this minute

    def book(number: int) -> int:
        wish = {"doctor_id": doctor(clinic), "starts_at": NINE, "patient_id": guests[number]}
        return caller.post("/appointments", wish).status_code

    assert sorted(together(6, book)) == [201, 409, 409, 409, 409, 409]


def test_b7_an_old_version_is_refused_and_the_present_one_is_not(clinic: Clinic, program: Programs) -> None:
    caller, path = program("receptionist"), f"/appointments/{clinic.begun}"
    version = caller.get(path).get_json()["version"]
    arrived = caller.post(f"{path}/arrival", {"version": version})
    assert arrived.get_json()["status"] == "arrived"
    for word in ("cancellation", "completion", "no-show"):
        assert caller.post(f"{path}/{word}", {"version": version}).status_code == 409
    moved = {"version": version, "starts_at": NINE}
    assert caller.post(f"{path}/reschedule", moved).status_code == 409
    done = caller.post(f"{path}/completion", {"version": arrived.get_json()["version"]})
    assert done.get_json()["status"] == "completed"


def test_b7_an_old_version_of_a_record_or_a_treatment_is_refused(clinic: Clinic, program: Programs) -> None:
    caller, path = program("doctor"), f"/appointments/{clinic.past}/treatment"
    present = caller.get(path).get_json()
    changed = caller.put(path, {"notes": "Better", "version": present["version"]})
    assert changed.get_json()["version"] == present["version"] + 1
    assert changed.get_json()["diagnosis"] == ""
    assert caller.put(path, {"notes": "Worse", "version": present["version"]}).status_code == 409
    assert caller.get(path).get_json()["notes"] == "Better"
    record = f"/patients/{clinic.pia}"
    assert caller.put(record, {"name": "Pia Linde", "version": 1}).get_json()["version"] == 2
    assert caller.put(record, {"name": "Pia Ahorn", "version": 1}).status_code == 409


def test_a_move_answers_with_the_visit_that_takes_its_place(clinic: Clinic, program: Programs) -> None:
    moved = program("patient").post(f"/appointments/{clinic.ahead}/reschedule", {"starts_at": NINE})
    assert (moved.status_code, moved.get_json()["rescheduled_from_id"]) == (201, clinic.ahead)
    before = program("patient").get(f"/appointments/{clinic.ahead}").get_json()
    assert (before["status"], before["rescheduled_at"] is not None) == ("cancelled", True)


def test_a_patient_may_leave_themselves_out_and_the_desk_may_not(clinic: Clinic, program: Programs) -> None:
    wish = {"doctor_id": doctor(clinic), "starts_at": NINE}
    assert program("patient").post("/appointments", wish).get_json()["patient_id"] == clinic.pia
    refused = program("receptionist").post("/appointments", wish)
    assert (refused.status_code, refused.get_json()["errors"][0]["field"]) == (422, "patient_id")


def test_b5_a_time_that_is_past_or_not_offered_is_refused(clinic: Clinic, program: Programs) -> None:
    caller = program("patient")
    for moment in ("2026-05-06T09:00:00+02:00", "2026-06-01T03:00:00+02:00", "2026-06-01T09:07:00+02:00"):
        answer = caller.post("/appointments", {"doctor_id": doctor(clinic), "starts_at": moment})
        assert (answer.status_code, answer.get_json()["errors"][0]["field"]) == (422, "starts_at")


def pages(caller: Program, path: str) -> list[list[dict[str, Any]]]:
    """All pages of a list."""
    found, after = [], ""
    while True:
        page = caller.get(f"{path}{after and f'&after={after}'}").get_json()
        found.append(page["items"])
        if page["next"] is None:
            return found
        after = page["next"]


def test_a_list_is_read_page_by_page_in_order_and_whole(clinic: Clinic, program: Programs) -> None:
    for number in range(7):
        moment = at("2026-07-01 07:00") + timedelta(minutes=15 * number)
        clinic.house.visit(doctor(clinic), clinic.guest, moment)
    query = f"/appointments?patient_id={clinic.guest}&limit=3"
    found = pages(program("admin"), query)
    assert [len(page) for page in found] == [3, 3, 1]
    starts = [datetime.fromisoformat(one["starts_at"]) for page in found for one in page]
    assert starts == sorted(set(starts))
    times = pages(program("admin"), "/doctors/any/free-times?date=2026-07-01&days=2&limit=20")
    moments = [one["starts_at"] for page in times for one in page]
    assert moments == sorted(set(moments))
    assert [len(page) for page in times[:-1]] == [20] * (len(times) - 1)
    assert [len(page) for page in pages(program("admin"), "/doctors?limit=1")] == [1, 1]


def test_a_list_is_asked_by_period_doctor_and_status(clinic: Clinic, program: Programs) -> None:
    caller = program("admin")
    for query, wanted in (
        ("from=2026-06-15T09:00:00%2B02:00&to=2026-06-15T09:00:01%2B02:00", {clinic.ahead}),
        (f"status=completed&doctor_id={doctor(clinic)}", {clinic.past}),
        (f"from=2026-06-15T09:00:01%2B02:00&patient_id={clinic.pia}", set()),
    ):
        assert {one["id"] for one in caller.get(f"/appointments?{query}").get_json()["items"]} == wanted


def test_a_patient_who_may_already_exist_is_not_created_twice(clinic: Clinic, program: Programs) -> None:
    caller = program("receptionist")
    assert caller.post("/patients", {"name": "pia ahorn"}).status_code == 409
    made = caller.post("/patients", {"name": "pia ahorn", "confirm": True})
    assert made.status_code == 201
    assert clinic.house.count(Appointment, Appointment.patient_id == made.get_json()["id"]) == 0


def test_an_export_is_asked_for_followed_and_downloaded(clinic: Clinic, program: Programs) -> None:
    caller = program("patient")
    clinic.clock.shift(timedelta(minutes=1))
    made = caller.post("/exports", {"format": "json", "visits": True})
    here = made.headers["Location"].removeprefix("/api/v1")
    clinic.house.wiring.queue.stop(patience.SECONDS)
    clinic.house.export(made.get_json()["id"])
    assert caller.get(here).get_json()["status"] == "available"
    file = caller.get(f"{here}/file")
    assert (file.status_code, file.mimetype) == (200, "application/json")
    assert caller.get(here).get_json()["downloads"] == 1
    clinic.clock.shift(timedelta(hours=clinic.house.settings.exports.keep_hours + 1))
    assert caller.get(f"{here}/file").status_code == 410
    assert caller.get(here).get_json()["status"] == "expired"
    assert caller.post("/exports", {"format": "csv", "visits": True}).status_code == 422
