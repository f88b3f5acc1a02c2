"""The recipes in docs/how-to-change.md: what they name exists, and the job recipe works when it is followed."""

import ast
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from service.config.settings import ROOT

GUIDE = (ROOT / "docs" / "how-to-change.md").read_text(encoding="utf-8")
CONTRIBUTING = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
EXAMPLES = {"service/jobs/water_the_plants.py"}


def names_in(file: Path) -> set[str]:
    """Every function, class, method, and variable that a module defines."""
    found = set()
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        if isinstance(node, (ast.FunctionDef, ast.ClassDef)):
            found.add(node.name)
        elif isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            found.add(node.id)
    return found


@pytest.mark.parametrize("text", [GUIDE, CONTRIBUTING], ids=["how to change", "contributing"])
def test_every_file_and_folder_named_exists(text: str) -> None:
    paths = set(re.findall(r"`((?:service|tests|texts|docs|\.ci)/[\w/.-]*)`", text)) - EXAMPLES
    assert paths
    assert [path for path in sorted(paths) if not (ROOT / path).exists()] == []


def test_every_function_and_table_named_is_in_its_file() -> None:
    pairs = re.findall(r"`(\w+)`\s+in\s+`([\w/]+\.py)`", GUIDE)
    assert len(pairs) > 15
    assert [(name, path) for name, path in pairs if name not in names_in(ROOT / path)] == []


def test_every_test_named_exists() -> None:
    named = set(re.findall(r"`(test_\w+)`", GUIDE))
    defined = {
        name
        for file in (ROOT / "tests").rglob("test_*.py")
        for name in re.findall(r"^def (test_\w+)", file.read_text(encoding="utf-8"), re.MULTILINE)
    }
    assert named
    assert named - defined == set()


def test_every_make_target_named_exists() -> None:
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    for target in re.findall(r"(?:`|^    )make ([\w-]+)", GUIDE + CONTRIBUTING, re.MULTILINE):
        assert re.search(rf"^{target}:", makefile, re.MULTILINE), target


def test_a_job_added_by_the_recipe_is_on_the_schedule_and_runs(tmp_path: Path) -> None:
    shutil.copytree(ROOT / "service", tmp_path / "service", ignore=shutil.ignore_patterns("__pycache__"))
    module, row = re.findall(r"```python\n(.+?)```", GUIDE, re.DOTALL)
    (tmp_path / "service/jobs/water_the_plants.py").write_text(module, encoding="utf-8")
    schedule = tmp_path / "service/jobs/schedule.py"
    source = schedule.read_text(encoding="utf-8")
    before, body = source.split("def every_row(")
    imported = "from service.jobs.water_the_plants import water_the_plants\n\n\ndef every_row("
    body = body.replace("    return (\n", f"    return (\n        {row.strip()},\n", 1)
    schedule.write_text(before + imported + body, encoding="utf-8")
    follow = (
        "from unittest.mock import MagicMock\n"
        "from service.config.settings import Settings\n"
        "from service.jobs import schedule\n"
        "row = schedule.row_of(Settings(), 'water_the_plants')\n"
        "print(row.title, row.at, row.run(MagicMock(), '2026-05-04'))\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", follow], cwd=tmp_path, capture_output=True, text=True, timeout=120, check=False
    )
    assert done.stdout == "Watering 06:30:00 {'date': '2026-05-04', 'plants': 0}\n", done.stderr
