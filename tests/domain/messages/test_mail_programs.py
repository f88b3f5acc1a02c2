"""Mails in German and in the pseudo-language, as a mail program and a calendar program read them."""

import re
from email import message_from_bytes, policy
from email.header import decode_header, make_header
from email.headerregistry import Address
from email.message import EmailMessage
from email.utils import parseaddr
from typing import Any

import pytest
from icalendar import Calendar

from service.config.settings import Clinic
from service.domain.messages import content_html
from service.domain.outbox import announcements, message_rules
from service.language import message_texts
from service.language.translation import gettext, speaking
from service.notifications import mail
from service.notifications.message import OutgoingMessage
from service.storage.models import Appointment
from tests.domain.outbox import planning as hand
from tests.house import House, at

LANGUAGES = ("de", "en_XA", "ar_XB")
CLINIC_NAME = "Gemeinschaftspraxis für Kinder- und Jugendmedizin Dr. Öztürk & Söhne, Große Bäckerstraße"
LINK = "https://termine.praxis.example/visit/" + "x" * 43 + "?lang=de"
STOP = "https://termine.praxis.example/contact/" + "y" * 43 + "/unsubscribe"
SENDER = mail.sender_of("desk@praxis.example", CLINIC_NAME)
ENCODED_WORD = re.compile(rb"=\?[^?\s]+\?[bBqQ]\?[^?\s]*\?=")


def written(rule: str, language: str) -> OutgoingMessage:
    """A message of a rule, filled with long values that aren't ASCII."""
    values = {name: f"Jürgen-Łukasz {name} 王小明" for name in message_rules.variables()[rule]}
    values |= {"clinic_name": CLINIC_NAME, "manage_link": LINK, "contact_link": LINK, "times": f"  Mo.: {LINK}&time=1"}
    with speaking(language):
        subject, body = message_texts.fill(rule, language, values)
        html = content_html.of(subject, body, [LINK])
    return OutgoingMessage(
        7, "lena@mail.example", subject, body, html, unsubscribe_url=STOP, message_id="<7.1@praxis.example>"
    )


def sent(message: OutgoingMessage) -> bytes:
    """The bytes that leave."""
    return mail.compose(message, SENDER, Address("", "lena", "mail.example")).as_bytes(policy=mail.POLICY)


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("rule", message_rules.RULES)
def test_a_mail_program_reads_every_header_and_text_whole(rule: str, language: str) -> None:
    message = written(rule, language)
    content = sent(message)
    head = content.partition(b"\r\n\r\n")[0]
    assert head.isascii()
    for line in head.split(b"\r\n"):
        assert len(line) <= 78 or line.startswith(b"List-Unsubscribe: ")
    assert all(len(word) <= 75 for word in ENCODED_WORD.findall(head)), "RFC 2047, section 2"
    assert all(len(line) <= 998 for line in content.split(b"\r\n")), "RFC 5322, section 2.1.1"

    new = message_from_bytes(content, policy=policy.default)
    assert isinstance(new, EmailMessage)
    assert [part.defects for part in new.walk() if part.defects] == []
    assert [new[name].defects for name in ("Subject", "From", "To", "Date", "Message-ID")] == [()] * 5
    assert new["Subject"] == message.subject
    assert new["List-Unsubscribe"] == f"<{STOP}>"
    old = message_from_bytes(content)  # read to the letter of RFC 2047; the newer class keeps spaces in a name
    assert str(make_header(decode_header(old["Subject"]))) == message.subject
    name, address = parseaddr(re.sub(r"\r\n", "", old["From"]))
    assert (str(make_header(decode_header(name))), address) == (CLINIC_NAME, "desk@praxis.example")

    for kind, text in (("plain", message.body), ("html", message.html)):
        part = new.get_body((kind,))
        assert part is not None
        assert part.get_content().replace("\r\n", "\n").rstrip() == text.rstrip()
    assert (f'href="{LINK}"' in message.html) == (LINK in message.body)


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.usefixtures("clock")
def test_a_calendar_program_reads_the_entry_of_a_mail_in_its_language(house: House, language: str) -> None:
    doctor = house.user("doctor", "berg@clinic.example", "Dr. Ada Größe").doctor_id
    clinic = Clinic(name=CLINIC_NAME, message_language=language)
    visit = house.visit(doctor, house.patient("Lena Vogt", email="lena@mail.example"), at("2026-05-12 08:00"))
    with house.writing() as session:
        announcements.booked(session, session.get_one(Appointment, visit))
    claimed = hand.claim(house, clinic=clinic)
    assert claimed is not None
    assert claimed.outgoing is not None
    read = message_from_bytes(sent(claimed.outgoing), policy=policy.default)
    assert isinstance(read, EmailMessage)
    (entry,) = [part for part in read.walk() if part.get_content_type() == "text/calendar"]
    content = entry.get_payload(decode=True)
    assert isinstance(content, bytes)
    event: Any = Calendar.from_ical(content).walk("VEVENT")[0]
    with speaking(language):
        said = gettext("Appointment at %(clinic)s") % {"clinic": CLINIC_NAME}
    assert str(event["summary"]) == said
    assert event["description"] == "Dr. Ada Größe"
    assert event["dtstart"].dt == at("2026-05-12 08:00")
