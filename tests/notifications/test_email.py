"""E-mail against a real mail server: what arrives, what is refused and how, which connections it takes."""

import socket
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest

from service.config import keys
from service.config.settings import Clinic, Settings, SettingsError
from service.config.settings import Email as EmailSettings
from service.notifications import email
from service.notifications.channels import choose
from service.notifications.email import Email
from service.notifications.message import Attachment, DeliveryError, OutgoingMessage, Unsure, message_id
from tests.house import at
from tests.services.mail_server import MailServer, certificate, running

CLINIC = Clinic(name="Praxis am Pärk", public_url="https://rounds.clinic.example")
LETTER = OutgoingMessage(
    7,
    "lena@mail.example",
    "Your visit on Mon, 4 May",
    "Hello Zoë,\n\n.a line that begins with a dot\n",
    message_id=message_id(7, at("2026-05-01 08:00"), Settings(clinic=CLINIC)),
)


def silent() -> None:
    """Nothing to note before the content leaves."""


@pytest.fixture
def server() -> Iterator[MailServer]:
    """A mail server that takes everything, without TLS."""
    made = MailServer()
    with running(made):
        yield made


@pytest.fixture
def channel(server: MailServer) -> Iterator[Email]:
    """The e-mail channel of a clinic that uses this server."""
    made = Email(EmailSettings(**server.settings()), "", CLINIC)
    yield made
    made.close()


def refused(channel: Email, letter: OutgoingMessage = LETTER) -> DeliveryError:
    with pytest.raises(DeliveryError) as error:
        channel.send(letter, silent)
    return error.value


# What arrives


def test_a_letter_arrives_with_everything_in_it(server: MailServer, channel: Email) -> None:
    stop = f"https://rounds.clinic.example/messages/stop/{'a' * 90}"
    visit = Attachment("visit.ics", "text/calendar; method=REQUEST; charset=utf-8", b"BEGIN:VCALENDAR\r\n")
    html = "<p>Hello <b>Zoë</b></p>"
    answer = channel.send(replace(LETTER, html=html, attachments=(visit,), unsubscribe_url=stop), silent)
    assert answer == "250 OK queued as 1"
    (mail,) = server.mails
    assert mail.recipients == ("lena@mail.example",)
    parsed = mail.parsed
    assert parsed["From"] == "Practice at the Park <desk@clinic.example>"
    assert parsed["To"] == "lena@mail.example"
    assert parsed["Subject"] == "Your visit on Mon, 4 May"
    assert parsed["Message-ID"] == "<7.1777622400000000@rounds.clinic.example>"
    assert parsed["Auto-Submitted"] == "auto-generated"
    assert f"List-Unsubscribe: <{stop}>\r\n".encode() in mail.content, "as it is, whatever its length"
    assert parsed["List-Unsubscribe-Post"] == "List-Unsubscribe=One-Click"
    text, page = parsed.get_body(("plain",)), parsed.get_body(("html",))
    assert text is not None
    assert page is not None
    assert text.get_content().replace("\r\n", "\n") == LETTER.body
    assert page.get_content().strip() == html
    (part,) = parsed.iter_attachments()
    assert (part.get_content_type(), part.get_filename()) == ("text/calendar", "visit.ics")
    assert part["Content-Type"].params["method"] == "REQUEST"
    assert "BEGIN:VCALENDAR" in str(part.get_content())


def test_without_a_name_the_sender_is_the_clinic(server: MailServer) -> None:
    channel = Email(EmailSettings(**server.settings(sender="desk@clinic.example")), "", CLINIC)
    channel.send(LETTER, silent)
    channel.close()
    assert server.mails[0].parsed["From"] == "Praxis am Pärk <desk@clinic.example>"


def test_the_hand_over_is_noted_when_the_recipient_was_taken_and_nothing_has_left(
    server: MailServer, channel: Email
) -> None:
    named: list[str] = []

    def taken(recipient: str) -> str:
        named.append(recipient)
        return ""

    server.on_recipient = taken

    def note() -> None:
        assert named == ["lena@mail.example"]
        assert server.mails == []
        named.append("noted")

    channel.send(LETTER, note)
    assert named == ["lena@mail.example", "noted"]
    assert len(server.mails) == 1


def test_a_letter_that_is_no_longer_ours_does_not_leave(server: MailServer, channel: Email) -> None:
    class Lost(Exception):
        pass

    def lost() -> None:
        raise Lost

    with pytest.raises(Lost):
        channel.send(LETTER, lost)
    channel.send(LETTER, silent)
    assert len(server.mails) == 1


# One recipient, and nothing smuggled in


@pytest.mark.parametrize(
    "recipient",
    [
        "lena@mail.example\r\nBcc: eve@mail.example",
        "lena@mail.example\nRCPT TO:<eve@mail.example>",
        "lena@mail.example, eve@mail.example",
        "lena@mail.example> <eve@mail.example",
        "Lena <lena@mail.example>",
        "lena",
        "@mail.example",
        "",
    ],
)
def test_r6_an_address_that_is_none_reaches_nobody(server: MailServer, channel: Email, recipient: str) -> None:
    assert refused(channel, replace(LETTER, recipient=recipient)).permanent
    assert server.mails == []


@pytest.mark.parametrize("subject", ["Visit\r\nBcc: eve@mail.example", "Visit\nBcc : eve@mail.example", "x\n\ntext"])
def test_r6_a_subject_cannot_smuggle_a_header(server: MailServer, channel: Email, subject: str) -> None:
    assert refused(channel, replace(LETTER, subject=subject)).permanent
    assert server.mails == []


def test_r8_each_letter_names_one_recipient(server: MailServer, channel: Email) -> None:
    for number in range(3):
        channel.send(replace(LETTER, recipient=f"p{number}@mail.example"), silent)
    assert [mail.recipients for mail in server.mails] == [(f"p{number}@mail.example",) for number in range(3)]
    for number, mail in enumerate(server.mails):
        assert [other for other in range(3) if f"p{other}@".encode() in mail.content] == [number]


@pytest.mark.parametrize(
    ("recipient", "reached"),
    [
        ("max@straße.de", "max@xn--strae-oqa.de"),
        ("max@STRAẞE.de", "max@xn--strae-oqa.de"),
        ("νίκος@νίκος.gr", "νίκος@xn--kxawhkp.gr"),
        ("Lena@PRAXIS-Müller.example", "Lena@xn--praxis-mller-klb.example"),
        ("a@ශ්\u200dරී.example", "a@xn--10cl1a0b660p.example"),
        ("a@ｅｘａｍｐｌｅ。com", "a@example.com"),
        ("Groß@example.com", "Groß@example.com"),
        ("oﬃce@example.com", "oﬃce@example.com"),
        ("İrem@example.com", "İrem@example.com"),
    ],
)
def test_i1_the_local_part_leaves_as_typed_and_the_domain_as_it_stands_in_dns(
    server: MailServer, channel: Email, recipient: str, reached: str
) -> None:
    channel.send(replace(LETTER, recipient=recipient), silent)
    (mail,) = server.mails
    assert mail.recipients == (reached,)
    assert f"To: {reached}\r\n".encode() in mail.content


def test_i1_a_server_without_smtputf8_gets_what_it_can_take_and_the_rest_fails_with_the_reason() -> None:
    server = MailServer(smtputf8=False)
    with running(server):
        channel = Email(EmailSettings(**server.settings()), "", CLINIC)
        for first in (True, False):
            error = refused(channel, replace(LETTER, recipient="groß@example.com"))
            assert (error.permanent, error.connection) == (True, False), first
            assert "doesn't support addresses with letters such as ß" in str(error)
            channel.send(replace(LETTER, recipient="max@straße.de"), silent)
        channel.close()
    assert server.told == {"max@xn--strae-oqa.de": 2}
    assert server.connections == 1, "a refused address costs no connection"


@pytest.mark.parametrize("address", ["desk@straße.de", "Praxis Groß <größe@STRASSE.de>"])
def test_i1_the_clinic_may_have_such_an_address_itself(server: MailServer, address: str) -> None:
    channel = Email(EmailSettings(**server.settings(sender=address)), "", CLINIC)
    channel.send(LETTER, silent)
    channel.close()
    (sender,) = server.senders
    assert sender in ("desk@xn--strae-oqa.de", "größe@strasse.de")
    assert sender.encode() in server.mails[0].content.split(b"To: ")[0]


@pytest.mark.parametrize(
    ("public_url", "sender", "domain"),
    [
        ("https://Rounds.Clinic.example:8443", "", "rounds.clinic.example"),
        ("http://[2001:db8::7]:8000", "Praxis <desk@straße.de>", "xn--strae-oqa.de"),
        ("http://192.0.2.7:8000", "desk@clinic.example", "clinic.example"),
        ("http://rounds-pc:8000", "desk@clinic.example", "clinic.example"),
        ("http://10.0.0.300", "desk@clinic.example", "clinic.example"),
        ("http://localhost:8000", "desk@localhost", "rounds.invalid"),
        ("http://[::1]:8000", "", "rounds.invalid"),
    ],
)
def test_the_message_id_has_a_real_domain_whatever_the_public_address(
    server: MailServer, public_url: str, sender: str, domain: str
) -> None:
    chosen = EmailSettings(**server.settings(sender=sender or "desk@clinic.example"))
    clinic = CLINIC.model_copy(update={"public_url": public_url})
    settings = Settings(clinic=clinic, email=chosen.model_copy(update={"sender": sender}))
    channel = Email(chosen, "", clinic)
    channel.send(replace(LETTER, message_id=message_id(7, at("2026-05-01 08:00"), settings)), silent)
    channel.close()
    assert server.mails[0].parsed["Message-ID"] == f"<7.1777622400000000@{domain}>"


@pytest.mark.parametrize("scheme", ["http", "https"])
def test_one_click_unsubscribing_is_offered_over_https_alone(server: MailServer, channel: Email, scheme: str) -> None:
    stop = f"{scheme}://rounds.clinic.example/contact/abc/unsubscribe"
    channel.send(replace(LETTER, unsubscribe_url=stop), silent)
    parsed = server.mails[0].parsed
    assert parsed["List-Unsubscribe"] == f"<{stop}>"
    assert ("List-Unsubscribe-Post" in parsed) == (scheme == "https")


# What is refused, and how


def test_f15_an_address_the_server_does_not_know_is_refused_for_good(server: MailServer, channel: Email) -> None:
    server.on_recipient = lambda who: "550 no such user" if who.startswith("lena") else ""
    error = refused(channel)
    assert (str(error), error.permanent, error.connection) == ("550 no such user", True, False)
    channel.send(replace(LETTER, recipient="mia@mail.example"), silent)
    assert server.told == {"mia@mail.example": 1}
    assert server.connections == 1, "the others go on along the same line"


@pytest.mark.parametrize("moment", ["on_recipient", "on_content"])
def test_f14_a_passing_refusal_may_be_tried_again(server: MailServer, channel: Email, moment: str) -> None:
    setattr(server, moment, lambda _who: "451 greylisted, try later")
    error = refused(channel)
    assert (str(error), error.permanent, error.connection) == ("451 greylisted, try later", False, False)
    setattr(server, moment, lambda _who: "")
    channel.send(LETTER, silent)
    assert server.told == {"lena@mail.example": 1}


def test_content_that_is_refused_for_good_is_refused_for_good(server: MailServer, channel: Email) -> None:
    server.on_content = lambda _who: "554 looks like spam"
    assert refused(channel).permanent


def test_a_sender_that_is_refused_concerns_all_mail(server: MailServer, channel: Email) -> None:
    server.on_sender = lambda _sender: "553 not your address"
    error = refused(channel)
    assert (error.permanent, error.connection) == (False, True)


def test_f12_a_server_that_is_down_concerns_all_mail() -> None:
    with closing(socket.socket()) as unused:
        unused.bind(("127.0.0.1", 0))
        settings = MailServer(port=unused.getsockname()[1]).settings()
        error = refused(Email(EmailSettings(**settings), "", CLINIC))
    assert (error.permanent, error.connection) == (False, True)
    assert "does not answer" in str(error)


def test_f13_a_server_that_says_nothing_is_given_up_after_a_while(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(email, "SECONDS", 0.2)
    with closing(socket.create_server(("127.0.0.1", 0))) as mute:
        settings = MailServer(port=mute.getsockname()[1]).settings()
        error = refused(Email(EmailSettings(**settings), "", CLINIC))
    assert error.connection


def test_f16_a_line_that_breaks_after_the_content_leaves_it_open(server: MailServer, channel: Email) -> None:
    server.on_content = lambda _who: "DROP"
    with pytest.raises(Unsure):
        channel.send(LETTER, silent)
    assert server.told == {"lena@mail.example": 1}, "here it had arrived"


def test_f16_no_answer_to_the_content_in_time_leaves_it_open(
    server: MailServer, channel: Email, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(email, "LAST_SECONDS", 0.1)
    server.seconds = 0.5
    with pytest.raises(Unsure):
        channel.send(LETTER, silent)


def test_the_message_id_is_the_same_at_every_attempt(server: MailServer, channel: Email) -> None:
    for _attempt in range(2):
        channel.send(LETTER, silent)
    assert len({mail.parsed["Message-ID"] for mail in server.mails}) == 1


# Connections


def test_many_letters_take_one_connection(server: MailServer, channel: Email) -> None:
    for number in range(50):
        channel.send(replace(LETTER, recipient=f"p{number}@mail.example"), silent)
    assert (server.connections, len(server.mails)) == (1, 50)


def test_a_dropped_connection_is_replaced(server: MailServer, channel: Email) -> None:
    channel.send(LETTER, silent)
    (kept,) = channel._kept
    assert kept.sock is not None
    kept.sock.shutdown(socket.SHUT_RDWR)
    channel.send(LETTER, silent)
    assert (server.connections, len(server.mails)) == (2, 2)


def test_a_server_that_allows_so_many_mails_a_connection_gets_a_new_one(server: MailServer, channel: Email) -> None:
    asked: list[str] = []

    def third(sender: str) -> str:
        asked.append(sender)
        return "421 too many for one connection" if len(asked) % 3 == 0 else ""

    server.on_sender = third
    for number in range(6):
        channel.send(replace(LETTER, recipient=f"p{number}@mail.example"), silent)
    assert len(server.mails) == 6
    assert server.connections == 3


def test_a_recipient_at_whom_the_server_hangs_up_concerns_all_mail_for_a_while(
    server: MailServer, channel: Email
) -> None:
    server.on_recipient = lambda _who: "DROP"
    assert refused(channel).connection


# Protection and sign-in


@pytest.mark.parametrize("starttls", [True, False], ids=["starttls", "tls"])
def test_mail_travels_protected(tmp_path: Path, starttls: bool) -> None:
    context, authority = certificate(tmp_path)
    server = MailServer(login=("desk", "open sesame"))
    with running(server, context, starttls=starttls):
        chosen = server.settings(security="starttls" if starttls else "tls", ca_file=str(authority), username="desk")
        channel = Email(EmailSettings(**chosen), "open sesame", CLINIC)
        for _letter in range(3):
            channel.send(LETTER, silent)
        channel.close()
    assert len(server.mails) == 3


@pytest.mark.parametrize("starttls", [True, False], ids=["starttls", "tls"])
def test_a_server_nobody_vouches_for_gets_nothing(tmp_path: Path, starttls: bool) -> None:
    context, _authority = certificate(tmp_path)
    server = MailServer()
    with running(server, context, starttls=starttls):
        chosen = server.settings(security="starttls" if starttls else "tls")
        error = refused(Email(EmailSettings(**chosen), "", CLINIC))
    assert "certificate is not trusted" in str(error)
    assert error.connection
    assert server.mails == []


def test_a_server_without_protection_gets_nothing_when_it_is_asked_for(server: MailServer) -> None:
    error = refused(Email(EmailSettings(**server.settings(security="starttls")), "", CLINIC))
    assert "security" in str(error)
    assert server.mails == []


def test_a_wrong_password_concerns_all_mail_and_is_said() -> None:
    server = MailServer(login=("desk", "open sesame"))
    with running(server):
        error = refused(Email(EmailSettings(**server.settings(username="desk")), "open barley", CLINIC))
    assert (error.permanent, error.connection) == (False, True)
    assert "refuses user name or password" in str(error)
    assert "barley" not in str(error)


# The password


@pytest.fixture
def wanting(server: MailServer) -> Settings:
    """Settings that need a password."""
    return Settings(email=EmailSettings(**server.settings(username="desk")))


def test_o8_the_password_comes_from_the_environment_or_from_a_file(
    wanting: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(SettingsError, match="ROUNDS_EMAIL_PASSWORD"):
        choose(wanting)
    (tmp_path / "password").write_text("open sesame\n", encoding="utf-8")
    environ = {"ROUNDS_EMAIL_PASSWORD_FILE": str(tmp_path / "password")}
    assert keys.secret("ROUNDS_EMAIL_PASSWORD", environ) == "open sesame"
    monkeypatch.setenv("ROUNDS_EMAIL_PASSWORD", "open sesame")
    assert choose(wanting).email.name == "email"


def test_a_password_file_that_is_missing_is_said_in_one_line(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="cannot be read") as refusal:
        keys.secret("ROUNDS_EMAIL_PASSWORD", {"ROUNDS_EMAIL_PASSWORD_FILE": str(tmp_path / "none")})
    assert "\n" not in str(refusal.value)
