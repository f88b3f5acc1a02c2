"""Final checks before a message is sent: its appointment, its channel, the daily cap, the rest of the family."""

from collections.abc import Collection
from datetime import datetime, time, timedelta
from zoneinfo import ZoneInfo

from sqlalchemy import Select, and_, func, null, or_, select, update
from sqlalchemy.orm import Session, contains_eager

from service import clock
from service.config.settings import Settings
from service.domain.accounts import user_tokens
from service.domain.diary import time_off
from service.domain.foundation import installation
from service.domain.outbox import channels, message_rules, reach, subjects
from service.domain.outbox.subjects import Kind
from service.mail_addresses import address_key
from service.storage.models import (
    NOT_COMING,
    Appointment,
    Channel,
    Export,
    Message,
    MessageStatus,
    Offer,
    Patient,
    SkipReason,
    User,
)


def visits_of(session: Session, message: Message) -> list[Appointment]:
    """The appointment a message is about, with its people; none for a message about something else."""
    query = (
        select(Appointment)
        .join(Appointment.doctor)
        .join(Appointment.patient)
        .options(contains_eager(Appointment.doctor), contains_eager(Appointment.patient))
        .where(Appointment.id == message.appointment_id)
    )
    return list(session.scalars(query))


def why_not(session: Session, message: Message, visit: Appointment, zone: ZoneInfo) -> SkipReason | None:
    """The reason not to send about an appointment any more, or None."""
    now, rule = clock.now(), message_rules.of(message.rule)
    still = rule.still
    if visit.starts_at != message.starts_at or (visit.status in NOT_COMING and visit.status not in still):
        return SkipReason.CANCELLED
    if visit.starts_at <= now or visit.status not in still:
        return SkipReason.TOO_LATE
    # The desk suggests other times for appointments that time off affects: a reminder would say the opposite.
    return SkipReason.TIME_OFF if rule.family and time_off.away(session, [visit], zone) else None


def outdated(session: Session, message: Message, now: datetime) -> SkipReason | None:
    """Why a message about no appointment is not true any more: the reason to skip it, or None."""
    subject = subjects.of(message)
    if subject is not None and subject.kind == Kind.OFFER:
        offer = session.get(Offer, int(subject.key))
        if offer is None or offer.closed_at is not None:
            return SkipReason.CANCELLED
        return SkipReason.TOO_LATE if offer.expires_at <= now else None
    if subject is not None and subject.kind == Kind.EXPORT:
        export = session.get(Export, subject.key)
        if export is None or export.expires_at is None or export.expires_at <= now:
            return SkipReason.TOO_LATE
    return None if message.user_id is None else _no_longer_theirs(session.get_one(User, message.user_id), message)


def _no_longer_theirs(user: User, message: Message) -> SkipReason | None:
    """Why an account's mail is not sent: the account was closed, or its address or password changed since."""
    rule = message_rules.of(message.rule)
    if user.disabled_at is not None:
        return SkipReason.CANCELLED
    if rule.leaving:
        return None
    if rule.one_time is None:
        return None if message.recipient == user.email else SkipReason.CANCELLED
    meant = user_tokens.is_still_meant(user, rule.one_time, message.recipient, message.created_at)
    return None if meant else SkipReason.CANCELLED


def find_way(session: Session, message: Message, settings: Settings) -> tuple[Channel, SkipReason | None]:
    """Settle on channel, address and language as they are by now; returns the channel, and the reason to skip, if any.

    Where the message's own channel is off, or no longer wanted, the patient's other one stands in. A notice about
    access stays at the address that was known when access was given.
    """
    kind, rule, ways = channels.of(message.channel).way, message_rules.of(message.rule), channels.ways(settings)
    if rule.is_notice and kind not in ways:
        return kind, SkipReason.NO_ADDRESS
    if message.patient_id is not None and not rule.is_notice:
        kind, recipient, reason = reach.of_patient(session, message.patient_id, ways, first=kind, asking=rule.wanted)
        if reason is not None:
            return kind, reason
        message.recipient = recipient
        message.language = session.get_one(Patient, message.patient_id).language or ""
    way = Channel.CONSOLE if stays_here(session, kind, message.recipient, settings) else kind
    return way, _take_name(session, message, way)


def stays_here(session: Session, channel: Channel, recipient: str | None, settings: Settings) -> bool:
    """Whether a message is only written to the console: e-mail is off, or no one outside a demo clinic is to hear."""
    if channel == Channel.EMAIL and not settings.email.enabled:
        return True
    return not address_key(recipient or "").endswith("@demo.example") and installation.is_demo(session)


def _take_name(session: Session, message: Message, channel: Channel) -> SkipReason | None:
    """Call the message's channel by the name of the one it takes; `duplicate` when another row has told the same."""
    if message.channel == channel:
        return None
    other = None
    if message.appointment_id is not None:
        other = session.scalar(
            select(Message).where(
                Message.appointment_id == message.appointment_id,
                Message.starts_at == message.starts_at,
                Message.rule == message.rule,
                Message.channel == channel,
            )
        )
    if other is None:
        message.channel = channel
    elif other.status != MessageStatus.SKIPPED or other.skip_reason == SkipReason.DUPLICATE:
        message.covered_by = other.covered_by or other.id
        return SkipReason.DUPLICATE
    return None


def not_before(session: Session, message: Message, settings: Settings, now: datetime) -> datetime | None:
    """When a patient who has had enough messages today may get the next one; None: now.

    What an account needs, what someone let go by hand, and what would come too late tomorrow is not counted out.
    """
    if message.patient_id is None or message.released_at is not None or not message_rules.of(message.rule).wanted:
        return None
    zone = settings.clinic.zone
    today = clock.today(zone)
    left = Message.status.in_((MessageStatus.HANDING_OVER, MessageStatus.SENT, MessageStatus.UNKNOWN))
    this_day = func.coalesce(Message.sent_at, Message.lease_until) >= clock.day_bounds(today, zone)[0]
    had = session.scalar(select(func.count()).where(Message.patient_id == message.patient_id, left, this_day)) or 0
    if had < settings.messages.daily_cap:
        return None
    later = clock.instant(today + timedelta(days=1), time.fromisoformat(settings.jobs.reminders_at), zone)
    too_late = message.starts_at is not None and message.starts_at <= later
    return None if too_late else later


def absorb(session: Session, message: Message, zone: ZoneInfo) -> list[Appointment]:
    """The other appointments of the same address that day: their messages are covered by this one."""
    assert message.starts_at is not None
    assert message.patient_id is not None
    kind, patient = channels.of(message.channel), session.get_one(Patient, message.patient_id)
    written = select(kind.address).where(kind.compared == getattr(patient, kind.compared.key)).distinct()
    start, end = clock.day_bounds(message.starts_at.astimezone(zone).date(), zone)
    siblings = session.scalars(
        select(Message)
        .where(
            Message.rule == message.rule,
            Message.channel.in_(kind.sharing),
            Message.recipient.in_({message.recipient, *session.scalars(written)}),
            Message.starts_at >= start,
            Message.starts_at < end,
            Message.id != message.id,
            Message.held_at.is_(None),
            Message.edited_at.is_(None),
            or_(Message.status == MessageStatus.QUEUED, Message.covered_by == message.id),
        )
        .order_by(Message.starts_at, Message.id)
        .with_for_update(skip_locked=True)
    ).all()
    covered = []
    for sibling in siblings:
        (visit,) = visits_of(session, sibling)
        if not (kind.is_allowed_by(visit.patient) and kind.are_together(visit.patient, patient)):
            if sibling.covered_by == message.id:
                sibling.status, sibling.skip_reason, sibling.covered_by = MessageStatus.QUEUED, None, None
        elif why_not(session, sibling, visit, zone) is None:
            sibling.status, sibling.skip_reason, sibling.covered_by = (
                MessageStatus.SKIPPED,
                SkipReason.DUPLICATE,
                message.id,
            )
            covered.append(visit)
    return covered


def uncover_those_of(session: Session, messages: Collection[int] | Select[int], now: datetime) -> None:
    """Queue again what messages that will not be sent were to list."""
    covered = and_(
        Message.covered_by.in_(messages),
        Message.status == MessageStatus.SKIPPED,
        Message.skip_reason == SkipReason.DUPLICATE,
    )
    values = {"status": MessageStatus.QUEUED, "skip_reason": null(), "covered_by": null(), "due_at": now}
    session.execute(update(Message).where(covered).values(**values).execution_options(synchronize_session=False))
