"""Sending what waits in the outbox: claim, hand to the channel outside any transaction, settle; one after the other.

When no one can be reached, a round ends at the first message instead of trying all the others: the channel rests.
"""

from collections.abc import Callable
from typing import TypeVar

import structlog
from sqlalchemy import ColumnElement, true
from sqlalchemy.exc import DBAPIError
from sqlalchemy.orm import Session

from service.domain.messages import deliveries
from service.domain.messages.deliveries import Claim
from service.domain.outbox import channels, reminders
from service.domain.outbox.reminders import Tally
from service.jobs.context import JobContext, Outcome, Stopped
from service.notifications.message import DeliveryError, Unsure
from service.storage import database
from service.storage.models import Channel, MessageStatus, SkipReason

log = structlog.get_logger()
Settled = TypeVar("Settled")
TRIES = 4
"""How often a busy database is asked to take down how a message ended."""


class _NotOurs(Exception):
    """Another process has taken the message over."""


def deliver_messages(context: JobContext) -> None:
    """Send whatever is due in the outbox."""
    try:
        send_due(context, true())
    except Stopped:
        log.info("delivery stopped")


def send_reminders(context: JobContext, span: reminders.Span) -> Outcome:
    """Plan the reminders of a span and send them: `run` is what this call changed, `total` the span so far."""
    ways = channels.ways(context.settings)
    run = context.database.write(lambda session: reminders.plan(session, span, ways))
    run.add(send_due(context, span.scope).as_dict())
    with context.database.reading() as session:
        total = reminders.total(session, span)
    run.queued = total.queued
    outcome: Outcome = {"run": run.as_dict(), "total": total.as_dict()}
    return outcome | ({"stayed_here": total.stayed_here} if total.stayed_here else {})


def send_due(context: JobContext, scope: ColumnElement[bool]) -> Tally:
    """Send what is due within `scope`; returns how it ended. Raises Stopped between two messages."""
    tally = Tally()
    context.database.write(lambda session: deliveries.unsure(session, context.settings))
    try:
        while True:
            context.checkpoint()
            claimed = context.database.write(
                lambda session: deliveries.claim(session, context.owner, context.settings, scope, _resting(context))
            )
            if claimed is None:
                return tally
            tally.skipped[SkipReason.DUPLICATE] += claimed.covered
            if claimed.outgoing is None:
                tally.count(claimed.status, claimed.skip_reason)
            else:
                tally.count(_send(context, claimed))
    finally:
        context.channels.close()


def _resting(context: JobContext) -> set[Channel]:
    """The channels of messages that are left alone now; those that share an address rest together."""
    return {one for name in context.backoff.now() for one in channels.of(name).sharing}


def _send(context: JobContext, claimed: Claim) -> MessageStatus:
    """Hand one message to its channel and settle it; returns its new status."""

    def before_data() -> None:
        if not context.database.write(lambda session: deliveries.hand_over(session, claimed)):
            raise _NotOurs

    assert claimed.outgoing is not None
    channel = context.channels.of(claimed.channel)
    try:
        answer = channel.send(claimed.outgoing, before_data)
    except _NotOurs:
        return MessageStatus.QUEUED
    except DeliveryError as error:
        refusal = error
        if error.connection:
            context.backoff.begin(channel.name, error.retry_after)
        return _settle(context, lambda session: deliveries.refused(session, claimed, refusal))
    except Exception as error:  # what the channel did not foresee stops this message only
        log.error("channel failed", message=claimed.id, channel=channel.name, error=type(error).__name__)
        if isinstance(error, Unsure):
            context.backoff.begin(channel.name)
        why = str(error) if isinstance(error, Unsure) else type(error).__name__
        return _settle(context, lambda session: deliveries.broken(session, claimed, why, context.settings))
    context.backoff.end(channel.name)
    _settle(context, lambda session: deliveries.sent(session, claimed, answer))
    return MessageStatus.SENT


def _settle(context: JobContext, note: Callable[[Session], Settled]) -> Settled:
    """Take down how a message ended; that is known only here, so a busy database is asked again."""
    for _again in range(TRIES - 1):
        try:
            return context.database.write(note)
        except DBAPIError as error:
            if not database.is_busy(error):
                raise
    return context.database.write(note)
