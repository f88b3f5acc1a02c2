"""A job started by hand, as the button does it."""

from service.jobs import runner
from tests.house import House


def opened(house: House, job: str, slot: str | None = None) -> int:
    """The run of a job, today's or last month's unless another is named; not run yet."""
    with house.writing() as session:
        return runner.open_by_hand(session, house.settings, job, slot)
