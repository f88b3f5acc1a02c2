"""The rules of the clinic run on SQLite and on PostgreSQL, most of them on one Monday morning."""

from collections.abc import Iterator

import pytest
import time_machine

from service.domain.messages import content
from service.notifications.message import OutgoingMessage
from service.storage.models import Message
from tests.house import at


@pytest.fixture(params=["sqlite", "postgresql"])
def database_kind(request: pytest.FixtureRequest) -> str:
    """Either."""
    kind: str = request.param
    return kind


@pytest.fixture
def clock() -> Iterator[time_machine.Traveller]:
    """Stands at 8 o'clock in Berlin on Monday, 4 May 2026; `shift` moves it on."""
    with time_machine.travel(at("2026-05-04 06:00"), tick=False) as traveller:
        yield traveller


@pytest.fixture
def plain_letters(monkeypatch: pytest.MonkeyPatch) -> None:
    """Letters about whatever say the same: how they are written is another test's."""

    def write(_session: object, row: Message, *_more: object) -> OutgoingMessage:
        return OutgoingMessage(row.id, row.recipient or "", "News", "Hello, see https://rounds.example/x/abc today.\n")

    monkeypatch.setattr(content, "write", write)
