"""The next run before it happens: each message with its text, who cannot be reached, and holding or editing one.

Holding or editing writes the message's row now, due when the run is; the run then leaves it as it is.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, time, timedelta

from sqlalchemy import select
from sqlalchemy.orm import Session

from service import clock
from service.config.settings import Settings
from service.domain.appointments import appointments
from service.domain.diary import time_off
from service.domain.foundation import audit, locks, texts
from service.domain.foundation.actor import Actor
from service.domain.foundation.errors import Conflict, Invalid, NotFound
from service.domain.messages import call_lists, content, message_log, messages
from service.domain.outbox import channels, message_rules, outbox, reach, reminders
from service.domain.outbox.reach import Reached
from service.domain.outbox.reminders import Span
from service.language.translation import gettext as _
from service.mail_addresses import address_key
from service.storage.models import Appointment, AppointmentStatus, Channel, Message, MessageStatus, SkipReason

Act = Callable[[Session, Actor, int, str, Settings], None]
MOST_VISITS = 500
"""So many appointments of each span are shown; more are told, of course."""
LONGEST_SUBJECT = 200
LONGEST_BODY = 5000


@dataclass
class Expected:
    """One message of the next run: its appointments (a family's together), and its row where someone touched it."""

    rule: message_rules.Rule
    channel: Channel
    recipient: str
    visits: list[Appointment] = field(default_factory=list)
    rows: list[Message] = field(default_factory=list)
    subject: str = ""
    body: str = ""

    @property
    def first(self) -> Appointment:
        """The appointment that the message is about; it lists the others too."""
        return self.visits[0]

    @property
    def held(self) -> bool:
        """Whether someone holds it back."""
        return any(row.held_at for row in self.rows)

    @property
    def edited(self) -> bool:
        """Whether someone wrote the text."""
        return any(row.edited_at for row in self.rows)


@dataclass(frozen=True)
class Unreachable:
    """An appointment of the next run whose patient cannot be told, and why."""

    rule: message_rules.Rule
    visit: Appointment
    reason: SkipReason
    row: Message | None
    """The message that was left out already, if there is one."""

    @property
    def phoned(self) -> bool:
        """Whether someone has called."""
        return self.row is not None and self.row.phoned_at is not None


UNTOLD = (SkipReason.NO_ADDRESS, SkipReason.OPTED_OUT, SkipReason.TIME_OFF)
"""Left out before for a reason that may hold no more."""


@dataclass(frozen=True)
class UpcomingReminders:
    """When it is, whom it will tell and whom it cannot."""

    day: date
    at: datetime
    messages: Sequence[Expected]
    unreachable: Sequence[Unreachable]
    cut: bool
    """Whether there are more appointments than are shown."""


def of(session: Session, settings: Settings, *, with_texts: bool = True) -> UpcomingReminders:
    """The run that comes next, as it would be if nothing changes until then."""
    day, at = _next(settings)
    groups: dict[tuple[str, Channel, str, date], Expected] = {}
    unreachable: list[Unreachable] = []
    cut = False
    for span in spans(day, settings):
        visits, rows = _visits(session, span, at), _rows(session, span)
        cut = cut or len(visits) > MOST_VISITS
        visits = visits[:MOST_VISITS]
        reached = reach.of_patients(session, {visit.patient_id for visit in visits}, channels.ways(settings))
        away = time_off.away(session, visits, settings.clinic.zone)
        for visit in visits:
            row, rule = rows.get((visit.id, visit.starts_at)), message_rules.of(span.rule)
            way = _way(visit, row, span, reached[visit.patient_id])
            if way is None:
                continue
            channel, recipient, reason = way
            reason = SkipReason.TIME_OFF if visit.id in away else reason
            if reason is not None or recipient is None:
                unreachable.append(Unreachable(rule, visit, reason or SkipReason.NO_ADDRESS, row))
                continue
            local_day = visit.starts_at.astimezone(settings.clinic.zone).date()
            whose = address_key(recipient) if channels.of(channel).is_mail else recipient
            group = groups.setdefault((rule.name, channel, whose, local_day), Expected(rule, channel, recipient))
            group.visits.append(visit)
            group.rows += [row] if row else []
    if with_texts:
        for group in groups.values():
            group.subject, group.body = _text(session, group, settings)
    return UpcomingReminders(day, at, list(groups.values()), unreachable, cut)


def spans(day: date, settings: Settings) -> Sequence[Span]:
    """All that the runs of a day tell of."""
    today = reminders.of_day(day, settings.clinic.zone)
    return [today, reminders.early(day, settings), *reminders.ahead(day, settings)]


def find(session: Session, settings: Settings, appointment_id: int, rule: str) -> Expected:
    """The message of the next run that tells of an appointment. Raises NotFound where there is none (any more)."""
    for one in of(session, settings, with_texts=False).messages:
        if one.rule.name == rule and appointment_id in {visit.id for visit in one.visits}:
            one.subject, one.body = _text(session, one, settings)
            return one
    raise NotFound


def hold(session: Session, actor: Actor, appointment_id: int, rule: str, settings: Settings) -> None:
    """Keep a message of the next run back until it is let go. Raises NotFound, Conflict."""
    for row in _written(session, _to_write(session, settings, appointment_id, rule), settings):
        messages.hold_back(session, actor, row.id)


def let_go(session: Session, actor: Actor, appointment_id: int, rule: str, settings: Settings) -> None:
    """Let a message that was held back go with its run after all. Raises NotFound."""
    for row in _to_write(session, settings, appointment_id, rule).rows:
        if row.held_at is not None:
            messages.hold_no_longer(session, actor, row.id)


def edit(
    session: Session, actor: Actor, appointment_id: int, rule: str, settings: Settings, *, subject: str, body: str
) -> None:
    """Write the text of a message of the next run. Raises NotFound, Invalid."""
    message_log.check(actor)
    found = _to_write(session, settings, appointment_id, rule)
    subject = " ".join(texts.checked(subject, "subject", LONGEST_SUBJECT).split())
    body = texts.checked(body, "body", LONGEST_BODY)
    if channels.of(found.channel).is_mail and not subject:
        raise Invalid(_("Enter something here."), "subject")
    if not body:
        raise Invalid(_("Enter something here."), "body")
    row = _written(session, found, settings)[0]
    row.subject, row.body, row.edited_at = subject, body + "\n", clock.now()
    audit.record(session, actor, "message.edit", patient_id=row.patient_id, subject=f"message/{row.id}")


def restore(session: Session, actor: Actor, appointment_id: int, rule: str, settings: Settings) -> None:
    """Take the usual text again. Raises NotFound."""
    message_log.check(actor)
    for row in _to_write(session, settings, appointment_id, rule).rows:
        if row.edited_at is not None:
            row.subject = row.body = row.edited_at = None
            audit.record(session, actor, "message.restore", patient_id=row.patient_id, subject=f"message/{row.id}")


def mark_phoned(session: Session, actor: Actor, appointment_id: int, rule: str, settings: Settings) -> None:
    """Note that someone the next run cannot reach was called already. Raises NotFound, Conflict."""
    appointments.lock(session, appointment_id)
    for one in of(session, settings, with_texts=False).unreachable:
        if (one.visit.id, one.rule.name) == (appointment_id, rule):
            row = outbox.about_visit(session, rule, one.visit, event="schedule")
            row.status, row.skip_reason = MessageStatus.SKIPPED, one.reason
            call_lists.mark_phoned(session, actor, row.id)
            return
    find(session, settings, appointment_id, rule)
    raise Conflict(_("This patient will get a message, so no call is needed."))


def _next(settings: Settings) -> tuple[date, datetime]:
    zone, at = settings.clinic.zone, time.fromisoformat(settings.jobs.reminders_at)
    today = clock.today(zone)
    due = clock.instant(today, at, zone)
    if due > clock.now():
        return today, due
    return today + timedelta(days=1), clock.instant(today + timedelta(days=1), at, zone)


def _visits(session: Session, span: Span, run_at: datetime) -> Sequence[Appointment]:
    query = appointments.with_people().where(
        span.visits, Appointment.status == AppointmentStatus.BOOKED, Appointment.starts_at > run_at
    )
    return session.scalars(query.order_by(Appointment.starts_at, Appointment.id).limit(MOST_VISITS + 1)).all()


def _rows(session: Session, span: Span) -> dict[tuple[int | None, datetime | None], Message]:
    found = session.scalars(select(Message).where(span.scope))
    return {(row.appointment_id, row.starts_at): row for row in found}


def _way(visit: Appointment, row: Message | None, span: Span, reached: Reached) -> Reached | None:
    """How the run tells of an appointment whose patient is `reached` so; None where it will say nothing of it."""
    if row is not None and row.status == MessageStatus.QUEUED:
        return Reached(row.channel, row.recipient, None)
    told = row is not None and row.skip_reason not in UNTOLD
    if told or (row is None and visit.created_at >= span.booked_before):
        return None
    return reached


def _text(session: Session, expected: Expected, settings: Settings) -> tuple[str, str]:
    """What the message will say, with `{manage_link}` where the link will be."""
    edited = next((row for row in expected.rows if row.edited_at), None)
    if edited is not None:
        return edited.subject or "", edited.body or ""
    first = expected.first
    message = Message(
        rule=expected.rule.name,
        channel=expected.channel,
        recipient=expected.recipient,
        language=first.patient.language or "",
        patient_id=first.patient_id,
        appointment_id=first.id,
        starts_at=first.starts_at,
    )
    return content.preview(session, message, expected.visits, settings)


def _to_write(session: Session, settings: Settings, appointment_id: int, rule: str) -> Expected:
    """The same as find(), once the patients are locked whom the message tells."""
    found = find(session, settings, appointment_id, rule)
    locks.patients(session, *(visit.patient_id for visit in found.visits))
    session.expire_all()
    return find(session, settings, appointment_id, rule)


def _written(session: Session, expected: Expected, settings: Settings) -> Sequence[Message]:
    """Return the rows of a message of the next run, writing those that don't exist yet; its first appointment first."""
    _day, at = _next(settings)
    known = {row.appointment_id: row for row in expected.rows}
    rows = []
    for visit in expected.visits:
        row = known.get(visit.id)
        if row is None:
            rule = expected.rule.name
            row = outbox.about_visit(session, rule, visit, event="schedule", due_at=at)
            row.channel, row.recipient = expected.channel, expected.recipient
        if row.status != MessageStatus.QUEUED:
            raise Conflict(_("This message is no longer queued."))
        rows.append(row)
    return rows
