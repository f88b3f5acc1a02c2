"""A computer with nothing on it but the executable: an empty PATH, a folder for the clinic, one for temporary files."""

import shutil
import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from os import kill
from pathlib import Path

import pytest

from service.config.settings import ROOT
from tests import patience
from tests.patience import until
from tests.process.launching import READY, Service

BUILT = ROOT / "dist" / "rounds"


@dataclass
class Computer:
    """Commands here find no Python, no setting and no file of the repository."""

    folder: Path
    """The clinic's, with the executable in it."""
    temporary: Path
    environment: dict[str, str]

    @property
    def program(self) -> Path:
        return self.folder / "rounds"

    def run(self, *args: str, **more: str) -> subprocess.CompletedProcess[str]:
        """Run a command to its end, somewhere else than in the clinic's folder."""
        return subprocess.run(
            [self.program, *args],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=patience.SECONDS,
            env={**self.environment, **more},
            cwd="/",
            check=False,
        )

    @contextmanager
    def serving(self, *args: str, **more: str) -> Iterator[Service]:
        """The running service; what is left of it at the end of the block is killed."""
        out, err = self.temporary.parent / "serve.out", self.temporary.parent / "serve.err"
        with out.open("wb") as stdout, err.open("wb") as stderr:
            environment = {**self.environment, **more}
            process = subprocess.Popen(
                [self.program, *args], stdin=subprocess.DEVNULL, stdout=stdout, stderr=stderr, env=environment, cwd="/"
            )
        service = Service(process, out, err)
        worker = None
        try:
            until(lambda: READY.search(service.printed) or process.poll() is not None)
            found = READY.search(service.printed)
            assert found is not None, err.read_text(encoding="utf-8")
            service.url = found[1]
            worker = worker_of(service)
            yield service
        finally:
            service.kill()
            if worker is not None:
                with suppress(ProcessLookupError):
                    kill(worker, signal.SIGKILL)


def worker_of(service: Service) -> int:
    """The process in which Rounds runs: what was started only unpacks it and clears away."""
    children = Path(f"/proc/{service.process.pid}/task/{service.process.pid}/children").read_text().split()
    return int(children[0])


def computer(folder: Path) -> Computer:
    """A fresh one with the executable that was built last."""
    if not BUILT.exists():
        pytest.fail("there is no dist/rounds to try out: make dist")
    clinic, temporary, nothing = (folder / name for name in ("clinic", "temporary", "path"))
    for one in (clinic, temporary, nothing):
        one.mkdir()
    shutil.copy(BUILT, clinic / "rounds")
    environment = {"PATH": str(nothing), "TMPDIR": str(temporary), "ROUNDS_SERVER_PORT": "0"}
    return Computer(clinic, temporary, environment)
