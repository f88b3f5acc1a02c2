"""schemathesis against the running service: nothing but what the description tells of, for no role and no scope."""

import json
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tests.house import PASSWORD
from tests.process.launching import Service, configure, run, serving
from tests.seed import SEED

CONFIG = """
[checks.positive_data_acceptance]
# What is well-formed may still be refused: a time that is past, another's row, a visit that is over.
expected-statuses = ["2xx", 304, 401, 403, 404, 409, 410, 416, 422, 429, 503]

[[operations]]
# A new appointment has no treatment yet.
include-path = "/api/v1/appointments/{appointment_id}/treatment"
checks.ensure_resource_availability.enabled = false
"""
QUICK = (("doctor1", ""), ("reception", ""))
THOROUGH = (
    ("admin", ""),
    ("reception", ""),
    ("doctor1", ""),
    ("patient1", ""),
    ("doctor1", "read"),
    ("reception", "book"),
    ("patient1", "clinical"),
)
"""Whose token, and which of its scopes alone."""


@pytest.fixture
def service(tmp_path: Path) -> Iterator[Service]:
    """A running demo clinic."""
    configure(tmp_path)
    (tmp_path / "schemathesis.toml").write_text(CONFIG, encoding="utf-8")
    made = run(tmp_path, "demo", "--doctors", "2", "--patients", "5", "--appointments", "60", "--password", PASSWORD)
    assert made.returncode == 0, made.stderr
    with serving(tmp_path) as running:
        yield running


def try_all(folder: Path, url: str, turn: tuple[str, str], *options: str) -> None:
    """One run of schemathesis with one token; the failures it found are the test's."""
    who, scope = turn
    made = run(
        folder, "token", "--email", f"{who}@demo.example", "--name", "fuzz", *(["--scope", scope] if scope else [])
    )
    header = f"Authorization: Bearer {made.stdout.splitlines()[-1]}"
    report = folder / f"{who}{scope}.json"
    line = [sys.executable, "-m", "schemathesis.cli", "run", f"{url}/api/openapi.json", "-H", header, "--checks", "all"]
    line += ["--seed", str(SEED), "--no-color", "--generation-database", "none", "--report-json-path", str(report)]
    done = subprocess.run([*line, *options], cwd=folder, capture_output=True, text=True, check=False, timeout=1800)
    assert done.returncode == 0, f"{turn}\n{done.stdout[-6000:]}{done.stderr[-2000:]}"
    assert json.loads(report.read_text(encoding="utf-8"))


@pytest.mark.foreign
def test_whatever_is_sent_the_answer_is_a_described_one(service: Service, tmp_path: Path) -> None:
    options = ("--max-examples", "3", "--max-time", "8")
    with ThreadPoolExecutor(2) as pool:
        turns = [pool.submit(try_all, tmp_path, service.url, turn, *options) for turn in QUICK]
        for turn in turns:
            turn.result()


@pytest.mark.soak
@pytest.mark.timeout(1800)
@pytest.mark.parametrize("turn", THOROUGH, ids=lambda turn: " ".join(turn).strip())
def test_for_minutes_whatever_is_sent_the_answer_is_a_described_one(
    service: Service, tmp_path: Path, turn: tuple[str, str]
) -> None:
    try_all(tmp_path, service.url, turn, "--max-examples", "2000", "--max-time", "88", "--continue-on-failure")
