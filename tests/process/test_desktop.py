"""What counts as a double click; tests/dist does one."""

import os
import sys

import pytest

from service.process import desktop

DESKTOP = {"DISPLAY": ":0"}


@pytest.fixture(autouse=True)
def executable(monkeypatch: pytest.MonkeyPatch) -> None:
    """The one executable, with no one's terminal."""
    monkeypatch.setattr(desktop, "FROZEN", True)
    for stream in ("stdin", "stdout", "stderr"):
        monkeypatch.setattr(sys, stream, None)


@pytest.mark.parametrize("environ", [DESKTOP, {"WAYLAND_DISPLAY": "wayland-0"}, {**DESKTOP, "SYSTEMD_EXEC_PID": "1"}])
def test_a_start_from_a_desktop_without_arguments_is_a_double_click(environ: dict[str, str]) -> None:
    assert desktop.double_clicked([], environ)


def test_what_systemd_starts_is_none_even_where_a_desktop_is(monkeypatch: pytest.MonkeyPatch) -> None:
    assert not desktop.double_clicked([], {**DESKTOP, "SYSTEMD_EXEC_PID": str(os.getppid())})


@pytest.mark.parametrize(("arguments", "environ"), [(["serve"], DESKTOP), ([], {}), ([], {"DISPLAY": ""})])
def test_a_command_or_a_computer_without_a_desktop_is_none(arguments: list[str], environ: dict[str, str]) -> None:
    assert not desktop.double_clicked(arguments, environ)


def test_started_from_a_terminal_it_prints_its_address(monkeypatch: pytest.MonkeyPatch) -> None:
    master, terminal = os.openpty()
    with os.fdopen(master, "wb"), os.fdopen(terminal, "w") as stream:
        monkeypatch.setattr(sys, "stderr", stream)
        assert not desktop.double_clicked([], DESKTOP)


def test_run_py_is_never_clicked(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(desktop, "FROZEN", False)
    assert not desktop.double_clicked([], DESKTOP)
