"""The clinics that are measured: each in a folder of its own, made once in a run and thrown away at its end."""

import os
import shutil
import sqlite3
import subprocess
import sys
from contextlib import closing
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from time import perf_counter
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
PASSWORD = "quiet rivers run deep"


@dataclass(frozen=True)
class Clinic:
    """A folder with settings and a database."""

    folder: Path
    visits: int = 0
    seconds: float = 0.0
    """How long it took to fill."""

    @property
    def config(self) -> Path:
        return self.folder / "config.toml"

    @property
    def database(self) -> Path:
        return self.folder / "rounds.db"

    @property
    def histories(self) -> Path:
        return self.folder / "exports" / "histories"

    def command(self, *words: str) -> None:
        """Run one of the service's commands on this clinic."""
        run(*words, "--config", str(self.config))

    def ask(self, query: str, *values: Any) -> Any:
        """The first column of a query's first row."""
        with closing(sqlite3.connect(f"file:{self.database}?mode=ro", uri=True)) as connection:
            return connection.execute(query, values).fetchone()[0]

    def copied(self, folder: Path) -> "Clinic":
        """The same clinic again, in another folder."""
        shutil.copytree(self.folder, folder)
        return Clinic(folder, self.visits)


class Bench:
    """What one run of the benches works with: a folder for everything big, the sizes, the clinics."""

    def __init__(self, folder: Path, *, quick: bool) -> None:
        self.folder = folder
        self.quick = quick

    def size(self, usual: int, quick: int) -> int:
        """A number of rows or rounds."""
        return quick if self.quick else usual

    def new(self, name: str) -> Clinic:
        """A clinic with settings and nothing else."""
        folder = self.folder / name
        folder.mkdir()
        (folder / "config.toml").write_text("[server]\nport = 0\n", encoding="utf-8")
        return Clinic(folder)

    @cached_property
    def usual(self) -> Clinic:
        """The demo clinic as `demo` makes it without options."""
        return self._demo("usual", 4, 300, 2500)

    @cached_property
    def small(self) -> Clinic:
        """A clinic of 10,000 appointments to compare with the large one; each patient has as many appointments."""
        return self._demo("small", 20, self.size(1000, 100), self.size(10_000, 1000))

    @cached_property
    def large(self) -> Clinic:
        """The clinic of a million appointments."""
        return self._demo("large", 20, self.size(100_000, 2000), self.size(1_000_000, 20_000))

    def _demo(self, name: str, doctors: int, patients: int, visits: int) -> Clinic:
        clinic = self.new(name)
        size = ("--doctors", str(doctors), "--patients", str(patients), "--appointments", str(visits))
        start = perf_counter()
        clinic.command("demo", *size, "--password", PASSWORD)
        seconds = perf_counter() - start
        clinic.command("run-job", "reports")
        return Clinic(clinic.folder, visits, seconds)


def run(*words: str, **environment: str) -> None:
    """Run `run.py` with these words to its end; its words are shown when it fails."""
    line, around = [sys.executable, "run.py", *words], {**os.environ, **environment}
    done = subprocess.run(line, cwd=ROOT, env=around, capture_output=True, text=True, check=False)
    if done.returncode:
        raise SystemExit(f"run.py {words[0]}: {done.stderr}")
