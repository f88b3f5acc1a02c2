"""The outbox: claim one due message, check its visit again, hand it over, settle it.

A crash before the hand-over sends the message again; a crash during it leaves `unknown`, which is never sent
again by itself. So nobody gets two.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import ColumnElement, and_, exists, func, null, or_, select, update
from sqlalchemy.orm import Session, contains_eager

from service import clock
from service.domain import letters, message_rules
from service.models import Appointment, Installation, Message
from service.notifications.message import Letter
from service.settings import Clinic

LEASE = timedelta(seconds=60)
ATTEMPTS = 5
BACK_OFF = timedelta(minutes=2)
CLAIMING = 0x6D657373616765
"""The key of PostgreSQL's lock that one claim at a time holds."""


@dataclass(frozen=True)
class Claim:
    """A message taken to be sent: its letter, or the status it ended in instead."""

    id: int
    letter: Letter | None = None
    status: str = "sending"
    skip_reason: str | None = None
    covered: int = 0
    """How many other visits of the same address this letter lists."""


def claim(session: Session, owner: str, clinic: Clinic, scope: ColumnElement[bool]) -> Claim | None:
    """Take the next due message within `scope`, or None when there is none left.

    Its visit is read again here: cancelled, moved or begun, it is skipped with the reason.
    """
    now = clock.now()
    if session.get_bind().dialect.name == "postgresql":
        # One claim at a time, as on SQLite: two at once would each write to a family that shares an address.
        session.execute(select(func.pg_advisory_xact_lock(CLAIMING)))
    chosen = (
        select(Message.id)
        .where(scope, Message.due_at <= now, _free(now))
        .order_by(Message.starts_at, Message.id)
        .limit(1)
        .with_for_update(skip_locked=True)
    )
    taken = session.execute(
        update(Message)
        .where(Message.id == chosen.scalar_subquery())
        .values(status="sending", owner=owner, lease_until=now + LEASE, attempts=Message.attempts + 1)
        .returning(Message.id)
        .execution_options(synchronize_session=False)
    ).scalar_one_or_none()
    if taken is None:
        return None
    message = session.get_one(Message, taken, populate_existing=True)
    visits = _visits(session, message)
    reason = _why_not(message, visits[0], now) if visits else None
    if reason is not None:
        message.status, message.skip_reason = "skipped", reason
        _uncover(session, message, now)
        return Claim(message.id, status="skipped", skip_reason=reason)
    others = _absorb(session, message, clinic, now) if message_rules.of(message.rule).family else []
    try:
        letter = letters.write(session, message, [*visits, *others], clinic)
    except Exception as error:  # one message that cannot be written never stops the others
        message.status, message.last_error = "failed", f"{type(error).__name__}: {error}"[:500]
        return Claim(message.id, status="failed", covered=len(others))
    return Claim(message.id, letter, covered=len(others))


def hand_over(session: Session, message_id: int, owner: str) -> bool:
    """Note that the content leaves now; False when the message is no longer ours."""
    return _move(session, message_id, owner, "sending", "handing_over")


def sent(session: Session, message_id: int, owner: str) -> bool:
    """The channel accepted the message (which is sent, not delivered)."""
    return _move(session, message_id, owner, "handing_over", "sent", sent_at=clock.now(), last_error=None)


def refused(session: Session, message_id: int, owner: str, why: str, *, permanent: bool) -> str:
    """The channel said no: failed, or queued again with a growing pause; returns the new status."""
    message = session.get_one(Message, message_id)
    status = "failed" if permanent or message.attempts >= ATTEMPTS else "queued"
    due_at = clock.now() + BACK_OFF * 2 ** (message.attempts - 1)
    for present in ("sending", "handing_over"):
        _move(session, message_id, owner, present, status, last_error=why[:500], due_at=due_at)
    return status


def broken(session: Session, message_id: int, owner: str, why: str) -> str:
    """The channel itself failed: unknown when the content may have left already, else as refused for now."""
    if _move(session, message_id, owner, "handing_over", "unknown", last_error=why[:500]):
        return "unknown"
    return refused(session, message_id, owner, why, permanent=False)


def unsure(session: Session) -> int:
    """Mark messages whose sender died while handing over as unknown: they may or may not have arrived."""
    dead = and_(Message.status == "handing_over", Message.lease_until < clock.now())
    marked = session.scalars(update(Message).where(dead).values(status="unknown").returning(Message.id))
    return len(marked.all())


def overdue(session: Session) -> bool:
    """Whether messages wait that nobody is sending: left by a crash, a pause or an error."""
    now = clock.now()
    forgotten = and_(Message.status == "queued", Message.due_at <= now - LEASE)
    dead = and_(Message.status.in_(("sending", "handing_over")), Message.lease_until < now)
    return session.scalar(select(Message.id).where(or_(forgotten, dead)).limit(1)) is not None


def oldest_due(session: Session) -> datetime | None:
    """Since when the message that waits longest should have left; one that is held or paused waits on purpose."""
    paused = exists().where(Installation.messages_paused_at.is_not(None))
    waits = and_(Message.status.in_(("queued", "sending")), Message.held_at.is_(None), ~paused)
    ahead = or_(Message.starts_at.is_(None), Message.starts_at > clock.now())
    return session.scalar(select(func.min(Message.due_at)).where(waits, ahead, Message.due_at <= clock.now()))


def begun(session: Session) -> bool:
    """Whether messages still wait whose visit has begun meanwhile."""
    return session.scalar(select(Message.id).where(_begun()).limit(1)) is not None


def give_up_begun(session: Session) -> None:
    """Skip messages whose visit has begun while they waited, also while all are held."""
    session.execute(update(Message).where(_begun()).values(status="skipped", skip_reason="too_late"))


def _begun() -> ColumnElement[bool]:
    return and_(Message.status == "queued", Message.starts_at <= clock.now())


def waiting_and_unsure(session: Session) -> tuple[int, int]:
    """How many messages of visits still ahead wait to be sent, and how many may or may not have arrived."""
    query = (
        select(Message.status, func.count())
        .where(Message.status.in_(("queued", "unknown")), Message.starts_at > clock.now())
        .group_by(Message.status)
    )
    counts: dict[str, int] = dict(session.execute(query).all())
    return counts.get("queued", 0), counts.get("unknown", 0)


def release(session: Session, owner_prefix: str) -> None:
    """At start: claims held by dead processes of our kind are free at once instead of when their lease ends."""
    stale = Message.owner.startswith(owner_prefix, autoescape=True)
    past = clock.now() - timedelta(seconds=1)
    held = Message.status.in_(("sending", "handing_over"))
    session.execute(update(Message).where(held, stale).values(lease_until=past))


def _free(now: datetime) -> ColumnElement[bool]:
    return or_(Message.status == "queued", and_(Message.status == "sending", Message.lease_until < now))


def _visits(session: Session, message: Message) -> list[Appointment]:
    """The visit a message is about, with its people; none for a message about something else."""
    query = (
        select(Appointment)
        .join(Appointment.doctor)
        .join(Appointment.patient)
        .options(contains_eager(Appointment.doctor), contains_eager(Appointment.patient))
        .where(Appointment.id == message.appointment_id)
    )
    return list(session.scalars(query))


def _why_not(message: Message, visit: Appointment, now: datetime) -> str | None:
    """The reason not to send about a visit any more, or None."""
    still = message_rules.of(message.rule).still
    if visit.starts_at != message.starts_at or (visit.status in ("cancelled", "no_show") and visit.status not in still):
        return "cancelled"
    return "too_late" if visit.starts_at <= now or visit.status not in still else None


def _absorb(session: Session, message: Message, clinic: Clinic, now: datetime) -> list[Appointment]:
    """The other visits of the same address that day: their messages are covered by this one."""
    assert message.starts_at is not None
    start, end = clock.day_bounds(message.starts_at.astimezone(clinic.zone).date(), clinic.zone)
    siblings = session.scalars(
        select(Message)
        .where(
            Message.rule == message.rule,
            Message.channel == message.channel,
            Message.recipient == message.recipient,
            Message.starts_at >= start,
            Message.starts_at < end,
            Message.id != message.id,
            or_(Message.status == "queued", Message.covered_by == message.id),
        )
        .order_by(Message.starts_at, Message.id)
        .with_for_update(skip_locked=True)
    ).all()
    covered = []
    for sibling in siblings:
        (visit,) = _visits(session, sibling)
        if _why_not(sibling, visit, now) is None:
            sibling.status, sibling.skip_reason, sibling.covered_by = "skipped", "duplicate", message.id
            covered.append(visit)
    return covered


def _uncover(session: Session, message: Message, now: datetime) -> None:
    """Queue again what a letter that will not be sent was to list."""
    covered = and_(Message.covered_by == message.id, Message.status == "skipped", Message.skip_reason == "duplicate")
    values = {"status": "queued", "skip_reason": null(), "covered_by": null(), "due_at": now}
    session.execute(update(Message).where(covered).values(**values).execution_options(synchronize_session=False))


def _move(session: Session, message_id: int, owner: str, present: str, status: str, **values: object) -> bool:
    """Compare and set: only the owner moves a message on."""
    mine = and_(Message.id == message_id, Message.owner == owner, Message.status == present)
    moved = session.execute(
        update(Message)
        .where(mine)
        .values(status=status, lease_until=clock.now() + LEASE, **values)
        .returning(Message.id)
        .execution_options(synchronize_session=False)
    )
    return moved.scalar_one_or_none() is not None
