"""The call list: after the run of the day, whom it told, whom it did not and why, and who is to be called."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date

from sqlalchemy import ColumnElement, or_, select
from sqlalchemy.orm import Session

from service import clock
from service.config.settings import Settings
from service.domain.foundation import audit, job_runs, locks
from service.domain.foundation.actor import Actor
from service.domain.foundation.errors import NotFound
from service.domain.messages import message_log
from service.domain.messages.message_log import Entry
from service.domain.outbox import outbox, reminders
from service.domain.outbox.reminders import Span, Tally
from service.domain.outbox.subjects import Kind, Subject
from service.storage.models import JobRun, Message, MessageStatus, RunStatus, SkipReason

RULE = "morning_sheet"
MOST_LINES = 500
MEANT_TO_BE = frozenset({SkipReason.DUPLICATE})
"""Left out because another message says the same."""


@dataclass(frozen=True)
class CallList:
    """One day's run: the ledger's row, what became of the reminders of the day and of tomorrow's early appointments."""

    day: date
    run: JobRun | None
    today: Tally
    early: Tally
    to_call: Sequence[Entry]
    """Not told, still ahead, and no one has called: soonest first."""
    called: Sequence[Entry]
    left_out: Sequence[Entry]
    """Skipped for a reason that needs no call, soonest first; at most 500."""

    @property
    def told(self) -> int:
        """How many were sent a message."""
        return self.today.told + self.early.told

    @property
    def stayed_here(self) -> int:
        """Of how many the message was only written to the console."""
        return self.today.stayed_here + self.early.stayed_here

    @property
    def failed(self) -> int:
        """How many messages failed, or may be lost."""
        return self.today.failed + self.early.failed + self.today.unknown + self.early.unknown

    @property
    def waiting(self) -> int:
        """How many still wait to be sent."""
        return self.today.queued + self.early.queued

    @property
    def no_address(self) -> int:
        """How many cannot be reached by any message."""
        return self.reasons[SkipReason.NO_ADDRESS]

    @property
    def reasons(self) -> Counter[str]:
        """How many were left out, by reason, early ones included."""
        return self.today.skipped + self.early.skipped

    @property
    def began(self) -> bool:
        """Whether there is anything to show yet."""
        ran = self.run is not None and self.run.status != RunStatus.SKIPPED
        return ran or self.today != Tally() or self.early != Tally()


def of_day(session: Session, day: date, settings: Settings) -> CallList:
    """The sheet of a day's run."""
    spans, scope = _spans(day, settings), _scope(day, settings)
    waiting = message_log.to_call(session, scope)
    ids = {entry.message.id for entry in waiting}
    skipped = message_log.entries(
        session, scope & (Message.status == MessageStatus.SKIPPED) & Message.phoned_at.is_(None), MOST_LINES
    )
    return CallList(
        day=day,
        run=job_runs.of_slot(session, reminders.JOB, day.isoformat()),
        today=reminders.total(session, spans[0]),
        early=reminders.total(session, spans[1]),
        to_call=waiting,
        called=message_log.entries(session, scope & Message.phoned_at.is_not(None), MOST_LINES),
        left_out=[one for one in skipped if one.message.id not in ids and one.message.skip_reason not in MEANT_TO_BE],
    )


def count_to_call(session: Session, day: date, settings: Settings) -> int:
    """How many of the sheet's patients are to be called."""
    return message_log.to_do(session, _scope(day, settings))


def post(session: Session, day: date, recipient: str) -> Message:
    """Send the sheet of a day to the clinic's own address, once however often the day's run is repeated."""
    about = Subject(Kind.MORNING_SHEET, day.isoformat())
    return session.scalar(select(Message).where(Message.about == str(about))) or outbox.to_address(
        session, RULE, recipient, event="schedule", about=about
    )


def mark_phoned(session: Session, actor: Actor, message_id: int) -> Message:
    """Note that the patient was told by phone instead; again, nothing changes. Raises NotFound."""
    message = _locked(session, actor, message_id)
    if message.phoned_at is None:
        message.phoned_at, message.phoned_by_id = clock.now(), actor.user_id
        audit.record(session, actor, "message.phone", patient_id=message.patient_id, subject=f"message/{message.id}")
    return message


def unmark_phoned(session: Session, actor: Actor, message_id: int) -> Message:
    """Take that back. Raises NotFound."""
    message = _locked(session, actor, message_id)
    if message.phoned_at is not None:
        message.phoned_at = message.phoned_by_id = None
        audit.record(session, actor, "message.unphone", patient_id=message.patient_id, subject=f"message/{message.id}")
    return message


def _spans(day: date, settings: Settings) -> tuple[Span, Span]:
    return reminders.of_day(day, settings.clinic.zone), reminders.early(day, settings)


def _scope(day: date, settings: Settings) -> ColumnElement[bool]:
    return or_(*(span.scope for span in _spans(day, settings)))


def _locked(session: Session, actor: Actor, message_id: int) -> Message:
    message_log.check(actor)
    locks.with_patient(session, select(Message.patient_id).where(Message.id == message_id))
    message = session.scalar(select(Message).where(Message.id == message_id).with_for_update())
    if message is None:
        raise NotFound
    return message
