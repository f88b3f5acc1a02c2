"""A clinic as its processes: one with SQLite, or web processes, workers and beat with PostgreSQL and Redis."""

import subprocess
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from time import sleep

from bench.data.clinics import PASSWORD, Clinic
from bench.service.process import Service, launched, serving
from service.config.settings import load
from service.storage.database import Database

WORKER = ("-m", "celery", "-A", "service.worker")
QUIET = ("--without-gossip", "--without-mingle", "--without-heartbeat")


@dataclass(frozen=True)
class Shape:
    """How a clinic is laid out; no workers: each web process does the work itself."""

    name: str
    postgres: bool = True
    webs: int = 1
    workers: int = 0


@dataclass(frozen=True)
class Site:
    """A running clinic."""

    clinic: Clinic
    services: list[Service]
    helpers: "list[subprocess.Popen[str]]"
    database: Database

    @property
    def ports(self) -> list[int]:
        """Where each web process answers."""
        return [service.port for service in self.services]

    def processes(self) -> list[int]:
        """The ids of all its processes, those that workers forked among them."""
        found = [one.process.pid for one in self.services] + [one.pid for one in self.helpers]
        for parent in found:
            found += [int(one) for one in Path(f"/proc/{parent}/task/{parent}/children").read_text().split()]
        return found

    def memory(self) -> float:
        """MiB of all its processes together, what they share counted once."""
        return sum(_proportional(one) for one in self.processes())


def furnish(clinic: Clinic, url: str, visits: int, more: str) -> Clinic:
    """Settings with this database, `more` TOML, and a demo clinic of so many appointments."""
    clinic.config.write_text(f'[server]\nport = 0\n[database]\nurl = "{url}"\n{more}', encoding="utf-8")
    size = ("--doctors", "20", "--patients", str(max(300, visits // 10)), "--appointments", str(visits))
    clinic.command("demo", *size, "--password", PASSWORD)
    return clinic


@contextmanager
def running(clinic: Clinic, shape: Shape, broker: str) -> Iterator[Site]:
    """The clinic's processes for as long as the block lasts; its settings stay as they are."""
    settings = load(clinic.config)
    environment = {"ROUNDS_CONFIG": str(clinic.config)}
    if shape.workers:
        environment |= {"ROUNDS_JOBS_BACKEND": "celery", "ROUNDS_JOBS_BROKER_URL": f"{broker}/0"}
    if shape.webs > 1 or shape.workers:
        environment |= {"ROUNDS_CACHE_TYPE": "RedisCache", "ROUNDS_CACHE_REDIS_URL": f"{broker}/1"}
    with ExitStack() as stack:
        services = [stack.enter_context(serving(clinic, **environment)) for _web in range(shape.webs)]
        helpers = [
            stack.enter_context(_helper(clinic, "worker", "-n", f"{number}@bench", *QUIET, **environment))
            for number in range(shape.workers)
        ]
        if shape.workers:
            helpers.append(stack.enter_context(_helper(clinic, "beat", **environment)))
        database = Database(settings.database_url)
        stack.callback(database.close)
        yield Site(clinic, services, helpers, database)


@contextmanager
def _helper(clinic: Clinic, *words: str, **environment: str) -> "Iterator[subprocess.Popen[str]]":
    log = clinic.folder / f"{words[0]}.log"
    log.write_text("", encoding="utf-8")
    process = launched(*WORKER, *words, log=log, **environment)
    try:
        while f"{words[0]} ready" not in log.read_text(encoding="utf-8"):
            if process.poll() is not None:
                raise SystemExit(log.read_text(encoding="utf-8"))
            sleep(0.05)
        yield process
        process.terminate()
        process.wait(30)
    finally:
        process.kill()
        process.communicate()


def _proportional(pid: int) -> float:
    for line in Path(f"/proc/{pid}/smaps_rollup").read_text(encoding="ascii").splitlines():
        if line.startswith("Pss:"):
            return int(line.split()[1]) / 1024
    raise LookupError(pid)
