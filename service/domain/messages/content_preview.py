"""What a message says, for the desk to read: as it was sent, as someone wrote it, or as it would be written now."""

from sqlalchemy.orm import Session

from service.config.settings import Settings
from service.domain.appointments import appointments
from service.domain.messages import content
from service.domain.outbox import outbox
from service.storage.models import Appointment, Message


def of(session: Session, message: Message, settings: Settings) -> tuple[str, str] | None:
    """Subject and text, with `[link]` or `{manage_link}` in the place of links; None where there is no text."""
    if message.body is not None:
        return message.subject or "", message.body
    visit = message.appointment_id and session.scalar(
        appointments.with_people().where(Appointment.id == message.appointment_id)
    )
    if message.status not in outbox.UNDER_WAY or not visit:
        return None
    return content.preview(session, message, [visit], settings)
