"""Treatments, exports of a history, monthly reports."""

from datetime import date
from typing import Annotated, Any

from pydantic import Field, StringConstraints, WithJsonSchema

from service.api.bodies.fields import NO_NUL, Cursor, Day, Id, Sent, Shown, ShownAt, Version
from service.storage.models import ExportFormat, ExportStatus

Long = Annotated[str, StringConstraints(max_length=20_000, pattern=NO_NUL)]

Format = Annotated[ExportFormat, Field(strict=False), WithJsonSchema({"type": "string", "enum": list(ExportFormat)})]
Status = Annotated[ExportStatus, Field(strict=False), WithJsonSchema({"type": "string", "enum": list(ExportStatus)})]


class Treatment(Shown):
    """What was found and done at a visit."""

    id: int
    appointment_id: int
    visit_type: str
    symptoms: str
    diagnosis: str
    treatment: str
    prescription: str
    notes: str
    next_visit: date | None
    created_at: ShownAt
    updated_at: ShownAt
    version: int


class Treatments(Shown):
    """A page of a patient's treatments, newest first."""

    items: list[Treatment]
    next: str | None


class TreatmentTexts(Sent):
    """The whole of it: what is left out is emptied; the earlier version is kept. At least one text is needed."""

    visit_type: Annotated[str, StringConstraints(max_length=60, pattern=NO_NUL)] = ""
    symptoms: Long = ""
    diagnosis: Long = ""
    treatment: Long = ""
    prescription: Long = ""
    notes: Long = ""
    next_visit: Day | None = None
    version: Version | None = Field(None, description="The version that was read, 0 where there was none.")


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


class Report(Shown):
    """A doctor's month."""

    id: int
    doctor_id: int
    month: str = Field(description="`YYYY-MM`")
    visits: int
    created_at: ShownAt


class ReportWithContent(Report):
    content: dict[str, Any] = Field(description="The figures, visits and treatments as of the run.")


class Reports(Shown):
    """A page of reports, newest month first."""

    items: list[Report]
    next: str | None


class PageQuery(Sent):
    after: Cursor | None = None
