"""The outbox against a real mail server and a real gateway: whatever they do, no one gets two and the others go on."""

import socket
from collections.abc import Callable, Iterator
from contextlib import closing
from datetime import timedelta

import pytest
import time_machine

from service.domain.foundation.actor import Actor
from service.domain.messages import content, deliveries, messages
from service.domain.outbox import outbox, reminders
from service.http import context
from service.jobs import local_backend
from service.notifications import email
from service.notifications.channels import choose
from service.notifications.message import OutgoingMessage
from service.storage.models import Channel, Installation, JobRun, Message, Patient, User
from tests import patience
from tests.crowd import together
from tests.house import House, at, day
from tests.jobs.by_hand import opened
from tests.patience import until
from tests.services import sms_gateway
from tests.services.mail_server import MailServer, running
from tests.services.sms_gateway import Answer, Gateway

JOB = "send_daily_reminders"
Opened = Callable[..., House]


@pytest.fixture
def clock() -> Iterator[time_machine.Traveller]:
    """Stands at 8 o'clock in Berlin on Monday, 4 May 2026; `shift` moves it on."""
    with time_machine.travel(at("2026-05-04 06:00"), tick=False) as traveller:
        yield traveller


@pytest.fixture
def server() -> Iterator[MailServer]:
    """A mail server that takes everything."""
    made = MailServer()
    with running(made):
        yield made


@pytest.fixture
def mailing(make_house: Opened, server: MailServer) -> House:
    """A clinic that uses the mail server."""
    return make_house(email=server.settings())


def morning(house: House, patients: int) -> list[str]:
    """So many patients with an appointment today at 14:00; returns their addresses."""
    doctor = house.user("doctor", "doctor@clinic.example", "Dr. Ada Berg").doctor_id
    for number in range(patients):
        patient = house.patient(f"Patient {number}", email=f"p{number}@mail.example")
        house.visit(doctor, patient, at("2026-05-04 12:00"), overbooked=True)
    return [f"p{number}@mail.example" for number in range(patients)]


def another(house: House, owner: str = "serve-two") -> House:
    """Another process of the same clinic, with connections of its own."""
    return house.process(choose(house.settings), owner)


def run(house: House, process: House | None = None) -> dict[str, int]:
    """Today's reminders; returns what the run changed."""
    outcome = (process or house).execute(opened(house, JOB))
    assert outcome is not None
    changed: dict[str, int] = outcome["run"]
    return changed


def rows(house: House) -> list[Message]:
    with house.reading() as session:
        return session.query(Message).order_by(Message.id).all()


def post(house: House, to: Actor, rule: str = "password_reset") -> int:
    """A message to someone who signs in; returns its id."""
    with house.writing() as session:
        return outbox.to_user(session, rule, session.get_one(User, to.user_id), event="test").id


@pytest.fixture
def plain_letters(monkeypatch: pytest.MonkeyPatch) -> None:
    """Letters about whatever say the same, with a link in them."""

    def write(_session: object, row: Message, *_more: object) -> OutgoingMessage:
        return OutgoingMessage(row.id, row.recipient or "", "News", "Look: https://rounds.example/reset/s3cr3t .\n")

    monkeypatch.setattr(content, "write", write)


# The mail server


@pytest.mark.usefixtures("clock")
def test_a_morning_leaves_by_e_mail_along_one_connection(mailing: House, server: MailServer) -> None:
    everybody = morning(mailing, 20)
    assert run(mailing)["sent"] == 20
    assert server.told == dict.fromkeys(everybody, 1)
    assert server.connections == 1
    assert {(row.channel, row.status, row.attempts) for row in rows(mailing)} == {("email", "sent", 1)}
    assert rows(mailing)[0].answer == "250 OK queued as 1"


def test_f12_while_the_mail_server_is_down_messages_wait_and_then_leave_once(
    make_house: Opened, clock: time_machine.Traveller
) -> None:
    server = MailServer()
    with running(server):
        house = make_house(email=server.settings())
    everybody = morning(house, 30)
    assert run(house)["queued"] == 30
    for _minute in range(6):
        clock.shift(60)
        house.deliver()
    assert sum(row.attempts for row in rows(house)) <= 5, "one is tried at a time, not all of them"
    with running(server):
        clock.shift(300)
        house = make_house(email=server.settings())
        house.deliver()
        clock.shift(600)
        house.deliver()
    assert server.told == dict.fromkeys(everybody, 1)


def test_f14_greylisted_mail_is_sent_at_the_second_try(
    mailing: House, server: MailServer, clock: time_machine.Traveller
) -> None:
    everybody, seen = morning(mailing, 5), set[str]()

    def grey(recipient: str) -> str:
        new = recipient not in seen
        seen.add(recipient)
        return "451 greylisted" if new else ""

    server.on_recipient = grey
    assert run(mailing)["queued"] == 5
    assert {row.last_error for row in rows(mailing)} == {"451 greylisted"}
    mailing.deliver()
    assert server.told == {}, "not before the pause is over"
    clock.shift(deliveries.FIRST_PAUSE)
    mailing.deliver()
    assert server.told == dict.fromkeys(everybody, 1)


def test_f15_r10_one_unknown_address_fails_with_its_reason_and_the_others_go_on(
    mailing: House, server: MailServer, clock: time_machine.Traveller
) -> None:
    everybody = morning(mailing, 4)
    server.on_recipient = lambda who: "550 5.1.1 no such user" if who == everybody[1] else ""
    changed = run(mailing)
    assert (changed["sent"], changed["failed"]) == (3, 1)
    failed = rows(mailing)[1]
    assert (failed.status, failed.last_error) == ("failed", "550 5.1.1 no such user")
    clock.shift(timedelta(hours=2))
    mailing.deliver()
    assert sum(server.told.values()) == 3


@pytest.mark.parametrize(("again", "told"), [(False, 1), (True, 2)])
def test_f16_an_answer_that_never_comes_leaves_unknown_and_is_repeated_only_where_the_clinic_says_so(
    make_house: Opened, server: MailServer, clock: time_machine.Traveller, again: bool, told: int
) -> None:
    house = make_house(email=server.settings(retry_unknown=again))
    (address,) = morning(house, 1)
    server.on_content = lambda _who: "DROP"
    run(house)
    for _hour in range(3):
        clock.shift(timedelta(hours=1))
        house.deliver()
    assert [(row.status, row.unsure_at) for row in rows(house)] == [("unknown", at("2026-05-04 06:00"))]
    assert server.told == {address: told}
    assert len({mail.parsed["Message-ID"] for mail in server.mails}) == 1


def test_f16_a_server_that_breaks_at_every_content_makes_few_unknown(
    mailing: House, server: MailServer, clock: time_machine.Traveller
) -> None:
    morning(mailing, 20)
    server.on_content = lambda _who: "DROP"
    run(mailing)
    for _minute in range(5):
        clock.shift(60)
        mailing.deliver()
    assert len(server.mails) <= 4


@pytest.mark.usefixtures("clock")
def test_r1_f11_two_processes_on_one_database_tell_everybody_once(mailing: House, server: MailServer) -> None:
    everybody = morning(mailing, 60)
    processes = [another(mailing, f"serve-{number}") for number in range(2)]
    together(2, lambda number: run(mailing, processes[number]))
    assert server.told == dict.fromkeys(everybody, 1)
    assert {row.status for row in rows(mailing)} == {"sent"}
    run(mailing)
    assert sum(server.told.values()) == 60, "and a run more tells nobody again"


def test_f13_a_mail_server_that_hangs_holds_up_no_other_job(
    make_house: Opened, monkeypatch: pytest.MonkeyPatch, plain_letters: None
) -> None:
    monkeypatch.setattr(email, "SECONDS", patience.SECONDS)
    with closing(socket.create_server(("127.0.0.1", 0))) as mute:
        house = make_house(email=MailServer(port=mute.getsockname()[1]).settings())
        post(house, house.user("admin", "admin@clinic.example"))
        house.wiring.queue.deliver()
        until(lambda: [row.status for row in rows(house)] == ["sending"])
        run_id = opened(house, "generate_monthly_report")
        house.wiring.queue.run(run_id)
        until(lambda: _done(house, run_id))
        assert [row.status for row in rows(house)] == ["sending"], "it hangs meanwhile"
        mute.close()
        until(lambda: [row.status for row in rows(house)] == ["queued"])


def _done(house: House, run_id: int) -> bool:
    with house.reading() as session:
        return session.get_one(JobRun, run_id).status == "done"


# What goes first, and what waits


@pytest.mark.usefixtures("clock", "plain_letters")
def test_a_sign_in_mail_does_not_wait_behind_the_morning(mailing: House, server: MailServer) -> None:
    morning(mailing, 5)
    run_id = opened(mailing, JOB)
    with mailing.writing() as session:
        session.get_one(Installation, 1).messages_paused_at = at("2026-05-04 05:00")
    mailing.execute(run_id)
    post(mailing, mailing.user("admin", "admin@clinic.example"))
    with mailing.writing() as session:
        session.get_one(Installation, 1).messages_paused_at = None
    mailing.deliver()
    assert server.mails[0].recipients == ("admin@clinic.example",)
    assert len(server.mails) == 6


@pytest.mark.usefixtures("clock", "plain_letters")
def test_no_token_rests_in_the_database(mailing: House, server: MailServer) -> None:
    post(mailing, mailing.user("admin", "admin@clinic.example"))
    mailing.deliver()
    assert b"https://rounds.example/reset/s3cr3t" in server.mails[0].content
    assert rows(mailing)[0].body == "Look: [link] .\n"


def test_what_a_page_posts_is_sent_after_its_commit_without_a_tick(
    make_house: Opened, server: MailServer, plain_letters: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(local_backend, "TICK_SECONDS", 2 * patience.SECONDS)
    house = make_house(email=server.settings())
    admin = house.user("admin", "admin@clinic.example")
    house.wiring.queue.start()
    until(lambda: not house.wiring.queue._under_way)  # type: ignore[attr-defined]
    with house.app.test_request_context(), context.transaction() as session:
        outbox.to_user(session, "password_reset", session.get_one(User, admin.user_id), event="test")
    until(lambda: server.told == {"admin@clinic.example": 1})
    with house.app.test_request_context(), context.transaction() as session:
        assert not messages.was_posted(session), "reading posts nothing"


# The gateway


def test_f17_the_gateway_says_when_to_come_back_and_gets_each_sms_once(
    make_house: Opened, clock: time_machine.Traveller, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ROUNDS_SMS_SECRET", "open sesame")
    gateway = Gateway(answers=lambda turn: Answer(429, {"Retry-After": "600"}) if turn == 1 else Answer())
    with sms_gateway.running(gateway):
        house = make_house(sms=gateway.settings())
        _by_sms(house, morning(house, 3))
        house.deliver()
        clock.shift(599)
        house.deliver()
        assert len(gateway.requests) == 1, "one heard it for all"
        clock.shift(1)
        house.deliver()
        house.deliver()
    assert len(gateway.sent) == 3
    assert {(row.channel, row.status) for row in rows(house)} == {("sms", "sent")}
    assert {row.answer for row in rows(house)} == {"201 id SM1", "201 id SM2", "201 id SM3"}


def _by_sms(house: House, addresses: list[str]) -> None:
    """Patients who are told by SMS, their reminders already planned."""
    with house.writing() as session:
        for number, address in enumerate(addresses):
            patient = session.query(Patient).filter(Patient.email == address).one()
            patient.phone, patient.preferred_channel = f"+49157359855{number:02}", Channel.SMS
        reminders.plan(
            session, reminders.of_day(day("2026-05-04"), house.settings.clinic.zone), (Channel.EMAIL, Channel.SMS)
        )
