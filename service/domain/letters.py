"""How a message is written: its rule's template, filled in for its recipient; done inside the claim.

What leaves the house has working links; the row keeps `[link]` in their place, so that no token rests in the database.
"""

from collections.abc import Mapping, Sequence

from sqlalchemy.orm import Session

from service import clock, message_texts
from service.domain import letter_facts, letter_links, letter_page, message_rules, visit_calendar
from service.domain.letter_facts import Facts
from service.models import Appointment, Export, Message, Offer, User
from service.notifications.message import Letter, message_id
from service.settings import Clinic

LINK = "[link]"


def write(session: Session, message: Message, visits: Sequence[Appointment], clinic: Clinic) -> Letter:
    """Write subject and body into the row and return the letter; `visits` are those it lists, its own first.

    Of a text that somebody wrote beforehand only the links are filled in, and its row stays as it is. What a message
    about something else needs (an export, a token for a link) is read or made in `session`.
    """
    visits = letter_facts.with_series(session, message, visits)
    facts = letter_facts.of(session, message, visits, clinic)
    links = letter_links.make(session, message, visits, clinic)
    if message.edited_at is None:
        subject, body = _filled(message, facts, links, clinic)
        message.subject, message.body = _filled(message, facts, dict.fromkeys(links, LINK), clinic)
    else:
        subject = message_texts.fill_links(message.subject or "", links)
        body = message_texts.fill_links(message.body or "", links)
    mail = message.channel != "sms"
    return Letter(
        id=message.id,
        recipient=message.recipient or "",
        subject=subject,
        body=body,
        html=letter_page.of(subject, body, links.values(), letter_facts.language_of(message, clinic)) if mail else "",
        attachments=visit_calendar.entries(session, message, visits, clinic) if mail else (),
        unsubscribe_url=f"{links['contact_link']}/unsubscribe" if mail and "contact_link" in links else "",
        message_id=message_id(message.id, message.created_at, clinic.public_url),
    )


def outdated(session: Session, message: Message) -> str | None:
    """Why a message about no visit is not true any more: the reason to skip it, or None."""
    kind, _, key = (message.about or "").partition("/")
    now = clock.now()
    if kind == "offer":
        offer = session.get_one(Offer, int(key))
        return "cancelled" if offer.closed_at is not None else "too_late" if offer.expires_at <= now else None
    if kind == "export":
        export = session.get_one(Export, key)
        return "too_late" if export.expires_at is None or export.expires_at <= now else None
    user = None if message.user_id is None else session.get_one(User, message.user_id)
    return "cancelled" if user is not None and user.disabled_at is not None else None


def preview(session: Session, message: Message, visits: Sequence[Appointment], clinic: Clinic) -> tuple[str, str]:
    """Subject and body as write() would make them now, with `{manage_link}` unfilled: nothing is written or stored."""
    visits = letter_facts.with_series(session, message, visits)
    facts = letter_facts.of(session, message, visits, clinic)
    return _filled(message, facts, {name: f"{{{name}}}" for name in letter_links.NAMES}, clinic)


def _filled(message: Message, facts: Facts, links: Mapping[str, str], clinic: Clinic) -> tuple[str, str]:
    """Subject and body, from the rule's template."""
    times = "\n".join(f"  {words}: {_at(links.get('manage_link', ''), value)}" for words, value in facts.times)
    short = message.channel == "sms" and "contact_link" in message_rules.of(message.rule).says
    template = f"{message.rule}.sms" if short else message.rule
    values = {**facts.values, **links, "times": times}
    return message_texts.fill(template, letter_facts.language_of(message, clinic), values)


def _at(link: str, value: str) -> str:
    """The link with a time chosen already."""
    return link if link == LINK else f"{link}?time={value}"
