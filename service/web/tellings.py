"""The line beside a button that says who will be notified."""

from datetime import datetime

from service.domain.messages import notifications
from service.domain.messages.notifications import Notification
from service.http import context
from service.storage.models import User


def before(rule: str, patient_id: int, *, due_at: datetime | None = None) -> Notification:
    """What a message of this rule to the patient would tell if it were written now, to be sent now or at `due_at`."""
    return notifications.would(
        context.reading(), context.actor(), rule, patient_id, context.wiring().settings, due_at=due_at
    )


def account(rule: str, user: User) -> Notification:
    """What a message of this rule to a user's own address would tell if it were written now."""
    return notifications.would_account(context.reading(), context.actor(), rule, user, context.wiring().settings)


def invited() -> notifications.State:
    """Whether an invitation by e-mail would leave now."""
    return notifications.would_user(context.reading(), context.wiring().settings)
