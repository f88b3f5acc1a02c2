"""Response types for messages, without texts."""

from typing import Annotated

from pydantic import Field

from service.api.fields import Cursor, Line, Sent, Shown, ShownAt, words_of
from service.domain.messages.message_log import Listed
from service.storage.models import MessageStatus

State = Annotated[Listed, Field(strict=False), words_of(Listed)]


class Message(Shown):
    """How a message went, without what it says."""

    id: int
    rule: str = Field(description="What kind of message it is, such as `daily_reminder`.")
    appointment_id: int | None
    patient_id: int | None
    starts_at: ShownAt | None = Field(description="Of the visit, as it was when the message was planned.")
    channel: str
    recipient: str | None
    status: Annotated[MessageStatus, words_of(MessageStatus)]
    skip_reason: str | None
    attempts: int
    last_error: str | None
    due_at: ShownAt
    sent_at: ShownAt | None
    phoned_at: ShownAt | None
    created_at: ShownAt


class Messages(Shown):
    """A page of messages, newest first."""

    items: list[Message]
    next: str | None


class MessageQuery(Sent):
    state: State | None = Field(None, description="`to_do`: those somebody still has to see to.")
    q: Line = Field("", description="A name or an address.")
    after: Cursor | None = None
