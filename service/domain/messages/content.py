"""How a message is written: its rule's template, filled in for its recipient; done inside the claim."""

from collections.abc import Mapping, Sequence

from sqlalchemy.orm import Session

from service.config.settings import Settings
from service.domain.messages import content_facts, content_html, content_links, visit_calendar
from service.domain.messages.content_facts import Facts
from service.domain.outbox import channels, message_rules
from service.language import message_texts
from service.language.translation import language, speaking
from service.notifications.message import OutgoingMessage
from service.storage.models import Appointment, Message


def write(session: Session, message: Message, visits: Sequence[Appointment], settings: Settings) -> OutgoingMessage:
    """The message with working links; `visits` are those it lists, its own first. The row's own text is left alone.

    Of a text that someone wrote beforehand only the links are filled in. What a message about something else needs
    (an export, a token for a link) is read or made in `session`.
    """
    with speaking(content_facts.language_of(message, settings.clinic)):
        return _written(session, message, visits, settings)


def _written(session: Session, message: Message, visits: Sequence[Appointment], settings: Settings) -> OutgoingMessage:
    clinic = settings.clinic
    visits = content_facts.with_series(session, message, visits)
    links = content_links.make(session, message, visits, clinic)
    if message.edited_at is None:
        subject, body = _filled(message, content_facts.of(session, message, visits, settings), links)
    else:
        subject = message_texts.fill_links(message.subject or "", links)
        body = message_texts.fill_links(message.body or "", links)
    mail = channels.of(message.channel).is_mail
    return OutgoingMessage(
        id=message.id,
        recipient=message.recipient or "",
        subject=subject,
        body=body,
        html=content_html.of(subject, body, links.values()) if mail else "",
        attachments=visit_calendar.entries(session, message, visits, settings) if mail else (),
        unsubscribe_url=_unsubscribe(links["contact_link"]) if mail and "contact_link" in links else "",
    )


def _unsubscribe(contact_link: str) -> str:
    """The address for mail programs, which show nothing in any language."""
    return f"{contact_link.partition('?')[0]}/unsubscribe"


def preview(session: Session, message: Message, visits: Sequence[Appointment], settings: Settings) -> tuple[str, str]:
    """Subject and body as write() would make them now, with `{manage_link}` unfilled: nothing is written or stored."""
    visits = content_facts.with_series(session, message, visits)
    with speaking(content_facts.language_of(message, settings.clinic)):
        facts = content_facts.of(session, message, visits, settings)
        return _filled(message, facts, {name: f"{{{name}}}" for name in content_links.NAMES})


def _filled(message: Message, facts: Facts, links: Mapping[str, str]) -> tuple[str, str]:
    """Subject and body, from the rule's template."""
    link = links["manage_link"]
    times = "\n".join(f"  {words}: {content_links.with_query(link, 'time', value)}" for words, value in facts.times)
    rule = message_rules.of(message.rule)
    template = rule.short_text if rule.is_for_patients and not channels.of(message.channel).is_mail else rule.name
    values = {**facts.values, **links, "times": times}
    return message_texts.fill(template, language(), values)
