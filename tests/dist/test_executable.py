"""`make dist`: the executable alone, in an empty folder, becomes a clinic."""

import ast
import csv
import io
import json
import os
import signal
import sys
from collections.abc import Iterator
from pathlib import Path
from time import monotonic

import pytest
from PyInstaller.archive.readers import CArchiveReader

from service.config.settings import ROOT
from tests.dist.executable import BUILT, Computer, computer, worker_of
from tests.house import PASSWORD
from tests.patience import until
from tests.process.launching import zone_of_the_morning

pytestmark = pytest.mark.dist
LEFT_OUT = {"celery", "kombu", "redis", "psycopg", "phonenumbers.geocoder", "phonenumbers.geodata", "tkinter", "pytest"}
"""Scaling out, and 100 MB of place names."""


@pytest.fixture
def bare(tmp_path: Path) -> Computer:
    return computer(tmp_path)


@pytest.fixture(scope="module")
def modules() -> set[str]:
    """The names of all modules in the executable."""
    archive = CArchiveReader(str(BUILT))
    found = set(archive.open_embedded_archive("PYZ.pyz").toc) | set(sys.stdlib_module_names)
    return found | {Path(name).name.split(".")[0] for name in archive.toc if name.endswith(".so")}


def imported() -> Iterator[str]:
    """What the service imports, wherever in a file it does so."""
    for file in (ROOT / "service").rglob("*.py"):
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Import):
                yield from (name.name for name in node.names)
            elif isinstance(node, ast.ImportFrom) and node.module and node.level == 0:
                yield node.module


def test_it_holds_all_that_the_service_imports_and_nothing_of_scaling_out(modules: set[str]) -> None:
    wanted = {name for name in imported() if name.split(".")[0] not in LEFT_OUT | sys.stdlib_module_names}
    assert wanted <= modules
    assert not LEFT_OUT & (modules - sys.stdlib_module_names)
    assert not {name.split(".")[0] for name in modules} & {"tests", "bench"}
    assert BUILT.stat().st_size < 80_000_000


def test_the_first_start_makes_a_clinic_in_the_folder_of_the_executable(bare: Computer) -> None:
    with bare.serving("serve") as service:
        assert f"Everything is kept in {bare.folder}\n" in service.printed
        visitor = service.client()
        assert visitor.get("/").location == "/setup"
        admin = {"name": "Ines", "email": "ines@clinic.example", "password": PASSWORD}
        assert visitor.post("/setup", admin).status == 303
        assert visitor.sign_in("ines@clinic.example").status == 303
        assert visitor.get("/dashboard").status == 200
        assert "<code>rounds audit verify</code>" in visitor.get("/audit").text
        assert visitor.get("/static/css/rounds.css").status == 200
        assert (bare.folder / "secret.key").stat().st_mode & 0o777 == 0o600

        second = bare.run("serve")
        assert (second.returncode, second.stdout) == (1, "")
        assert second.stderr == f"Error: Rounds is already running on {service.url} with this database.\n"

        assert service.stop(signal.SIGTERM) == 0
    assert sorted(os.listdir(bare.temporary)) == []
    assert {file.name for file in bare.folder.iterdir()} <= {
        *("rounds", "rounds.db", "rounds.db-shm", "rounds.db-wal", "rounds.db.lock"),
        *("secret.key", "clinic.id", "exports", "imports", "backups"),
    }


def test_a_demo_clinic_reminds_exports_backs_up_and_finds_all_well(bare: Computer) -> None:
    bare.environment["ROUNDS_CLINIC_TIMEZONE"] = zone_of_the_morning()
    size = ("--doctors", "2", "--patients", "20", "--appointments", "120")
    filled = bare.run("demo", *size, "--password", PASSWORD)
    assert filled.returncode == 0, filled.stderr
    with bare.serving("serve") as service:
        patient = service.client("patient1@demo.example")
        export = patient.post("/exports").location
        until(lambda: 'data-state="available"' in patient.get(export).text)
        file = patient.get(f"{export}/file")
        assert file.headers["content-type"] == "text/csv; charset=utf-8"
        treatments = list(csv.DictReader(io.StringIO(file.body.decode("utf-8-sig"), newline="")))
        assert len(treatments) >= 20
        assert {row["Patient ID"] for row in treatments} == {treatments[0]["Patient ID"]}

        reminders = bare.run("run-job", "reminders", "--json")
        outcome = json.loads(reminders.stdout.splitlines()[-1])
        assert outcome["total"]["sent"] >= 1, reminders.stderr
        assert bare.run("backup", ROUNDS_BACKUP_PASSPHRASE="a stick in a drawer").returncode == 0
        assert len(list((bare.folder / "backups").glob("rounds-*"))) == 1
        checked = bare.run("check")
        assert checked.returncode == 0, checked.stdout + checked.stderr

        maps = Path(f"/proc/{worker_of(service)}/maps").read_text()
        assert str(ROOT) not in maps
        assert str(sys.base_prefix) not in maps
        assert service.stop(signal.SIGTERM) == 0


@pytest.fixture
def browser(bare: Computer, tmp_path: Path) -> Path:
    """A desktop whose browser only writes down where it was sent; returns where."""
    program, seen = tmp_path / "browser", tmp_path / "seen"
    program.write_text(f'#!/bin/sh\necho "$1 [$LD_LIBRARY_PATH]" >>"{seen}"\n')
    program.chmod(0o755)
    bare.environment |= {"DISPLAY": ":99", "BROWSER": str(program)}
    return seen


def test_a_double_click_opens_the_browser_and_a_second_one_opens_the_first_s_address(
    bare: Computer, browser: Path
) -> None:
    with bare.serving() as service:
        until(browser.exists)
        assert bare.run().returncode == 0
        until(lambda: browser.read_text() == f"{service.url} []\n" * 2)


def test_a_double_click_that_fails_leaves_a_note_until_one_succeeds(bare: Computer, browser: Path) -> None:
    (bare.folder / "config.toml").write_text("[server]\nprot = 1\n")
    assert bare.run().returncode == 1
    note = bare.folder / "rounds-did-not-start.txt"
    assert note.read_text() == "Error: config.toml: server.prot: unknown key.\n"
    assert browser.read_text() == f"{note.as_uri()} []\n"
    (bare.folder / "config.toml").unlink()
    with bare.serving():
        until(lambda: not note.exists())


@pytest.mark.parametrize("more", [{"BROWSER": "/nowhere/browser"}, {"DISPLAY": ""}])
def test_without_a_browser_or_a_desktop_it_starts_all_the_same(
    bare: Computer, browser: Path, more: dict[str, str]
) -> None:
    with bare.serving(**more) as service:
        assert service.client().get("/livez").status == 200
        assert service.stop(signal.SIGTERM) == 0
    assert not browser.exists()


def test_when_only_what_unpacked_it_is_killed_it_serves_on_and_is_found(bare: Computer) -> None:
    with bare.serving("serve") as service:
        worker = worker_of(service)
        service.kill()
        assert service.client().get("/livez").status == 200
        assert f"already running on {service.url} " in bare.run("serve").stderr
        os.kill(worker, signal.SIGTERM)
        until(lambda: not Path(f"/proc/{worker}").exists() or "Z" in Path(f"/proc/{worker}/stat").read_text())
    with bare.serving("serve") as again:
        assert again.client().get("/livez").status == 200


def test_install_service_lets_the_computer_start_the_executable(bare: Computer) -> None:
    shown = bare.run("install-service", "--print")
    assert f'\nExecStart="{bare.program}" "serve"\n' in shown.stdout
    assert f'\nReadWritePaths="{bare.folder}"\nReadOnlyPaths="{bare.program}"\n' in shown.stdout
