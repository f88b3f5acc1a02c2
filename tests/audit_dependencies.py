"""`make audit`: asks pip-audit about what is installed; what could not be audited is printed and never called green.

Exit 0: everything was audited and nothing is known. 1: something is known. 2: something could not be audited.
"""

import json
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
LOCK = ROOT / "requirements.txt"


def judge(report: Mapping[str, Any]) -> tuple[list[str], int]:
    """What pip-audit's JSON says, line by line, and the exit code."""
    packages = report.get("dependencies", [])
    skipped = [one for one in packages if "skip_reason" in one]
    bad = [(one, flaw) for one in packages for flaw in one.get("vulns", [])]
    lines = [f"KNOWN: {one['name']} {one['version']}: {flaw['id']}, fixed in {_fixed(flaw)}" for one, flaw in bad]
    lines += [f"NOT AUDITED: {one['name']}: {one['skip_reason']}" for one in skipped]
    audited = len(packages) - len(skipped)
    lines.append(f"{audited} of {len(packages)} packages audited, {len(bad)} known vulnerabilities in them.")
    if bad:
        return lines, 1
    if skipped or not packages:
        return [*lines, "This is no clean result: what was not audited may have known vulnerabilities."], 2
    return lines, 0


def _fixed(flaw: Mapping[str, Any]) -> str:
    return ", ".join(flaw.get("fix_versions", [])) or "no version yet"


def main() -> int:
    """Run pip-audit over the lock of what the service needs, and judge."""
    line = [sys.executable, "-m", "pip_audit", "--require-hashes", "--disable-pip", "--format", "json"]
    done = subprocess.run(
        [*line, "--progress-spinner", "off", "--requirement", str(LOCK)], capture_output=True, text=True, check=False
    )
    try:
        report = json.loads(done.stdout)
    except ValueError:
        last = done.stderr.strip().splitlines()[-1:] or ["it said nothing"]
        print(f"NOT AUDITED: pip-audit could not do its work: {last[0]}")  # noqa: T201 - a command of ours
        return 2
    lines, code = judge(report)
    print("\n".join(lines))  # noqa: T201 - a command of ours
    return code


if __name__ == "__main__":
    sys.exit(main())
