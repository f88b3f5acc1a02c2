"""What the rest of the program knows of a job backend: hand it ids, start it, stop it."""

from typing import Protocol


class JobQueue(Protocol):
    """Brings work to a thread or a worker; what is handed over twice is done once, by the claims in the database."""

    def run(self, run_id: int) -> None:
        """Execute a run of the ledger soon."""

    def export(self, export_id: str) -> None:
        """Write a patient's export soon; who asked first comes first."""

    def export_clinic(self, export_id: str) -> None:
        """Write the export of the whole clinic soon, beside those of patients: none of them waits for it."""

    def deliver(self) -> None:
        """Send messages that wait, soon."""

    def posted(self) -> None:
        """The outbox has something new: send it soon, if this process sends at all."""

    def start(self) -> None:
        """Begin to tick."""

    def stop(self, seconds: float) -> bool:
        """Stop ticking and give running work so many seconds; False when some of it would not end."""
