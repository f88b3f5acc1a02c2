"""The links to appointments in messages.

GET only shows, POST acts, a cancellation can be undone for ten minutes, and no token is stored.
"""

import re
from collections.abc import Callable
from datetime import timedelta

import pytest

from service.domain.outbox import channels, reminders
from service.storage.models import Appointment, Message, MessageLink
from tests.api.program import Program, token_of
from tests.house import at, day
from tests.web import mail
from tests.web.frozen_clinic import NOBODY, Clinic, email, minutes
from tests.web.frozen_clinic import the_log as the_log
from tests.web.reading import faults, parsed, words


@pytest.fixture(name="booked")
def a_booked_visit(clinic: Clinic) -> int:
    """Pia's appointment on Monday, June 1, at 9, which staff booked just now."""
    form = {"patient_id": clinic.pia, "doctor_id": clinic.people["doctor"].doctor_id, "starts_at": "2026-06-01T09:00"}
    answer = clinic.browser("receptionist").post("/appointments", form)
    assert answer.status_code == 303
    return int(answer.location.rsplit("/", 1)[1])


@pytest.fixture(name="path")
def the_link(clinic: Clinic, booked: int) -> str:
    """The link in its confirmation."""
    return mail.link(mail.letter(clinic, "booking_confirmation"), "visit")


def visit(clinic: Clinic, visit_id: int) -> Appointment:
    with clinic.house.reading() as session:
        return session.get_one(Appointment, visit_id)


def state(clinic: Clinic, path: str) -> str:
    return words(parsed(clinic.browser(NOBODY).get(path)).find("main"))


def test_opening_the_link_shows_and_changes_nothing(clinic: Clinic, booked: int, path: str) -> None:
    browser = clinic.browser(NOBODY)
    for _turn in range(3):
        answer = browser.get(path)
        assert answer.status_code == 200
        assert answer.headers["Cache-Control"] == "no-store"
        assert answer.headers["Referrer-Policy"] == "same-origin"
    assert browser.client.head(path).status_code == 200
    text = answer.get_data(as_text=True)
    assert faults(text) == []
    assert "Mon, 1 Jun, 09:00" in text
    assert [one for one in ("Ahorn", "Eyes", "Pia", "030") if one in text] == []
    assert (visit(clinic, booked).status, visit(clinic, booked).confirmed_at) == ("booked", None)


def test_a_patient_confirms_by_link_and_the_link_shows_it(clinic: Clinic, booked: int, path: str) -> None:
    browser = clinic.browser(NOBODY)
    for _twice in range(2):
        answer = browser.post(f"{path}/confirmation", {"appointment_id": booked})
        assert (answer.status_code, answer.location) == (303, path)
    assert visit(clinic, booked).confirmed_at is not None
    assert "Confirmed" in state(clinic, path)


def test_a_patient_cancels_by_link_and_undoes_it_within_ten_minutes(clinic: Clinic, booked: int, path: str) -> None:
    browser = clinic.browser(NOBODY)
    for _twice in range(2):
        assert browser.post(f"{path}/cancellation", {"appointment_id": booked}).status_code == 303
    assert (visit(clinic, booked).status, visit(clinic, booked).cancelled_by) == ("cancelled", "patient")
    assert "Undo cancellation" in state(clinic, path)
    assert mail.letters(clinic) == []  # sent once it can no longer be undone
    clinic.clock.shift(minutes(9))
    assert browser.post(f"{path}/undo", {"appointment_id": booked}).status_code == 303
    assert visit(clinic, booked).status == "booked"
    clinic.clock.shift(minutes(20))
    assert mail.letters(clinic) == []  # no message was sent, so none corrects it
    assert [row.skip_reason for row in mail.rows(clinic, "visit_cancelled")] == ["cancelled"]


def test_after_ten_minutes_it_stays_canceled_and_the_message_is_sent(clinic: Clinic, booked: int, path: str) -> None:
    browser = clinic.browser(NOBODY)
    browser.post(f"{path}/cancellation", {"appointment_id": booked})
    clinic.clock.shift(minutes(10))
    assert "Undo cancellation" not in state(clinic, path)
    assert browser.post(f"{path}/undo", {"appointment_id": booked}).status_code == 409
    assert "Canceled at Our clinic: Mon, 1 Jun, 09:00" in mail.letter(clinic, "visit_cancelled").subject
    assert visit(clinic, booked).status == "cancelled"


def test_a_patient_reschedules_by_link_and_the_link_shows_the_new_time(clinic: Clinic, booked: int, path: str) -> None:
    browser = clinic.browser(NOBODY)
    page = browser.get(f"{path}/reschedule?appointment_id={booked}&date=2026-06-02")
    assert page.status_code == 200
    assert faults(page.get_data(as_text=True)) == []
    times = re.findall(r'name="starts_at" id="[^"]+" value="([^"]+)"', page.get_data(as_text=True))
    assert "2026-06-02T10:00" in times
    answer = browser.post(f"{path}/reschedule", {"appointment_id": booked, "starts_at": "2026-06-02T10:00"})
    assert (answer.status_code, answer.location) == (303, path)
    assert visit(clinic, booked).rescheduled_at is not None
    assert "Tue, 2 Jun, 10:00" in state(clinic, path)
    told = mail.letter(clinic, "visit_moved")
    assert "The old time, Mon, 1 Jun, 09:00, no longer applies." in told.body
    again = browser.post(f"{path}/cancellation", {"appointment_id": booked})
    assert again.status_code == 409  # the old appointment was already replaced
    clinic.clock.move_to(at("2026-06-02 07:30"))  # past the old appointment, before the new one
    assert "Tue, 2 Jun, 10:00" in state(clinic, path)


@pytest.mark.parametrize(
    ("starts_at", "status"),
    [("2026-06-15T09:00", 409), ("2026-06-01T09:00", 422), ("2026-06-01T03:00", 422), ("x", 422), ("", 422)],
)
def test_a_time_that_is_not_free_is_refused_on_the_same_page(
    clinic: Clinic, booked: int, path: str, starts_at: str, status: int
) -> None:
    answer = clinic.browser(NOBODY).post(f"{path}/reschedule", {"appointment_id": booked, "starts_at": starts_at})
    assert answer.status_code == status
    assert faults(answer.get_data(as_text=True)) == []
    assert visit(clinic, booked).status == "booked"


def test_after_the_cutoff_a_link_can_only_confirm(clinic: Clinic, booked: int, path: str) -> None:
    clinic.clock.move_to(at("2026-06-01 05:00"))
    browser = clinic.browser(NOBODY)
    assert "Cancel appointment" not in state(clinic, path)
    assert browser.post(f"{path}/cancellation", {"appointment_id": booked}).status_code == 409
    elsewhen = {"appointment_id": booked, "starts_at": "2026-06-02T10:00"}
    assert browser.post(f"{path}/reschedule", elsewhen).status_code == 409
    assert browser.post(f"{path}/confirmation", {"appointment_id": booked}).status_code == 303
    assert visit(clinic, booked).status == "booked"


def test_a_link_expires_with_its_appointment(clinic: Clinic, booked: int, path: str) -> None:
    clinic.clock.move_to(at("2026-06-01 07:15"))
    browser = clinic.browser(NOBODY)
    for answer in (browser.get(path), browser.post(f"{path}/cancellation", {"appointment_id": booked})):
        assert answer.status_code == 410
    assert visit(clinic, booked).status == "booked"


@pytest.mark.parametrize("other", ["begun", "other_visit", "missing", "words"])
def test_z3_a_link_cannot_change_other_appointments(clinic: Clinic, path: str, other: str) -> None:
    wanted = {"missing": 999_999, "words": "1 OR 1"}.get(other) or getattr(clinic, other)
    browser = clinic.browser(NOBODY)
    for act in ("confirmation", "cancellation", "undo", "reschedule"):
        form = {"appointment_id": wanted, **({"starts_at": "2026-06-02T10:00"} if act == "reschedule" else {})}
        assert browser.post(f"{path}/{act}", form).status_code == 404
    assert browser.get(f"{path}/reschedule?appointment_id={wanted}").status_code == 404
    assert clinic.house.count(Appointment, Appointment.status == "cancelled") == 0


@pytest.mark.parametrize("token", ["A" * 43, "short", "A" * 44, "../../livez", "%00" * 43, "ä" * 43])
def test_unknown_and_malformed_tokens_are_not_found(clinic: Clinic, path: str, token: str) -> None:
    browser = clinic.browser(NOBODY)
    for page in ("visit", "offer", "contact"):
        assert browser.get(f"/{page}/{token}").status_code == 404
    assert browser.get(path.replace("/visit/", "/offer/")).status_code == 404
    assert browser.get(path.replace("/visit/", "/contact/")).status_code == 404


def test_a7_guessing_links_is_throttled(clinic: Clinic, path: str) -> None:
    browser = clinic.browser(NOBODY)
    answers = [browser.get(f"/visit/{turn:043}").status_code for turn in range(32)]
    assert answers[:30] == [404] * 30
    assert answers[31] == 429
    assert browser.get(path).status_code == 200  # a link that exists still opens


def test_requests_with_one_link_are_limited(clinic: Clinic, booked: int, path: str) -> None:
    browser, last = clinic.browser(NOBODY), 303
    token = browser.token()
    for _turn in range(31):
        form = {"appointment_id": booked, "csrf_token": token}
        last = browser.client.post(f"{path}/confirmation", data=form).status_code
    assert last == 429


def test_w3_the_buttons_need_the_form_token(clinic: Clinic, booked: int, path: str) -> None:
    for act in ("confirmation", "cancellation", "undo", "reschedule"):
        answer = clinic.browser(NOBODY).client.post(f"{path}/{act}", data={"appointment_id": booked})
        assert answer.status_code == 400
    assert visit(clinic, booked).status == "booked"


def test_a11_no_token_is_stored_in_the_database_or_the_log(
    clinic: Clinic, booked: int, logged: Callable[[], str]
) -> None:
    found = mail.letter(clinic, "booking_confirmation")
    browser = clinic.browser(NOBODY)
    secrets = {mail.link(found, page).rsplit("/", 1)[1] for page in ("visit", "contact")}
    assert len(secrets) == 2
    for page in ("visit", "contact"):
        assert browser.get(mail.link(found, page)).status_code == 200
    browser.post(f"{mail.link(found, 'visit')}/confirmation", {"appointment_id": booked})
    stored = clinic.house.stored()
    assert b"[link]" in stored
    assert [one for one in secrets if one.encode() in stored or one in logged()] == []
    assert all(len(one) == 43 for one in secrets)


def test_a12_links_use_the_public_url_and_not_the_host_header(clinic: Clinic) -> None:
    form = {"patient_id": clinic.pia, "doctor_id": clinic.people["doctor"].doctor_id, "starts_at": "2026-06-01T09:00"}
    browser = clinic.browser("receptionist")
    browser.post("/appointments", form, headers={"X-Forwarded-Host": "evil.example"})
    evil = browser.post("/appointments", {**form, "starts_at": "2026-06-01T10:00"}, headers={"Host": "evil.example"})
    assert evil.status_code == 400
    found = mail.letter(clinic, "booking_confirmation")
    assert {one.rsplit("/", 2)[0] for one in re.findall(r"http\S+", found.body)} == {"http://127.0.0.1:8000"}
    assert "evil" not in found.body + found.html


def test_time_off_proposes_three_times_and_the_patient_chooses_one_by_link(clinic: Clinic, booked: int) -> None:
    doll = clinic.people["doctor"].doctor_id
    mail.letters(clinic)
    desk = clinic.browser("receptionist")
    assert desk.post("/time-off", {"doctor_id": doll, "first_day": "2026-05-31", "last_day": "2026-06-01"}).location
    assert desk.post(f"/appointments/{booked}/proposal").status_code == 303
    found = mail.letter(clinic, "move_proposal")
    times = re.findall(r"\?time=(\S+)", found.body)
    assert len(times) == 3
    path = mail.link(found, "visit")
    browser = clinic.browser(NOBODY)
    clinic.clock.move_to(at("2026-06-01 05:00"))  # after the cutoff, but the clinic proposed the times
    page = browser.get(f"{path}?time={times[-1]}").get_data(as_text=True)
    assert faults(page) == []
    assert re.search(rf'value="{times[-1]}" required checked', page)
    answer = browser.post(f"{path}/reschedule", {"appointment_id": booked, "starts_at": times[-1]})
    assert answer.status_code == 303
    assert visit(clinic, booked).rescheduled_at is not None


@pytest.mark.parametrize("proposed", [False, True])
def test_after_the_cutoff_all_ways_to_change_are_open_or_none(
    clinic: Clinic, booked: int, path: str, proposed: bool
) -> None:
    second = clinic.house.visit(clinic.people["doctor"].doctor_id, clinic.pia, at("2026-06-01 07:30"))
    desk = clinic.browser("receptionist")
    for one in (booked, second) if proposed else ():
        assert desk.post(f"/appointments/{one}/proposal").status_code == 303
    clinic.clock.move_to(at("2026-06-01 05:00"))
    pia, caller = clinic.house.browser(email("patient")), Program(clinic.house.app, token_of(clinic.house, "patient"))
    page = parsed(pia.get(f"/appointments/{booked}"))
    assert bool(page.select(f"form[action='/appointments/{booked}/cancellation']")) == proposed
    assert bool(page.select(f"a[href='/appointments/{booked}/reschedule']")) == proposed
    assert ("Cancel appointment" in state(clinic, path)) == proposed
    times = clinic.browser(NOBODY).get(f"{path}/reschedule?appointment_id={booked}")
    assert times.status_code == (200 if proposed else 409)
    assert pia.post(f"/appointments/{booked}/cancellation", {}).status_code == (303 if proposed else 409)
    assert caller.post(f"/appointments/{second}/cancellation", {}).status_code == (200 if proposed else 409)


def test_one_link_for_a_family_shows_all_of_its_appointments(clinic: Clinic) -> None:
    doll, house = clinic.people["doctor"].doctor_id, clinic.house
    ids = [
        house.visit(doll, house.patient(name, email="vogt@mail.example"), at(f"2026-05-06 {time}"))
        for name, time in (("Lena Vogt", "14:00"), ("Mia Vogt", "15:00"))
    ]
    with house.writing() as session:
        reminders.plan(
            session, reminders.of_day(day("2026-05-06"), house.settings.clinic.zone), channels.ways(house.settings)
        )
    (found,) = [one for one in mail.letters(clinic) if "Lena" in one.body]
    path = mail.link(found, "visit")
    shown = state(clinic, path)
    assert ("Lena" in shown, "Mia" in shown, "Vogt" in shown) == (True, True, False)
    browser = clinic.browser(NOBODY)
    for one in ids:
        assert browser.post(f"{path}/confirmation", {"appointment_id": one}).status_code == 303
        assert visit(clinic, one).confirmed_at is not None


def test_old_links_are_removed(clinic: Clinic, booked: int, path: str) -> None:
    assert clinic.house.count(MessageLink) > 0
    clinic.clock.shift(timedelta(days=500))
    clinic.house.clean_up()
    assert clinic.house.count(MessageLink) == 0
    assert clinic.house.count(Message) > 0
