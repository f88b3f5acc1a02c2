"""The service in a process of its own, as a person would start it, or with one part replaced."""

import os
import socket
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from bench.data.clinics import ROOT, Clinic

RUN = ("run.py", "serve")
READY = "Rounds is ready on "


@dataclass(frozen=True)
class Service:
    """A running service and where it answers."""

    process: subprocess.Popen[str]
    port: int

    def stop(self) -> str:
        """Ask it to end; returns what it printed since it was ready."""
        self.process.terminate()
        return self.process.communicate(timeout=30)[0]


@contextmanager
def serving(clinic: Clinic, start: Sequence[str] = RUN, **environment: str) -> Iterator[Service]:
    """The service over a clinic, from its first answer on; stopped at the end of the block unless it was before."""
    process = launched(*start, "--config", str(clinic.config), log=clinic.folder / "service.log", **environment)
    try:
        assert process.stdout is not None
        line = next((line for line in process.stdout if line.startswith(READY)), None)
        if line is None:
            raise SystemExit((clinic.folder / "service.log").read_text(encoding="utf-8"))
        service = Service(process, urlsplit(line.removeprefix(READY).strip()).port or 0)
        yield service
        if process.poll() is None:
            service.stop()
    finally:
        process.kill()
        process.wait()


def launched(*words: str, log: Path | None = None, **environment: str) -> subprocess.Popen[str]:
    """A Python process in the project's folder; what it says on standard error goes to the end of `log`."""
    with log.open("ab") if log else nullcontext() as errors:
        return subprocess.Popen(
            [sys.executable, *words],
            cwd=ROOT,
            env={**os.environ, **environment},
            stdout=subprocess.PIPE,
            stderr=errors,
            text=True,
        )


def free_port() -> int:
    """A port no one listens at now."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return int(listener.getsockname()[1])
