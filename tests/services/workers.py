"""Starts Celery workers and beat as processes of their own, on a clinic's PostgreSQL and Redis."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

from service.jobs.celery_backend import QUEUES
from service.storage.models import JobRun
from tests import patience
from tests.house import House, build
from tests.patience import until
from tests.process.launching import ROOT, environment
from tests.services.postgres import Postgres
from tests.services.redis import connect


@dataclass
class Process:
    """A worker or beat; what it prints goes to a file of the clinic's folder."""

    process: "subprocess.Popen[bytes]"
    log: Path

    @property
    def printed(self) -> str:
        return self.log.read_text(encoding="utf-8")

    def kill(self) -> None:
        """As if the power went: kill -9, its children with it."""
        if self.process.poll() is None:
            os.killpg(self.process.pid, signal.SIGKILL)
            self.process.wait(patience.SECONDS)

    def stop(self, seconds: float = patience.SECONDS) -> int:
        """Ask it to end, as systemd does; returns the exit code."""
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(seconds)


@dataclass
class Crew:
    """A clinic whose work is done by workers, and the processes that do it."""

    folder: Path
    sections: dict[str, dict[str, Any]]
    processes: list[Process] = field(default_factory=list)
    houses: list[House] = field(default_factory=list)

    def __post_init__(self) -> None:
        tables = [f"[{name}]\n{_lines(keys)}" for name, keys in {"server": {"port": 0}, **self.sections}.items()]
        (self.folder / "config.toml").write_text("\n".join(tables), encoding="utf-8")

    def house(self) -> House:
        """The clinic as a web process has it."""
        self.houses.append(build(self.folder, **self.sections))
        return self.houses[-1]

    def close(self) -> None:
        """End what the tests opened; workers go on."""
        while self.houses:
            house = self.houses.pop()
            house.wiring.queue.stop(1)
            house.wiring.database.close()

    def empty(self, server: Postgres) -> None:
        """Take everything out of the clinic once its workers have nothing to do, for the next test."""
        url = self.sections["database"]["url"]
        self.rest()
        server.wipe(url)
        assert server.migrated() == url
        for file in (self.folder / "exports").glob("*/*"):
            file.unlink()

    def rest(self, *, ticked: bool = False) -> None:
        """Wait until the workers have nothing to do; `ticked`: and have done what was due at their start.

        What a worker is at stays among the messages without acknowledgement until it is done. On its way there a
        message is nowhere for a moment, so one look is not enough.
        """
        house, broker = self.house(), connect(self.sections["jobs"]["broker_url"])
        until(lambda: not ticked or house.count(JobRun))
        places = [partial(broker.hlen, "unacked"), *(partial(broker.llen, name) for name in QUEUES)]
        until(lambda: not any(held() for _look in range(100) for held in places))
        broker.close()
        self.close()

    def worker(self, *options: str) -> Process:
        """Start a worker and wait until it takes work."""
        quick = ("--without-gossip", "--without-mingle", "--without-heartbeat")
        started = self._start("worker", "-n", f"{len(self.processes)}@rounds", *quick, *options)
        until(lambda: "worker ready" in started.printed or started.process.poll() is not None)
        assert started.process.poll() is None, started.printed
        return started

    def beat(self) -> Process:
        """Start the clock of the workers."""
        started = self._start("beat")
        until(lambda: "beat ready" in started.printed or started.process.poll() is not None)
        assert started.process.poll() is None, started.printed
        return started

    def kill(self) -> None:
        """End all that was started."""
        for process in self.processes:
            process.kill()

    def _start(self, *words: str) -> Process:
        log = self.folder / f"{words[0]}-{len(self.processes)}.log"
        with log.open("wb") as output:
            process = subprocess.Popen(
                [sys.executable, "-m", "celery", "-A", "service.worker", *words],
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                env={**environment(self.folder), "ROUNDS_CONFIG": str(self.folder / "config.toml")},
                cwd=ROOT,
                start_new_session=True,
            )
        self.processes.append(Process(process, log))
        return self.processes[-1]


@contextmanager
def crew(folder: Path, database_url: str, broker_url: str, **sections: dict[str, Any]) -> Iterator[Crew]:
    """A clinic for workers, none of which has started; what has by the end of the block is killed."""
    jobs = {"backend": "celery", "broker_url": broker_url, **sections.pop("jobs", {})}
    made = Crew(folder, {"database": {"url": database_url}, "jobs": jobs, **sections})
    try:
        yield made
    finally:
        made.close()
        made.kill()


def _lines(keys: dict[str, Any]) -> str:
    return "\n".join(f"{name} = {json.dumps(value)}" for name, value in keys.items())
