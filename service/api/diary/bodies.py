"""Response types for doctors and free slots."""

from pydantic import Field

from service.api.fields import AskedId, Cursor, Day, Days, Department, Limit, Sent, Shown, ShownAt


class FreeTime(Shown):
    """An appointment that could be booked."""

    starts_at: ShownAt
    ends_at: ShownAt
    doctor_id: int


class FreeTimes(Shown):
    """A page of free times, soonest first."""

    items: list[FreeTime]
    next: str | None


class FreeTimeQuery(Sent):
    date: Day | None = Field(None, description="The first day; today if not said.")
    days: Days = 1
    visit_type_id: AskedId | None = None
    patient_id: AskedId | None = Field(None, description="Whose own visits are not free times.")
    after: Cursor | None = None
    limit: Limit = 50


class AnyFreeTimeQuery(FreeTimeQuery):
    department: Department = ""


class Doctor(Shown):
    id: int
    name: str
    department: str
    archived_at: ShownAt | None


class Doctors(Shown):
    """A page of those who work here, in the order they joined."""

    items: list[Doctor]
    next: str | None


class DoctorQuery(Sent):
    department: Department = ""
    after: Cursor | None = None
    limit: Limit = 50
