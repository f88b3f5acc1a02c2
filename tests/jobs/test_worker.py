"""How a worker begins: with the settings it is shown, or with one sentence about what is in its way."""

import subprocess
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tests import patience
from tests.process.launching import ROOT, environment

CELERY = '[jobs]\nbackend = "celery"\nbroker_url = "redis://127.0.0.1:1/0"\n'
MISTAKES = {
    "one process does it all": ("worker", "[server]\nport = 0\n", "jobs.backend = 'local': set it to 'celery'"),
    "a mistake in the settings": ("beat", CELERY + "ticks = 3\n", "config.toml: jobs.ticks: unknown key."),
    "an empty database": ("worker", CELERY, "The database is of another version: start the web process"),
}


def begun(folder: Path) -> Callable[[str], "subprocess.CompletedProcess[str]"]:
    """Runs a worker or beat with the settings in the folder to its end."""
    return lambda role: subprocess.run(
        [sys.executable, "-m", "celery", "-A", "service.worker", role],
        capture_output=True,
        text=True,
        timeout=patience.SECONDS,
        env={**environment(folder), "ROUNDS_CONFIG": str(folder / "config.toml")},
        cwd=ROOT,
        check=False,
    )


@pytest.mark.skipif(sys.platform == "win32", reason="Celery does not run on Windows")
def test_what_is_in_the_way_is_said_in_one_sentence(tmp_path: Path) -> None:
    folders = [tmp_path / str(number) for number in range(len(MISTAKES))]
    for folder, (_role, text, _words) in zip(folders, MISTAKES.values(), strict=True):
        folder.mkdir()
        (folder / "config.toml").write_text(text, encoding="utf-8")
    with ThreadPoolExecutor(2) as pool:
        turns = [
            pool.submit(begun(folder), role) for folder, (role, *_rest) in zip(folders, MISTAKES.values(), strict=True)
        ]
    for turn, (name, (_role, _text, words)) in zip(turns, MISTAKES.items(), strict=True):
        done = turn.result()
        last = done.stderr.strip().splitlines()[-1]
        assert done.returncode == 1, name
        assert last.startswith("Error: "), (name, done.stderr)
        assert words in last, name
        assert "Traceback" not in done.stderr, name
