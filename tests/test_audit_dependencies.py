"""The audit of dependencies never calls green what no one looked at, and the lock pins every file by its hash (O7)."""

import re
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from tests.audit_dependencies import FLAWED, LOCK, ROOT, age, judge

FINE = {"name": "flask", "version": "3.1.3", "vulns": []}
BAD = {"name": "waitress", "version": "3.0.0", "vulns": [{"id": "GHSA-1", "fix_versions": ["3.0.1"]}]}
SKIPPED = {"name": "jinja2", "skip_reason": "Dependency not found"}
KNOWN = {"name": FLAWED[0], "version": FLAWED[1], "vulns": [{"id": "GHSA-2", "fix_versions": []}]}
UNKNOWN = {**KNOWN, "vulns": []}


@pytest.mark.parametrize(
    ("packages", "code", "words"),
    [
        ([FINE], 0, "1 of 1 packages audited, 0 known"),
        ([FINE, SKIPPED], 2, "NOT AUDITED: jinja2: Dependency not found"),
        ([SKIPPED], 2, "no clean result"),
        ([], 2, "no clean result"),
        ([FINE, BAD], 1, "KNOWN: waitress 3.0.0: GHSA-1, fixed in 3.0.1"),
        ([BAD, SKIPPED], 1, "NOT AUDITED: jinja2"),
    ],
)
def test_o7_only_what_was_audited_is_green(packages: list[dict[str, Any]], code: int, words: str) -> None:
    lines, found = judge({"dependencies": [*packages, KNOWN]})
    assert found == code
    assert words in "\n".join(lines)


@pytest.mark.parametrize("answer", [[UNKNOWN], [{"name": FLAWED[0], "skip_reason": "Dependency not found"}], []])
@pytest.mark.parametrize("packages", [[FINE], [FINE, SKIPPED], [SKIPPED]])
def test_o7_without_advisory_data_nothing_is_called_audited(
    packages: list[dict[str, Any]], answer: list[dict[str, Any]]
) -> None:
    lines, found = judge({"dependencies": [*packages, *answer]})
    assert found == 2
    assert len(lines) == 1
    assert lines[0].startswith("NO ADVISORY DATA")
    assert f"None of the {len(packages)} packages was audited" in lines[0]


def test_o7_how_old_the_last_answer_is(tmp_path: Path) -> None:
    last, now = tmp_path / "audited", datetime(2026, 5, 6, 8, tzinfo=UTC)
    assert age(now, last) == "No audit of this checkout has been complete so far."
    last.write_text(datetime(2026, 4, 20, 7, tzinfo=UTC).isoformat(), encoding="ascii")
    assert age(now, last) == "The last complete audit was on 2026-04-20 07:00 UTC, 16 days ago."


@pytest.mark.parametrize("lock", [LOCK, ROOT / "requirements-dev.txt"], ids=lambda file: str(file.name))
def test_o7_every_dependency_is_pinned_with_hashes(lock: Any) -> None:
    wanted = [block for block in re.split(r"\n(?=[a-z0-9])", lock.read_text(encoding="utf-8")) if "==" in block]
    assert len(wanted) > 20
    assert [block.split("==")[0] for block in wanted if "--hash=sha256:" not in block] == []
    assert "://" not in lock.read_text(encoding="utf-8")
