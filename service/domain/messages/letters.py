"""How a message is written: its rule's template, filled in for its recipient; done inside the claim."""

from collections.abc import Mapping, Sequence

from sqlalchemy.orm import Session

from service.config.settings import Settings
from service.domain.messages import letter_facts, letter_links, letter_page, visit_calendar
from service.domain.messages.letter_facts import Facts
from service.domain.outbox import channels, message_rules
from service.language import message_texts
from service.language.translation import language, speaking
from service.notifications.message import Letter
from service.storage.models import Appointment, Message


def write(session: Session, message: Message, visits: Sequence[Appointment], settings: Settings) -> Letter:
    """The letter with working links; `visits` are those it lists, its own first. The row's own text is left alone.

    Of a text that someone wrote beforehand only the links are filled in. What a message about something else needs
    (an export, a token for a link) is read or made in `session`.
    """
    with speaking(letter_facts.language_of(message, settings.clinic)):
        return _written(session, message, visits, settings)


def _written(session: Session, message: Message, visits: Sequence[Appointment], settings: Settings) -> Letter:
    clinic = settings.clinic
    visits = letter_facts.with_series(session, message, visits)
    links = letter_links.make(session, message, visits, clinic)
    if message.edited_at is None:
        subject, body = _filled(message, letter_facts.of(session, message, visits, settings), links)
    else:
        subject = message_texts.fill_links(message.subject or "", links)
        body = message_texts.fill_links(message.body or "", links)
    mail = channels.of(message.channel).is_mail
    return Letter(
        id=message.id,
        recipient=message.recipient or "",
        subject=subject,
        body=body,
        html=letter_page.of(subject, body, links.values()) if mail else "",
        attachments=visit_calendar.entries(session, message, visits, settings) if mail else (),
        unsubscribe_url=f"{links['contact_link']}/unsubscribe" if mail and "contact_link" in links else "",
    )


def preview(session: Session, message: Message, visits: Sequence[Appointment], settings: Settings) -> tuple[str, str]:
    """Subject and body as write() would make them now, with `{manage_link}` unfilled: nothing is written or stored."""
    visits = letter_facts.with_series(session, message, visits)
    with speaking(letter_facts.language_of(message, settings.clinic)):
        facts = letter_facts.of(session, message, visits, settings)
        return _filled(message, facts, {name: f"{{{name}}}" for name in letter_links.NAMES})


def _filled(message: Message, facts: Facts, links: Mapping[str, str]) -> tuple[str, str]:
    """Subject and body, from the rule's template."""
    times = "\n".join(f"  {words}: {links['manage_link']}?time={value}" for words, value in facts.times)
    rule = message_rules.of(message.rule)
    template = rule.short_text if rule.is_for_patients and not channels.of(message.channel).is_mail else rule.name
    values = {**facts.values, **links, "times": times}
    return message_texts.fill(template, language(), values)
