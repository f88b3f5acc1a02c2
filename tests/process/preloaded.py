"""Starts run.py without loading it each time: one process holds the program in memory and forks a copy per command.

A copy is a process like any other: it has its own environment, folder, standard streams and signals and can be killed.
What it does not show is that `python run.py …` itself starts; tests of that start a process of their own.
"""

import atexit
import faulthandler
import gc
import json
import os
import runpy
import select
import signal
import socket
import subprocess
import sys
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import IO, cast

STREAMS = 3


class Copy:
    """A started copy, with what a subprocess.Popen of it would offer."""

    def __init__(
        self, line: Sequence[str], folder: Path, environment: Mapping[str, str], streams: Sequence[IO[bytes] | int]
    ) -> None:
        """Run the script `line[0]` with the rest as its arguments; `streams` are its input, output and errors."""
        reading, writing = os.pipe()
        self._report = os.fdopen(reading, "rb", buffering=0)
        order = json.dumps([list(line), str(folder), dict(environment)]).encode()
        given = [stream if isinstance(stream, int) else stream.fileno() for stream in streams]
        try:
            socket.send_fds(_keeper(), [order], [*given, writing])
        finally:
            os.close(writing)
        self.pid = self._read()
        self.returncode: int | None = None

    def poll(self) -> int | None:
        """The exit code; None while it runs."""
        if self.returncode is None and select.select([self._report], [], [], 0)[0]:
            self._ended()
        return self.returncode

    def wait(self, timeout: float | None = None) -> int:
        """The exit code, once it has one. Raises subprocess.TimeoutExpired after so many seconds."""
        if self.returncode is None:
            if not select.select([self._report], [], [], timeout)[0]:
                raise subprocess.TimeoutExpired("run.py", timeout or 0)
            self._ended()
        return cast(int, self.returncode)

    def send_signal(self, number: int) -> None:
        """Send it a signal, unless it has ended."""
        if self.poll() is None:
            os.kill(self.pid, number)

    def kill(self) -> None:
        """Kill it, unless it has ended."""
        self.send_signal(signal.SIGKILL)

    def _ended(self) -> None:
        self.returncode = self._read()
        self._report.close()

    def _read(self) -> int:
        said = self._report.read(8)
        assert said, "the process that forks copies has ended"
        return int.from_bytes(said, "little", signed=True)


@cache
def _keeper() -> socket.socket:
    """The door of the process that forks copies; it ends with this one."""
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    with theirs:
        process = subprocess.Popen(
            [sys.executable, "-m", "tests.process.preloaded", str(theirs.fileno())],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            pass_fds=[theirs.fileno()],
            env={name: value for name, value in os.environ.items() if not name.startswith("ROUNDS_")},
            cwd=Path(__file__).resolve().parents[2],
        )
    atexit.register(_end, ours, process)
    return ours


def _end(door: socket.socket, process: "subprocess.Popen[bytes]") -> None:
    door.close()
    process.wait()


def keep(door: socket.socket) -> None:
    """Fork a copy for each order until the door is closed; returns only in a copy, ready to run its command line."""
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # no one waits for those who watch
    while True:
        order, given, _flags, _address = socket.recv_fds(door, 1 << 20, STREAMS + 1)
        if not order:
            os._exit(0)
        if os.fork() == 0:
            door.close()
            *streams, report = given
            if watched(report):
                line, folder, environment = json.loads(order)
                return become(line, folder, environment, streams)
        for descriptor in given:
            os.close(descriptor)


def watched(report: int) -> bool:
    """Fork once more: True in the copy; the other process reports its number and how it ended, and ends."""
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    pid = os.fork()
    if pid == 0:
        os.close(report)
        return True
    os.write(report, pid.to_bytes(8, "little", signed=True))
    os.closerange(0, report)
    _pid, status = os.waitpid(pid, 0)
    os.write(report, os.waitstatus_to_exitcode(status).to_bytes(8, "little", signed=True))
    os._exit(0)


def become(line: list[str], folder: str, environment: dict[str, str], streams: list[int]) -> None:
    """Take on a command line, a folder, an environment and standard streams."""
    for number, stream in enumerate(streams):
        os.dup2(stream, number)
        os.close(stream)
    os.chdir(folder)
    os.environ.clear()
    os.environ.update(environment)
    faulthandler.enable()
    sys.argv = line


if __name__ == "__main__":
    import time_machine  # noqa: F401

    from service import app, cli  # noqa: F401
    from service.server import serve  # noqa: F401

    gc.collect()
    gc.freeze()
    keep(socket.socket(fileno=int(sys.argv[1])))
    sys.path[0] = str(Path(sys.argv[0]).parent)
    runpy.run_path(sys.argv[0], run_name="__main__")
