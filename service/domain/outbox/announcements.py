"""Notify patients of what happens to their appointments, in the same transaction.

There are no messages about past appointments, or for imports, the demo, and merging.
"""

from datetime import datetime

from sqlalchemy.orm import Session

from service import clock
from service.domain.outbox import outbox
from service.domain.outbox.subjects import Kind, Subject
from service.storage.models import Appointment, Offer, WaitlistEntry


def booked(session: Session, visit: Appointment) -> None:
    """An appointment, or the first one of a series, was booked."""
    _tell(session, "booking_confirmation", visit, "appointment.book")


def moved(session: Session, visit: Appointment) -> None:
    """An appointment was rescheduled; `visit` is the new one."""
    _tell(session, "visit_moved", visit, "appointment.move")


def cancelled(session: Session, visit: Appointment, due_at: datetime | None = None) -> None:
    """An appointment was canceled. `due_at`: send only when it can't be undone anymore."""
    _tell(session, "visit_cancelled", visit, "appointment.cancel", due_at=due_at, again=True)


def restored(session: Session, visit: Appointment) -> None:
    """A cancellation was undone. It's only sent if the patient may know about the cancellation."""
    if not outbox.withdraw(session, "visit_cancelled", visit):
        _tell(session, "visit_restored", visit, "appointment.undo", again=True)


def proposed(session: Session, visit: Appointment) -> None:
    """New times are suggested for an appointment."""
    _tell(session, "move_proposal", visit, "appointment.propose", again=True)


def proposal_withdrawn(session: Session, visit: Appointment) -> None:
    """The suggestion is no longer valid, and isn't sent if it's still queued."""
    outbox.withdraw(session, "move_proposal", visit)


def offered(session: Session, offer: Offer, entry: WaitlistEntry) -> None:
    """A slot is held for someone on the waitlist."""
    outbox.to_patient(
        session, "waiting_list_offer", entry.patient_id, event="offer.make", about=Subject(Kind.OFFER, str(offer.id))
    )


def _tell(
    session: Session,
    rule: str,
    visit: Appointment,
    event: str,
    *,
    due_at: datetime | None = None,
    again: bool = False,
) -> None:
    if visit.starts_at > clock.now():
        outbox.about_visit(session, rule, visit, event=event, due_at=due_at, again=again)
