"""The jobs run on SQLite and on PostgreSQL."""

from collections.abc import Callable
from dataclasses import dataclass, field

import pytest

from tests.house import House


@pytest.fixture(params=["sqlite", "postgresql"])
def database_kind(request: pytest.FixtureRequest) -> str:
    """Either."""
    kind: str = request.param
    return kind


@dataclass
class Desk:
    """A job queue that only notes what it is handed."""

    runs: list[int] = field(default_factory=list)
    exports: list[str] = field(default_factory=list)
    clinic_exports: list[str] = field(default_factory=list)
    deliveries: int = 0

    def run(self, run_id: int) -> None:
        """Note a run."""
        self.runs.append(run_id)

    def export(self, export_id: str) -> None:
        """Note an export."""
        self.exports.append(export_id)

    def export_clinic(self, export_id: str) -> None:
        """Note an export of the whole clinic."""
        self.clinic_exports.append(export_id)

    def deliver(self) -> None:
        """Note that messages wait."""
        self.deliveries += 1

    def posted(self) -> None:
        """Note that something was written."""
        self.deliveries += 1

    def start(self) -> None:
        """Nothing to start."""

    def stop(self, seconds: float) -> bool:
        """Nothing to stop."""
        return True


@pytest.fixture
def tick(house: House) -> Callable[[], Desk]:
    """Ticks once and says what was queued."""

    def once() -> Desk:
        desk = Desk()
        house.tick(desk)
        return desk

    return once
