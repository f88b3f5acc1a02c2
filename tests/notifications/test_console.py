"""The console channel: the whole message on standard output, never in the log."""

import io
import sys
from typing import Any

import pytest

from service.config.settings import Email, Settings
from service.notifications import channels
from service.notifications.console import Console
from service.notifications.message import DeliveryError, OutgoingMessage
from service.storage.models import Channel
from tests.crowd import together

MAIL = Email(enabled=True, host="mail.example", sender="desk@clinic.example")
LETTER = OutgoingMessage(7, "lena@mail.example", "Your visit at Our clinic", "Hello Lena,\n\n  Mon, 4 May, 14:00\n")


def test_until_e_mail_is_set_up_the_console_stands_in() -> None:
    channel = channels.choose(Settings()).email
    assert isinstance(channel, Console)
    assert channel.name == "console"


def test_the_whole_message_is_on_standard_output_and_nothing_elsewhere(capsys: pytest.CaptureFixture[str]) -> None:
    Console().send(LETTER, lambda: None)
    out, err = capsys.readouterr()
    assert out == (
        "--- message 7\nTo: lena@mail.example\nSubject: Your visit at Our clinic\n\n"
        "Hello Lena,\n\n  Mon, 4 May, 14:00\n---\n"
    )
    assert err == ""


def test_p4_where_a_program_reads_standard_output_messages_are_on_standard_error(
    capsys: pytest.CaptureFixture[str],
) -> None:
    for settings in (Settings(), Settings(email=MAIL)):
        chosen = channels.choose(settings, aside=True)
        chosen.of(Channel.CONSOLE).send(LETTER, lambda: None)
        out, err = capsys.readouterr()
        assert (out, err.count("To: lena@mail.example")) == ("", 1)


def test_the_hand_over_is_noted_before_anything_leaves(capsys: pytest.CaptureFixture[str]) -> None:
    class Lost(Exception):
        pass

    def lost() -> None:
        raise Lost

    with pytest.raises(Lost):
        Console().send(LETTER, lost)
    assert capsys.readouterr().out == ""


@pytest.mark.parametrize("error", [BrokenPipeError(32, "Broken pipe"), ValueError("I/O operation on closed file")])
def test_when_nobody_reads_any_more_it_may_be_tried_again(monkeypatch: pytest.MonkeyPatch, error: Exception) -> None:
    class Closed(io.StringIO):
        def write(self, _text: str) -> int:
            raise error

    monkeypatch.setattr(sys, "stdout", Closed())
    with pytest.raises(DeliveryError, match="standard output") as refused:
        Console().send(LETTER, lambda: None)
    assert not refused.value.permanent


def test_messages_of_several_threads_do_not_mix(monkeypatch: pytest.MonkeyPatch) -> None:
    class Slow(io.StringIO):
        def write(self, text: str) -> int:
            return sum(super(Slow, self).write(letter) for letter in text)

    output, channel = Slow(), Console()
    monkeypatch.setattr(sys, "stdout", output)

    def send(number: int) -> Any:
        return channel.send(OutgoingMessage(number, f"p{number}@mail.example", "x" * 50, "y" * 500), lambda: None)

    together(8, send)
    blocks = output.getvalue().split("---\n")[:-1]
    assert len(blocks) == 8
    assert all(block.count("y") == 500 and block.startswith("--- message ") for block in blocks)
