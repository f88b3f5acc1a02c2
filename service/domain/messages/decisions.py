"""Why a patient is told about an appointment, or not: each rule with its time, the decision, and the outcome."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, time, timedelta

from sqlalchemy import select
from sqlalchemy.orm import Session

from service import clock
from service.config.settings import Settings
from service.domain.appointments import possible
from service.domain.diary import time_off
from service.domain.messages import message_checks
from service.domain.outbox import channels, message_rules, reach, reminders
from service.domain.outbox.reminders import ADVANCE, Span
from service.storage.models import Appointment, Channel, Message, MessageStatus, SkipReason


@dataclass(frozen=True)
class Decision:
    """What one rule means for one appointment."""

    rule: message_rules.Rule
    at: datetime
    """When it was sent or decided; when it will be, where it is only expected."""
    status: str
    """The message's, or `expected` where there is none yet."""
    channel: Channel
    recipient: str | None
    reason: SkipReason | None = None
    """Why it is not sent."""
    message: Message | None = field(default=None, compare=False)
    """The row; None while it is only expected."""
    stays_here: bool = False
    """Whether no one outside gets it, as things are: e-mail is off, or the clinic is a demo."""


def of_visit(session: Session, visit: Appointment, settings: Settings) -> Sequence[Decision]:
    """Return the decisions about an appointment the actor has fetched with its patient, past and expected, by time."""
    rows = session.scalars(
        select(Message).where(Message.appointment_id == visit.id).order_by(Message.id).limit(50)
    ).all()
    found = [_made(row) for row in rows]
    about_now = {row.rule for row in rows if row.starts_at == visit.starts_at}
    if possible.is_ahead(visit):
        found += [one for one in _expected(session, visit, settings) if one.rule.name not in about_now]
    return sorted(found, key=lambda one: one.at)


def runs(visit: Appointment, settings: Settings) -> Sequence[tuple[datetime, Span]]:
    """The runs that are to tell of an appointment, soonest first, each with the span in which it would."""
    zone, at = settings.clinic.zone, time.fromisoformat(settings.jobs.reminders_at)
    local = visit.starts_at.astimezone(zone)
    found = []
    before = local.date() - timedelta(days=1)
    early = reminders.early(before, settings)
    if visit.starts_at < early.end:
        found.append((clock.instant(before, at, zone), early))
    found.append((clock.instant(local.date(), at, zone), reminders.of_day(local.date(), zone)))
    for days in range(settings.messages.advance_hours // 24, 0, -1):
        day = local.date() - timedelta(days=days)
        spans = reminders.ahead(day, settings)
        mine = next((span for span in spans if span.start <= visit.starts_at < span.end), None)
        if mine is not None:
            found.append((clock.instant(day, at, zone), mine))
    return sorted(found, key=lambda run: run[0])


def _made(row: Message) -> Decision:
    at = row.sent_at or (row.due_at if row.status == MessageStatus.QUEUED else row.created_at)
    return Decision(
        message_rules.of(row.rule), at, row.status, row.channel, row.recipient, row.skip_reason, message=row
    )


def _expected(session: Session, visit: Appointment, settings: Settings) -> Sequence[Decision]:
    """What the next run of each kind of reminder will do, as far as is known now."""
    channel, recipient, unreachable = reach.of_patient(session, visit.patient_id, channels.ways(settings))
    if time_off.away(session, [visit], settings.clinic.zone):
        unreachable = SkipReason.TIME_OFF
    stays = message_checks.stays_here(session, channel, recipient, settings)
    found: dict[str, Decision] = {}
    for at, span in reversed(runs(visit, settings)):  # so that the soonest of those to come has the last word
        if at <= clock.now() and (span.rule == ADVANCE or span.rule in found):
            continue
        just_booked = visit.created_at >= span.booked_before
        reason = unreachable or (
            SkipReason.TOO_LATE if visit.starts_at <= at else SkipReason.JUST_BOOKED if just_booked else None
        )
        rule = message_rules.of(span.rule)
        found[span.rule] = Decision(rule, at, "expected", channel, recipient, reason, stays_here=stays)
    return list(found.values())
