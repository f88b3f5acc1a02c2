"""The audit of dependencies never calls green what nobody looked at, and the lock pins every file by its hash (O7)."""

import re
from typing import Any

import pytest

from tests.audit_dependencies import LOCK, ROOT, judge

FINE = {"name": "flask", "version": "3.1.3", "vulns": []}
BAD = {"name": "waitress", "version": "3.0.0", "vulns": [{"id": "GHSA-1", "fix_versions": ["3.0.1"]}]}
SKIPPED = {"name": "jinja2", "skip_reason": "Dependency not found"}


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
    lines, found = judge({"dependencies": packages})
    assert found == code
    assert words in "\n".join(lines)


@pytest.mark.parametrize("lock", [LOCK, ROOT / "requirements-dev.txt"], ids=lambda file: str(file.name))
def test_o7_every_dependency_is_pinned_with_hashes(lock: Any) -> None:
    wanted = [block for block in re.split(r"\n(?=[a-z0-9])", lock.read_text(encoding="utf-8")) if "==" in block]
    assert len(wanted) > 20
    assert [block.split("==")[0] for block in wanted if "--hash=sha256:" not in block] == []
    assert "://" not in lock.read_text(encoding="utf-8")
