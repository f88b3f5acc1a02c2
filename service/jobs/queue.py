"""The interface of a job backend: queue ids, start, stop."""

from typing import Protocol


class JobQueue(Protocol):
    """Passes work to a thread or a worker. Work queued twice is done once, because of claims in the database."""

    def run(self, run_id: int) -> None:
        """Execute a run soon."""

    def export(self, export_id: str) -> None:
        """Write a patient's export soon, in the order of requests."""

    def export_clinic(self, export_id: str) -> None:
        """Write an export of the whole clinic soon. Patients' exports don't wait for it."""

    def deliver(self) -> None:
        """Send queued messages soon."""

    def posted(self) -> None:
        """Something was just queued: send it soon, if this process sends messages."""

    def start(self) -> None:
        """Start ticking."""

    def stop(self, seconds: float) -> bool:
        """Stop ticking, and give running work `seconds` to finish. Returns False if some of it didn't."""
