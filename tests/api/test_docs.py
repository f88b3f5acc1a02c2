"""docs/api.md: each example runs against a real service and answers what the page says."""

import json
import os
import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from service.config.settings import ROOT
from tests.house import PASSWORD
from tests.process.launching import Service, configure, rows, run, serving

PAGE = (ROOT / "docs" / "api.md").read_text(encoding="utf-8")
CONSOLE = re.findall(r"```console\n(.*?)```", PAGE, re.DOTALL)
(SCRIPT,) = re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A demo clinic with cardiologists."""
    made = tmp_path_factory.mktemp("docs")
    configure(made)
    done = run(made, "demo", "--doctors", "8", "--patients", "5", "--appointments", "60", "--password", PASSWORD)
    assert done.returncode == 0, done.stderr
    return made


@pytest.fixture(scope="module")
def service(folder: Path) -> Iterator[Service]:
    with serving(folder) as running:
        yield running


def examples() -> Iterator[tuple[str, str]]:
    """Each command of the page, and what it answers."""
    for block in CONSOLE:
        for part in re.split(r"^\$ ", block, flags=re.MULTILINE)[1:]:
            joined = part.replace("\\\n", "")
            command, _line, answer = joined.partition("\n")
            yield command, answer.strip()


def fits(answer: str, said: str) -> bool:
    """Whether an answer is what the page says, where `…` stands for anything."""
    pattern = ".*?".join(map(re.escape, said.split("…")))
    return re.fullmatch(pattern, answer.strip(), re.DOTALL) is not None


def test_every_example_of_the_page_answers_what_it_says(folder: Path, service: Service) -> None:
    if shutil.which("curl") is None:
        pytest.skip("no curl")
    known = {**os.environ, "ROUNDS": service.url, "NO_PROXY": "*"}
    for command, said in examples():
        if command.startswith("python run.py "):
            answer = run(folder, *shlex.split(command.removeprefix("python run.py "))).stdout
            known["TOKEN"] = answer.split()[-1]
        else:
            answer = subprocess.run(
                ["bash", "-c", command], env=known, capture_output=True, text=True, check=True
            ).stdout
            body = json.loads(answer)
            known["TIME"] = body["items"][0].get("starts_at", "") if "items" in body else ""
            known["ID"] = str(body.get("id", ""))
        assert fits(answer, said), (command, answer)


def test_the_front_desk_s_script_books_the_next_free_time_of_any_cardiologist(folder: Path, service: Service) -> None:
    assert len(SCRIPT.splitlines()) <= 30
    token = run(folder, "token", "--email", "reception@demo.example", "--name", "desk").stdout.split()[-1]
    (folder / "next_free.py").write_text(SCRIPT, encoding="utf-8")
    known = {**os.environ, "ROUNDS": service.url, "TOKEN": token, "NO_PROXY": "*"}
    line = [sys.executable, str(folder / "next_free.py"), "2"]
    done = subprocess.run(line, env=known, capture_output=True, text=True, check=False)
    booked = re.fullmatch(r"Booked: (\S+) with doctor (\d+)\n", done.stdout)
    assert booked is not None, done
    found = rows(
        folder,
        "SELECT d.department, a.patient_id FROM appointments a JOIN doctors d ON d.id = a.doctor_id "
        "WHERE a.doctor_id = ? ORDER BY a.id DESC LIMIT 1",
        int(booked[2]),
    )
    assert found == [("Cardiology", 2)]
    refused = subprocess.run([*line[:-1], "999999"], env=known, capture_output=True, text=True, check=False)
    assert (refused.returncode, refused.stdout) == (1, "")


def test_every_scope_and_word_of_the_page_is_one(service: Service) -> None:
    said = json.loads(service.client().get("/api/openapi.json").text)
    paths = " ".join(said["paths"])
    for word in ("/arrival", "/completion", "/no-show", "/reschedule", "/cancellation", "/exports"):
        assert word in PAGE
        assert word in paths
    scopes = {one["security"][0]["bearer"][0] for methods in said["paths"].values() for one in methods.values()}
    assert scopes == set(re.findall(r"^\| `(\w+)` \|", PAGE, re.MULTILINE))
