"""The documents say what is true: rooms, commands, settings and links exist."""

import re
import shlex
from datetime import timedelta
from pathlib import Path

import click
import pytest

from service import cli
from service.config.settings import ABOUT_THE_FILE, ROOT, Settings
from service.domain.exports import export_columns
from service.domain.foundation.throttle import BUDGETS, Budget

README = (ROOT / "README.md").read_text(encoding="utf-8")
DOCUMENTS = [
    *(ROOT / name for name in ("README.md", "CONTRIBUTING.md", "CHANGELOG.md")),
    *sorted((ROOT / "docs").glob("*.md")),
]


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda file: file.name)
def test_every_link_to_a_file_leads_somewhere(document: Path) -> None:
    for target in re.findall(r"\]\((?!https?:)([^)#]+)\)", document.read_text(encoding="utf-8")):
        assert (document.parent / target).exists(), target


def test_every_command_of_the_readme_exists_and_none_is_missing() -> None:
    table = README.split("## Commands")[1].split("## How the code is organized")[0]
    table = table.split("|---|---|")[1]
    named = {" ".join(words.split()[:2]) for words in re.findall(r"^\| `([a-z][^`\[]*)", table, re.MULTILINE)}
    top = {name.split()[0] for name in named}
    jobs = {name.split()[1] for name in named if name.startswith("run-job ")}
    assert top == set(cli.rounds.commands)
    assert jobs == set(cli.run_job.commands)


def lines_of(document: str, program: str) -> list[list[str]]:
    """The command lines in a document's examples, by the program they start."""
    text = (ROOT / "docs" / document).read_text(encoding="utf-8")
    return [shlex.split(line) for line in re.findall(rf"^ {{4,}}{program} (.+)$", text, re.MULTILINE)]


def test_every_command_of_the_operations_exists_for_python_and_for_the_executable() -> None:
    with_python = lines_of("operations.md", r"python run\.py")
    assert with_python == lines_of("operations.md", "rounds")
    assert len(with_python) > 10
    for words in with_python:
        found: click.Command = cli.rounds
        while isinstance(found, click.Group):
            found = found.commands[words.pop(0)]
        known = {option for parameter in found.params for option in parameter.opts}
        assert {word for word in words if word.startswith("--")} <= known, words


def test_every_test_that_is_named_for_a_fault_exists() -> None:
    named = set(re.findall(r"`(test_\w+)`", (ROOT / "docs" / "faults.md").read_text(encoding="utf-8")))
    sources = [file.read_text(encoding="utf-8") for file in (ROOT / "tests").rglob("test_*.py")]
    there = {name for source in sources for name in re.findall(r"^def (test_\w+)", source, re.MULTILINE)}
    assert len(named) > 50
    assert named - there == set()


def test_the_budgets_in_the_docs_are_those_of_the_code() -> None:
    table = (ROOT / "docs" / "security.md").read_text(encoding="utf-8").split("|---|---|---|---|\n")[1]
    told = [[cell.strip() for cell in line.strip("|").split("|")] for line in table.split("\n\n")[0].splitlines()]
    usual = Budget("").window
    windows = {
        usual: "",
        timedelta(minutes=1): " (per minute)",
        timedelta(hours=1): " (per hour)",
        timedelta(days=1): " (per day)",
    }

    def row(budget: Budget) -> list[str]:
        counts = (budget.account, budget.email, budget.network)
        return [budget.words + windows[budget.window], *(str(count or "") for count in counts)]

    assert told == [row(budget) for budget in BUDGETS.values()]


def test_every_room_of_the_readme_exists() -> None:
    rooms = README.split("## How the code is organized")[1]
    for name in re.findall(r"`([\w./*]+)`", rooms.split("Data flows")[0]):
        assert any(ROOT.glob(name.rstrip("/"))) or any((ROOT / "service").glob(f"**/{name.rstrip('/')}")), name


def test_every_command_of_the_readme_s_make_exists() -> None:
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    for target in re.findall(r"(?:`|^    )make (\w+)", README, re.MULTILINE):
        assert re.search(rf"^{target}:", makefile, re.MULTILINE), target


def test_every_column_of_an_export_is_described() -> None:
    text = (ROOT / "docs" / "export.md").read_text(encoding="utf-8").replace("`", "")
    for table in export_columns.chosen(visits=True, messages=True):
        assert f"### {table.name}\n\n{table.meaning}\n" in text
        for column in table.columns:
            assert f"| {column.title} | {column.key} | {column.meaning} |" in text
    for column in export_columns.PATIENT:
        assert f"| {column.key} | {column.meaning} |" in text


def test_config_toml_names_every_setting_with_a_comment_each() -> None:
    text = (ROOT / "config.toml").read_text(encoding="utf-8")
    for section in set(Settings.model_fields) - ABOUT_THE_FILE:
        assert f"[{section}]" in text
        for key in Settings.model_fields[section].default.__class__.model_fields:
            assert re.search(rf"^{key} = ", text, re.MULTILINE), f"{section}.{key}"


def test_every_code_in_a_test_name_is_explained() -> None:
    explained = re.findall(
        r"^\| ([A-Z]\d+) \|", (ROOT / "tests" / "README.md").read_text(encoding="utf-8"), re.MULTILINE
    )
    names = [file.read_text(encoding="utf-8") for file in (ROOT / "tests").rglob("test_*.py")]
    used = {code.upper() for text in names for code in re.findall(r"^ *def test_([a-z]\d+)_", text, re.MULTILINE)}
    assert len(explained) == len(set(explained))
    assert len(used) > 100
    assert used - set(explained) == set()
