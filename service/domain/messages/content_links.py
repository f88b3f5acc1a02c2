"""The links of a message: each made for it alone, under the clinic's public address, never a request's."""

from collections.abc import Sequence

from sqlalchemy.orm import Session

from service import clock
from service.config.settings import Clinic
from service.domain.accounts import user_tokens
from service.domain.messages import message_links
from service.domain.outbox import message_rules, subjects
from service.language import catalogs
from service.storage.models import Appointment, LinkPurpose, Message, Offer

NAMES = ("manage_link", "contact_link")


def make(session: Session, message: Message, visits: Sequence[Appointment], clinic: Clinic) -> dict[str, str]:
    """Where `{manage_link}` leads, and, for a message that a patient can turn off, `{contact_link}`.

    They open in the language that the recipient chose, if any; otherwise their browser's or the clinic's applies.
    """
    links = {"manage_link": f"{clinic.public_url}/{_path(session, message, visits)}"}
    if message.patient_id is not None and message_rules.of(message.rule).wanted:
        token = message_links.make(
            session,
            message,
            LinkPurpose.CONTACT,
            patient_id=message.patient_id,
            expires_at=clock.now() + message_links.CONTACT_FOR,
        )
        links["contact_link"] = f"{clinic.public_url}/contact/{token}"
    if message.language not in catalogs.offered():
        return links
    return {name: with_query(link, "lang", message.language) for name, link in links.items()}


def with_query(link: str, name: str, value: str) -> str:
    """Return the link with one more value in its query."""
    return f"{link}{'&' if '?' in link else '?'}{name}={value}"


def _path(session: Session, message: Message, visits: Sequence[Appointment]) -> str:
    if visits:
        first, last = visits[0], max(visit.ends_at for visit in visits)
        token = message_links.make(
            session,
            message,
            LinkPurpose.VISIT,
            patient_id=first.patient_id,
            expires_at=last,
            appointment_id=first.id,
        )
        return f"visit/{token}"
    subject = subjects.of(message)
    if subject is not None and subject.kind == subjects.Kind.OFFER and message.patient_id is not None:
        until = session.get_one(Offer, int(subject.key)).starts_at
        token = message_links.make(session, message, LinkPurpose.OFFER, patient_id=message.patient_id, expires_at=until)
        return f"offer/{token}"
    key, rule = subject.key if subject else "", message_rules.of(message.rule)
    if rule.one_time and message.user_id is not None:
        purpose, to = rule.one_time, message.recipient
        key = user_tokens.issue(session, message.user_id, purpose, email=to, asked_at=message.created_at)
    return rule.page.format(key=key)
