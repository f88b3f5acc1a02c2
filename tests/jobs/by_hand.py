"""A job started by hand, as the button does it."""

from service.jobs.tasks import Tasks
from tests.house import House


def opened(house: House, job: str, slot: str | None = None, tasks: Tasks | None = None) -> int:
    """The run of a job, today's or last month's unless another is named; not run yet."""
    with house.writing() as session:
        return (tasks or house.wiring.tasks).open_manual(session, job, slot)
