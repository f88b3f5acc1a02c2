"""The way of a message out of the outbox: claim it, check its appointment again, hand it over, settle it.

A crash before the hand-over sends the message again; a crash during it leaves `unknown`, which is never sent
again by itself. So no one gets two.
"""

import re
from collections.abc import Collection
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from sqlalchemy import ColumnElement, Select, and_, exists, func, or_, select, true, update
from sqlalchemy.exc import OperationalError
from sqlalchemy.orm import Session

from service import clock
from service.config.settings import Settings
from service.domain.foundation.leases import Leases
from service.domain.messages import content, message_checks, messages
from service.domain.outbox import message_rules
from service.notifications.message import DeliveryError, OutgoingMessage, message_id
from service.storage.models import Channel, Installation, Message, MessageStatus, SkipReason

LEASE = timedelta(seconds=60)
LAST_LEASE = timedelta(seconds=150)
"""Of a message whose content leaves: longer than any channel waits for the last answer."""
LEASES = Leases(Message, Message.attempts, held=(MessageStatus.SENDING, MessageStatus.HANDING_OVER))
FIRST_PAUSE, LONGEST_PAUSE = timedelta(minutes=2), timedelta(hours=1)
PATIENCE, LEAST_ATTEMPTS = timedelta(days=2), 5
"""A message about no appointment is given up after so long, but never before so many attempts."""
CLAIMING = 0x6D657373616765
"""The key of PostgreSQL's lock that one claim at a time holds."""


@dataclass(frozen=True)
class Claim:
    """A message taken to be sent: what is to be sent, or the status it ended in instead."""

    id: int
    owner: str = ""
    attempt: int = 0
    channel: Channel = Channel.CONSOLE
    outgoing: OutgoingMessage | None = None
    status: MessageStatus = MessageStatus.SENDING
    skip_reason: SkipReason | None = None
    covered: int = 0
    """How many other appointments of the same address this message lists."""
    edited: bool = False
    """Whether someone wrote its text beforehand."""


def claim(
    session: Session, owner: str, settings: Settings, scope: ColumnElement[bool], resting: Collection[Channel] = ()
) -> Claim | None:
    """Take the next due message within `scope`, or None when there is none left; channels that rest are left alone.

    Its appointment is read again here: canceled, moved or begun, it is skipped with the reason. So are channel and
    address.
    """
    now = clock.now()
    # One claim at a time, as on SQLite: two at once would each write to a family that shares an address.
    wait_for_claims(session)
    first = LEASES.first(_claimable(session, settings, now, scope, resting))
    taken = LEASES.claim(session, first, owner, LEASE, Message.id)
    if taken is None:
        return None
    message = session.get_one(Message, taken.id, populate_existing=True)
    visits = message_checks.visits_of(session, message)
    if visits:
        reason = message_checks.why_not(session, message, visits[0], settings.clinic.zone)
    else:
        reason = message_checks.outdated(session, message, now)
    way = message.channel
    if reason is None:
        way, reason = message_checks.find_way(session, message, settings)
    if reason is not None:
        message.status, message.skip_reason = MessageStatus.SKIPPED, reason
        message_checks.uncover_those_of(session, [message.id], now)
        return Claim(message.id, status=MessageStatus.SKIPPED, skip_reason=reason)
    later = message_checks.not_before(session, message, settings, now)
    if later is not None:
        message.status, message.due_at, message.attempts = MessageStatus.QUEUED, later, message.attempts - 1
        return Claim(message.id, status=MessageStatus.QUEUED)
    family = message_rules.of(message.rule).family
    others = message_checks.absorb(session, message, settings.clinic.zone) if family else []
    try:
        with session.begin_nested():
            outgoing = content.write(session, message, [*visits, *others], settings)
    except OperationalError:  # a collision, or a database that is busy or away: the message is claimed again
        raise
    except Exception as error:  # one message that cannot be written never stops the others
        message.status, message.last_error = MessageStatus.FAILED, f"{type(error).__name__}: {error}"[:500]
        return Claim(message.id, status=MessageStatus.FAILED, covered=len(others))
    edited = message.edited_at is not None
    if not edited:
        message.subject, message.body = without_links(outgoing.subject), without_links(outgoing.body)
    outgoing = replace(outgoing, message_id=message_id(message.id, message.created_at, settings))
    return Claim(message.id, owner, message.attempts, way, outgoing, covered=len(others), edited=edited)


def wait_for_claims(session: Session) -> None:
    """Let no message be written until this transaction ends, and those that are written now be stored first.

    Anyone who locks rows besides calls this before.
    """
    if session.get_bind().dialect.name == "postgresql":
        session.execute(select(func.pg_advisory_xact_lock(CLAIMING)))


def without_links(text: str) -> str:
    """The text as it may be kept: each link, filled in or not yet, is `[link]`, so that no token rests anywhere."""
    return re.sub(r"https?://[^\s<>\"]+|\{\w*link\}", "[link]", text)


def hand_over(session: Session, claimed: Claim) -> bool:
    """Note that the content leaves now; False when the message is no longer ours."""
    mine = and_(_mine(claimed), Message.status == MessageStatus.SENDING)
    return LEASES.renew(session, mine, LAST_LEASE, status=MessageStatus.HANDING_OVER)


def sent(session: Session, claimed: Claim, answer: str | None = None) -> bool:
    """The channel accepted the message (which is sent, not delivered); also when we had given up waiting for it."""
    values = {"sent_at": clock.now(), "last_error": None, "answer": answer and answer[:500]}
    if not _move(
        session,
        claimed,
        (MessageStatus.HANDING_OVER, MessageStatus.UNKNOWN, MessageStatus.QUEUED),
        MessageStatus.SENT,
        **values,
    ):
        return False
    if claimed.edited:
        message = session.get_one(Message, claimed.id)
        message.body = without_links(message.body or "")
    return True


def refused(session: Session, claimed: Claim, error: DeliveryError) -> MessageStatus:
    """The channel said no: failed, or queued again with a growing pause; returns the new status."""
    now = clock.now()
    message = session.get_one(Message, claimed.id)
    status = MessageStatus.FAILED if error.permanent or _out_of_patience(message, now) else MessageStatus.QUEUED
    due_at = now + _pause(message, now, error.retry_after)
    _move(
        session,
        claimed,
        (MessageStatus.SENDING, MessageStatus.HANDING_OVER),
        status,
        last_error=str(error)[:500],
        due_at=due_at,
    )
    return status


def broken(session: Session, claimed: Claim, why: str, settings: Settings) -> MessageStatus:
    """The channel itself failed: unknown when the content may have left already, else as refused for now."""
    handing_over = and_(_mine(claimed), Message.status == MessageStatus.HANDING_OVER)
    _settle_unsure(session, handing_over, settings, why)
    status = session.scalar(select(Message.status).where(_mine(claimed)))
    if status == MessageStatus.SENDING:
        return refused(session, claimed, DeliveryError(why, permanent=False))
    return status or MessageStatus.QUEUED  # by now it is someone else's


def unsure(session: Session, settings: Settings) -> int:
    """Mark messages whose sender died while handing over as unknown: they may or may not have arrived."""
    dead = LEASES.dead(MessageStatus.HANDING_OVER, clock.now())
    return _settle_unsure(session, dead, settings, "the program ended while it was sent")


def waiting(session: Session, settings: Settings, since: timedelta = timedelta()) -> bool:
    """Whether messages are due, for so long at least, that may be sent and that no one is sending."""
    now = clock.now()
    dead = select(Message.id).where(LEASES.dead(MessageStatus.HANDING_OVER, now))
    found = [dead, *_claimable(session, settings, now, Message.due_at <= now - since, ())]
    return any(session.scalar(query.limit(1)) is not None for query in found)


def oldest_due(session: Session) -> datetime | None:
    """Since when the message that waits longest should have left; one that is held or paused waits on purpose."""
    paused = exists().where(Installation.messages_paused_at.is_not(None))
    waits = and_(Message.status.in_((MessageStatus.QUEUED, MessageStatus.SENDING)), Message.held_at.is_(None), ~paused)
    ahead = or_(Message.starts_at.is_(None), Message.starts_at > clock.now())
    return session.scalar(select(func.min(Message.due_at)).where(waits, ahead, Message.due_at <= clock.now()))


def begun(session: Session) -> bool:
    """Whether messages still wait whose appointment has begun meanwhile."""
    return session.scalar(select(Message.id).where(_begun()).limit(1)) is not None


def give_up_begun(session: Session) -> None:
    """Skip messages whose appointment has begun while they waited, also while all are held; others they were to list
    wait.
    """
    message_checks.uncover_those_of(session, select(Message.id).where(_begun()), clock.now())
    session.execute(
        update(Message).where(_begun()).values(status=MessageStatus.SKIPPED, skip_reason=SkipReason.TOO_LATE)
    )


def release(session: Session, owner_prefix: str) -> None:
    """At the start of a process: messages that dead ones of its kind held are free at once."""
    LEASES.release(session, owner_prefix)


def _begun() -> ColumnElement[bool]:
    return and_(Message.status == MessageStatus.QUEUED, Message.starts_at <= clock.now())


def _claimable(
    session: Session, settings: Settings, now: datetime, scope: ColumnElement[bool], resting: Collection[Channel]
) -> tuple[Select[int], ...]:
    """What may be claimed, in this order: left by a crash; about no appointment, such as a sign-in mail; the next
    appointments'.
    """
    let = Message.released_at.is_not(None) if messages.are_held(session, settings.messages) else true()
    awake = Message.channel.not_in(resting) if resting else true()
    ready = and_(scope, let, awake, Message.held_at.is_(None), Message.due_at <= now)
    queued = select(Message.id).where(ready, Message.status == MessageStatus.QUEUED)
    return (
        select(Message.id).where(ready, LEASES.dead(MessageStatus.SENDING, now)).order_by(Message.id),
        queued.where(Message.starts_at.is_(None)).order_by(Message.due_at, Message.id),
        queued.where(Message.starts_at.is_not(None)).order_by(Message.starts_at, Message.due_at, Message.id),
    )


def _pause(message: Message, now: datetime, retry_after: float | None) -> timedelta:
    """How long to wait after a refusal: twice as long each time, but half of what is left until the appointment at
    most.
    """
    grown = min(FIRST_PAUSE * (1 << min(message.attempts - 1, 10)), LONGEST_PAUSE)
    if message.starts_at is not None:
        grown = max(FIRST_PAUSE, min(grown, (message.starts_at - now) / 2))
    return max(grown, timedelta(seconds=min(retry_after or 0.0, 86400.0)))


def _out_of_patience(message: Message, now: datetime) -> bool:
    """Whether a message that no appointment puts an end to has been tried for long enough."""
    return message.starts_at is None and message.attempts >= LEAST_ATTEMPTS and now - message.created_at > PATIENCE


def _settle_unsure(session: Session, which: ColumnElement[bool], settings: Settings, why: str) -> int:
    """Unknown, or for e-mail once queued again where the clinic wants that; returns how many."""
    now = clock.now()
    values = {"last_error": why[:500], "unsure_at": func.coalesce(Message.unsure_at, now)}
    again = and_(which, Message.channel == Channel.EMAIL, Message.unsure_at.is_(None))
    settled = 0
    if settings.email.retry_unknown:
        settled += _set(session, again, status=MessageStatus.QUEUED, due_at=now + FIRST_PAUSE, **values)
    return settled + _set(session, which, status=MessageStatus.UNKNOWN, **values)


def _set(session: Session, which: ColumnElement[bool], **values: object) -> int:
    changed = session.scalars(
        update(Message).where(which).values(**values).returning(Message.id).execution_options(synchronize_session=False)
    )
    return len(changed.all())


def _mine(claimed: Claim) -> ColumnElement[bool]:
    return and_(LEASES.own(claimed.id, claimed.owner), Message.attempts == claimed.attempt)


def _move(
    session: Session, claimed: Claim, present: Collection[MessageStatus], status: MessageStatus, **values: object
) -> bool:
    """Compare and set: only the process that claimed a message, in the same attempt, may change its status."""
    return _set(session, and_(_mine(claimed), Message.status.in_(present)), status=status, **values) == 1
