"""Every state, reason and channel of a message has its words on the pages that show one."""

from datetime import timedelta

import pytest
from sqlalchemy import update

from service.storage.models import Channel, Message, MessageStatus, SkipReason
from tests.web.frozen_clinic import NOW, Clinic
from tests.web.reading import parsed, words


def pages(clinic: Clinic) -> dict[str, str]:
    """The words of each page that shows Pia's confirmation."""
    desk = clinic.browser("receptionist")
    with clinic.house.reading() as session:
        row = session.get_one(Message, clinic.message)
    paths = ("/messages", f"/messages/{row.id}", f"/appointments/{row.appointment_id}")
    found = {}
    for path in paths:
        answer = desk.get(path)
        assert answer.status_code == 200, path
        found[path] = words(parsed(answer).find("main"))
    return found


def change(clinic: Clinic, **values: object) -> None:
    with clinic.house.writing() as session:
        session.execute(update(Message).where(Message.id == clinic.message).values(**values))


@pytest.mark.parametrize("status", MessageStatus)
def test_every_state_is_said_in_words(clinic: Clinic, status: MessageStatus) -> None:
    reason = SkipReason.TOO_LATE if status == MessageStatus.SKIPPED else None
    sent_at = NOW - timedelta(minutes=1) if status == MessageStatus.SENT else None
    change(clinic, status=status, skip_reason=reason, sent_at=sent_at)
    for path, text in pages(clinic).items():
        assert "_" not in text.replace("List-Unsubscribe", ""), path


@pytest.mark.parametrize("reason", SkipReason)
def test_every_reason_is_said_in_words(clinic: Clinic, reason: SkipReason) -> None:
    change(clinic, status=MessageStatus.SKIPPED, skip_reason=reason)
    for path, text in pages(clinic).items():
        assert reason not in text or "_" not in reason, path


@pytest.mark.parametrize("channel", Channel)
def test_every_channel_is_said_in_words(clinic: Clinic, channel: Channel) -> None:
    change(clinic, status=MessageStatus.SENT, channel=channel, sent_at=NOW)
    shown = {Channel.EMAIL: "e-mail", Channel.SMS: "SMS", Channel.CONSOLE: "console"}
    assert all(shown[channel] in text for path, text in pages(clinic).items() if path.startswith("/messages/"))
