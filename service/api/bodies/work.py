"""Messages, runs of jobs, figures."""

from typing import Annotated, Any, Literal

from pydantic import Field, WithJsonSchema

from service.api.bodies.fields import Cursor, Line, Sent, Shown, ShownAt
from service.domain.messages.message_log import Listed
from service.storage.models import MessageStatus

State = Annotated[Listed, Field(strict=False), WithJsonSchema({"type": "string", "enum": list(Listed)})]


class Message(Shown):
    """How a message went, without what it says."""

    id: int
    rule: str = Field(description="What kind of message it is, such as `daily_reminder`.")
    appointment_id: int | None
    patient_id: int | None
    starts_at: ShownAt | None = Field(description="Of the visit, as it was when the message was planned.")
    channel: str
    recipient: str | None
    status: Annotated[MessageStatus, WithJsonSchema({"type": "string", "enum": list(MessageStatus)})]
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


class Run(Shown):
    """One turn of a job."""

    id: int
    job: str
    slot: str = Field(description="What it was for: a day, a month.")
    status: Literal["queued", "running", "done", "failed", "skipped"]
    trigger: Literal["schedule", "catchup", "manual"]
    attempt: int
    due_at: ShownAt
    created_at: ShownAt
    started_at: ShownAt | None
    finished_at: ShownAt | None
    outcome: dict[str, Any] | None


class Runs(Shown):
    """A page of runs, newest first."""

    items: list[Run]
    next: str | None


class Load(Shown):
    """How full a day or a doctor is."""

    booked: int
    booked_minutes: int
    open_minutes: int


class DayLoad(Load):
    date: str


class DoctorLoad(Load):
    doctor_id: int
    name: str


class Statistics(Shown):
    """The figures of the user's own dashboard; those that are not on it are left out."""

    as_of: ShownAt
    day: str = Field(json_schema_extra={"format": "date"})
    appointments_today: int
    booked_today: int
    arrived_today: int
    completed_today: int
    cancelled_today: int
    no_show_today: int
    not_coming_today: int
    to_complete: int
    visits_30_days: int | None = None
    visits_30_before: int | None = None
    no_show_rate: float | None = None
    no_show_rate_before: float | None = None
    late_cancel_rate: float | None = None
    late_cancel_rate_before: float | None = None
    new_patients_30_days: int | None = None
    returning_patients_30_days: int | None = None
    reminders_sent: int | None = None
    reminders_failed: int | None = None
    reminders_skipped: int | None = None
    next_days: list[DayLoad] | None = None
    next_by_doctor: list[DoctorLoad] | None = None
    today_by_doctor: list[DoctorLoad] | None = None
    busy_hours: list[list[int]] | None = Field(None, description="Visits of the last 30 days by weekday and hour.")
