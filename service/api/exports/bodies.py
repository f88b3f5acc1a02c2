"""Request and response types for exports of a history."""

from typing import Annotated

from pydantic import Field

from service.api.fields import Id, Sent, Shown, ShownAt, words_of
from service.storage.models import ExportFormat, ExportStatus

Format = Annotated[ExportFormat, Field(strict=False), words_of(ExportFormat)]

Status = Annotated[ExportStatus, Field(strict=False), words_of(ExportStatus)]


class Export(Shown):
    """A patient's history as a file, on its way."""

    id: str
    patient_id: int
    format: Format
    with_visits: bool
    with_messages: bool
    status: Status
    rows_done: int
    rows_total: int
    created_at: ShownAt
    expires_at: ShownAt | None
    downloads: int


class NewExport(Sent):
    patient_id: Id | None = Field(None, description="Needed unless the user looks after exactly one patient.")
    format: Format = ExportFormat.CSV
    visits: bool = Field(False, description="Not with csv.")
    messages: bool = Field(False, description="Not with csv.")
