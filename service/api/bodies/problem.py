"""The one shape of an error."""

from pydantic import Field

from service.api.bodies.appointments import FreeTime
from service.api.bodies.fields import Shown


class FieldProblem(Shown):
    """What is wrong with one of the things that were sent."""

    field: str
    detail: str


class Problem(Shown):
    """Problem details (RFC 9457)."""

    type: str = Field(description="Always `about:blank`: the status says what kind of problem it is.")
    title: str
    status: int
    detail: str = Field(description="A sentence for a person.")
    errors: list[FieldProblem] = Field([], description="Which fields are meant, with 422.")
    free_times: list[FreeTime] = Field([], description="The nearest free times, where the one wished for is taken.")
