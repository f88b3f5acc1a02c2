"""What happens to an appointment is told to its patient: a message in the transaction of what caused it.

No one is told of an appointment whose time has come; imports, the demo and merging tell no one anything.
"""

from datetime import datetime

from sqlalchemy.orm import Session

from service import clock
from service.domain.outbox import outbox
from service.domain.outbox.subjects import Kind, Subject
from service.storage.models import Appointment, Offer, WaitlistEntry


def booked(session: Session, visit: Appointment) -> None:
    """An appointment was booked; of a series its first."""
    _tell(session, "booking_confirmation", visit, "appointment.book")


def moved(session: Session, visit: Appointment) -> None:
    """An appointment has a new time: `visit` is the new one."""
    _tell(session, "visit_moved", visit, "appointment.move")


def cancelled(session: Session, visit: Appointment, due_at: datetime | None = None) -> None:
    """An appointment was canceled; told when it cannot be taken back any more, where `due_at` says so."""
    _tell(session, "visit_cancelled", visit, "appointment.cancel", due_at=due_at, again=True)


def restored(session: Session, visit: Appointment) -> None:
    """A cancellation was taken back: told where the patient may have heard of it."""
    if not outbox.withdraw(session, "visit_cancelled", visit):
        _tell(session, "visit_restored", visit, "appointment.undo", again=True)


def proposed(session: Session, visit: Appointment) -> None:
    """Other times are proposed instead of an appointment's own."""
    _tell(session, "move_proposal", visit, "appointment.propose", again=True)


def proposal_withdrawn(session: Session, visit: Appointment) -> None:
    """The proposal does not hold any more: it is not sent if it still waits."""
    outbox.withdraw(session, "move_proposal", visit)


def offered(session: Session, offer: Offer, entry: WaitlistEntry) -> None:
    """A time is held for someone on the waitlist."""
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
