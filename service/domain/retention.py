"""Retention: what may be forgotten by itself after the clinic's periods."""

from datetime import timedelta

from sqlalchemy import or_, update
from sqlalchemy.orm import Session

from service import clock
from service.models import Message
from service.settings import Privacy

MONTH = timedelta(days=30.44)


def apply(session: Session, periods: Privacy) -> None:
    """Take text and address out of messages that are older than their period; that they were sent stays on record."""
    oldest = clock.now() - periods.message_texts_months * MONTH
    telling = or_(Message.body.is_not(None), Message.recipient.is_not(None), Message.subject.is_not(None))
    over = Message.starts_at < oldest, Message.created_at < oldest
    silent = {"recipient": None, "subject": None, "body": None, "last_error": None}
    session.execute(update(Message).where(*over, telling).values(silent).execution_options(synchronize_session=False))
