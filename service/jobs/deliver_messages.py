"""Send the messages in the outbox one by one: claim, send outside any transaction, record the result.

If a server can't be reached, sending stops at the first message and backs off, instead of trying all the others.
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
"""How often to try recording a result in a busy database."""


class _NotOurs(Exception):
    """Another process has taken over the message."""


def deliver_messages(context: JobContext) -> None:
    """Send all messages that are due."""
    try:
        send_due(context, true())
    except Stopped:
        log.info("delivery stopped")


def send_reminders(context: JobContext, span: reminders.Span) -> Outcome:
    """Plan and send the reminders of a span. `run` is what this call changed, `total` the span so far."""
    ways = channels.ways(context.settings)
    run = context.database.write(lambda session: reminders.plan(session, span, ways))
    run.add(send_due(context, span.scope).as_dict())
    with context.database.reading() as session:
        total = reminders.total(session, span)
    run.queued = total.queued
    outcome: Outcome = {"run": run.as_dict(), "total": total.as_dict()}
    return outcome | ({"stayed_here": total.stayed_here} if total.stayed_here else {})


def send_due(context: JobContext, scope: ColumnElement[bool]) -> Tally:
    """Send what is due within `scope`, and return the results. Raises Stopped between two messages."""
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
    """Return the channels to leave alone now. Channels with the same transport back off together."""
    return {one for name in context.backoff.now() for one in channels.of(name).sharing}


def _send(context: JobContext, claimed: Claim) -> MessageStatus:
    """Send one message, record the result, and return its new status."""

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
    except Exception as error:  # an unexpected error fails only this message
        log.error("channel failed", message=claimed.id, channel=channel.name, error=type(error).__name__)
        if isinstance(error, Unsure):
            context.backoff.begin(channel.name)
        why = str(error) if isinstance(error, Unsure) else type(error).__name__
        return _settle(context, lambda session: deliveries.broken(session, claimed, why, context.settings))
    context.backoff.end(channel.name)
    _settle(context, lambda session: deliveries.sent(session, claimed, answer))
    return MessageStatus.SENT


def _settle(context: JobContext, note: Callable[[Session], Settled]) -> Settled:
    """Record the result of a message. Only we know it, so try again if the database is busy."""
    for _again in range(TRIES - 1):
        try:
            return context.database.write(note)
        except DBAPIError as error:
            if not database.is_busy(error):
                raise
    return context.database.write(note)
