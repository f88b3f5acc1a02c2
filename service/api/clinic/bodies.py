"""Response types for job runs."""

from typing import Annotated, Any

from pydantic import Field

from service.api.fields import Shown, ShownAt, words_of
from service.storage.models import RunStatus, RunTrigger


class Run(Shown):
    """One turn of a job."""

    id: int
    job: str
    slot: str = Field(description="What it was for: a day, a month.")
    status: Annotated[RunStatus, words_of(RunStatus)]
    trigger: Annotated[RunTrigger, words_of(RunTrigger)]
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
