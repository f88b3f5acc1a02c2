"""How a message is written: its rule's template, filled in for its recipient; done inside the claim."""

from collections.abc import Sequence

from sqlalchemy.orm import Session

from service import rendering
from service.models import Appointment, Message
from service.notifications.message import Letter
from service.settings import Clinic


def write(session: Session, message: Message, visits: Sequence[Appointment], clinic: Clinic) -> Letter:
    """Write subject and body into the row and return the letter; `visits` are those it lists, its own first.

    What a message about something else needs (an export, a token for a link) is read or made in `session`.
    """
    message.subject, message.body = _filled(message, visits, clinic)
    return Letter(message.id, message.recipient or "", message.subject, message.body)


def _filled(message: Message, visits: Sequence[Appointment], clinic: Clinic) -> tuple[str, str]:
    """Subject and body, from the rule's template."""
    words = rendering.Wording(clinic.zone, clinic.language)
    first = visits[0]
    several = len({visit.patient_id for visit in visits}) > 1
    lines = []
    for visit in sorted(visits, key=lambda one: one.starts_at):
        who = f"{rendering.one_line(visit.patient.name)}: " if several else ""
        lines.append(f"  {who}{words.when(visit.starts_at)}, {rendering.one_line(visit.doctor.name)}")
    values = {
        "patient_first_name": rendering.one_line(first.patient.name).split(" ")[0],
        "doctor": rendering.one_line(first.doctor.name),
        "date": words.day(first.starts_at.astimezone(clinic.zone).date()),
        "time": words.clock(first.starts_at),
        "clinic_name": clinic.name,
        "clinic_phone": clinic.phone,
        "by_phone": f" ({clinic.phone})" if clinic.phone else "",
        "visits": "\n".join(lines),
    }
    return rendering.fill(message.rule, clinic.language, values)


def preview(session: Session, message: Message, visits: Sequence[Appointment], clinic: Clinic) -> tuple[str, str]:
    """Subject and text."""
    return _filled(message, visits, clinic)
