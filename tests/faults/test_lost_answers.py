"""A commit whose answer is lost: the server is asked, or a page says *unknown*, and nothing is done twice."""

import json
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

import pytest
import time_machine

from tests.api.program import token_of
from tests.faults.clinic import wall
from tests.faults.cut_lines import Cut, Line, line_to
from tests.house import House
from tests.process.launching import ON_SERVER, Answer, Client, configure, rows, serving

pytestmark = pytest.mark.postgresql

NOW = wall("2026-05-04 09:00")
RITA = "rita@clinic.example"


@dataclass(frozen=True)
class Act:
    """Something the desk does, the statement its transaction says, and a query whose answer shows that it was done."""

    path: str
    form: dict[str, str]
    words: bytes
    done: str
    again: int
    """How the same form is answered once it was done."""


ACTS = {
    "book": Act(
        "/appointments",
        {"patient_id": "1", "doctor_id": "1", "starts_at": "2026-05-05T10:00"},
        b"INSERT INTO appointments",
        "SELECT count(*) FROM appointments WHERE starts_at = '2026-05-05 08:00+00'",
        303,
    ),
    "move": Act(
        "/appointments/1/reschedule",
        {"starts_at": "2026-05-06T10:00"},
        b"INSERT INTO appointments",
        "SELECT count(*) FROM appointments WHERE starts_at = '2026-05-06 08:00+00'",
        303,
    ),
    "cancel": Act(
        "/appointments/1/cancellation",
        {"reason": "Well again"},
        b"UPDATE appointments",
        "SELECT count(*) FROM audit WHERE act = 'appointment.cancel'",
        303,
    ),
    "walk in": Act(
        "/walk-ins",
        {"patient_id": "2", "doctor_id": "1"},
        b"INSERT INTO appointments",
        "SELECT count(*) FROM appointments WHERE patient_id = 2",
        409,
    ),
}


@dataclass
class Desk:
    """Someone at the desk of a service whose line to the database may break."""

    folder: Path
    client: Client
    line: Line

    def press(self, act: Act) -> Answer:
        return self.client.post(act.path, act.form)

    def done(self, act: Act) -> int:
        """How often it was done, asked over another line."""
        ((count,),) = rows(self.folder, act.done)
        return int(count)


@pytest.fixture
def database_kind() -> str:
    """PostgreSQL: a file has no line to it."""
    return "postgresql"


@pytest.fixture
def desk(house: House, database_url: str, tmp_path: Path) -> Iterator[Desk]:
    """A clinic on a Monday morning, with an appointment on Friday."""
    with time_machine.travel(NOW):
        doctor = house.user("doctor", "ada@clinic.example", "Dr Ada").doctor_id
        house.hours(doctor)
        house.user("receptionist", RITA, "Rita")
        eve, _otto = house.patient("Eve"), house.patient("Otto")
        house.visit(doctor, eve, NOW + timedelta(days=4))
    own = tmp_path / "web"
    own.mkdir()
    shutil.copy(tmp_path / "secret.key", own)
    configure(own)
    with line_to(database_url) as line:
        ON_SERVER[own] = line.url
        with serving(own, at=NOW) as service:
            client = service.client(RITA)
            client.token()
            yield Desk(tmp_path, client, line)
            line.is_open.set()
        del ON_SERVER[own]


@pytest.mark.parametrize("name", ACTS)
def test_f29_a_commit_whose_answer_is_lost_is_looked_up_and_answered_as_if_nothing_had_been(
    desk: Desk, name: str
) -> None:
    act = ACTS[name]
    desk.line.cut(Cut.AFTER, act.words, stays=False)
    answer = desk.press(act)
    assert desk.line.was_cut.is_set()
    assert (answer.status, desk.done(act)) == (303, 1)
    assert "lost-answers" not in answer.location
    assert desk.client.get(answer.location).status == 200
    assert desk.press(act).status == act.again
    assert desk.done(act) == 1


@pytest.mark.parametrize("name", ACTS)
def test_f29_while_the_server_is_away_a_page_says_unknown_and_a_reload_tells(desk: Desk, name: str) -> None:
    act = ACTS[name]
    desk.line.cut(Cut.AFTER, act.words, stays=True)
    answer = desk.press(act)
    assert (answer.status, answer.location.startswith("/lost-answers/")) == (303, True)
    page = desk.client.get(answer.location)
    assert page.status == 503
    assert "may have been saved" in page.text
    assert "Reload this page" in page.text
    desk.line.is_open.set()
    page = desk.client.get(answer.location)
    assert page.status == 200
    assert "Your change was saved" in page.text
    assert desk.press(act).status == act.again
    assert desk.done(act) == 1


def test_f29_what_was_not_kept_is_said_and_can_be_sent_again(desk: Desk) -> None:
    act = ACTS["book"]
    desk.line.cut(Cut.BEFORE, act.words, stays=False)
    refused = desk.press(act)
    assert refused.status == 503
    assert "Nothing was changed" in refused.text
    assert desk.done(act) == 0
    desk.line.cut(Cut.BEFORE, act.words, stays=True)
    unknown = desk.press(act)
    assert "may have been saved" in desk.client.get(unknown.location).text
    desk.line.is_open.set()
    assert "Your change was not saved" in desk.client.get(unknown.location).text
    assert desk.press(act).status == 303
    assert desk.done(act) == 1


def test_f29_a_program_is_told_that_the_outcome_is_unknown_and_its_key_tells_later(desk: Desk, house: House) -> None:
    act = ACTS["book"]
    body = json.dumps({"patient_id": 1, "doctor_id": 1, "starts_at": "2026-05-05T10:00:00+02:00"})
    headers = {
        "Authorization": f"Bearer {token_of(house, 'rita')}",
        "Content-Type": "application/json",
        "Idempotency-Key": "one-booking",
    }
    program = Client(desk.client.url, headers=headers)
    desk.line.cut(Cut.AFTER, act.words, stays=True)
    refused = program.begin("POST", "/api/v1/appointments", body)()
    assert refused.status == 503
    assert "can't tell whether this was saved" in refused.text
    desk.line.is_open.set()
    assert program.begin("POST", "/api/v1/appointments", body)().status == 201
    assert desk.done(act) == 1


def test_f29_nobody_asks_about_transactions_of_others(desk: Desk) -> None:
    act = ACTS["book"]
    desk.line.cut(Cut.AFTER, act.words, stays=True)
    named = desk.press(act).location
    desk.line.is_open.set()
    number, signature = named.removeprefix("/lost-answers/").split("-")
    for other in (f"{int(number) - 1}-{signature}", f"{number}-{'0' * 32}", number, "-", f"{number}-{signature}0"):
        assert desk.client.get(f"/lost-answers/{other}").status == 404
