"""Job runs as they are shown."""

from typing import Any, Literal

from pydantic import Field

from service.api.fields import Shown, ShownAt


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
