"""`make audit`: asks pip-audit about what is installed; what could not be audited is printed and never called green.

Exit 0: everything was audited and nothing is known. 1: something is known. 2: something could not be audited.
"""

import json
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
LOCK = ROOT / "requirements.txt"
LAST = ROOT / ".venv" / ".audited"
"""When an audit of this checkout last had an answer about every package."""
FLAWED = "pyyaml", "5.1"
"""A release with vulnerabilities known since 2019: where nothing is known of it, nothing is known of any other."""


def judge(report: Mapping[str, Any]) -> tuple[list[str], int]:
    """What pip-audit's JSON about the lock and FLAWED says, line by line, and the exit code."""
    everything = report.get("dependencies", [])
    packages = [one for one in everything if one["name"] != FLAWED[0]]
    has_data = any(one["name"] == FLAWED[0] and one.get("vulns") for one in everything)
    skipped = [one for one in packages if "skip_reason" in one]
    bad = [(one, flaw) for one in packages for flaw in one.get("vulns", [])]
    lines = [f"KNOWN: {one['name']} {one['version']}: {flaw['id']}, fixed in {_fixed(flaw)}" for one, flaw in bad]
    if not has_data and not bad:
        name, version = FLAWED
        sentence = f"the advisory service reports nothing about {name} {version}, which has known vulnerabilities."
        return [f"NO ADVISORY DATA: {sentence} None of the {len(packages)} packages was audited."], 2
    lines += [f"NOT AUDITED: {one['name']}: {one['skip_reason']}" for one in skipped]
    audited = len(packages) - len(skipped)
    lines.append(f"{audited} of {len(packages)} packages audited, {len(bad)} known vulnerabilities in them.")
    if bad:
        return lines, 1
    if skipped or not packages:
        return [*lines, "This is no clean result: what was not audited may have known vulnerabilities."], 2
    return lines, 0


def age(now: datetime, last: Path = LAST) -> str:
    """How old the newest complete answer is that this checkout has had."""
    try:
        then = datetime.fromisoformat(last.read_text(encoding="ascii"))
    except (OSError, ValueError):
        return "No audit of this checkout has been complete so far."
    return f"The last complete audit was on {then:%Y-%m-%d %H:%M} UTC, {(now - then).days} days ago."


def _fixed(flaw: Mapping[str, Any]) -> str:
    return ", ".join(flaw.get("fix_versions", [])) or "no version yet"


def main() -> int:
    """Run pip-audit over the lock of what the service needs, and judge. Cached answers are not used."""
    now = datetime.now(UTC)
    with tempfile.TemporaryDirectory() as folder:
        lines, code = _asked(Path(folder))
    if code == 2:
        lines.append(age(now))
    else:
        LAST.write_text(now.isoformat(), encoding="ascii")
        lines.append(f"The advisories are those of {now:%Y-%m-%d %H:%M} UTC.")
    print("\n".join(lines))  # noqa: T201 - a command of ours
    return code


def _asked(folder: Path) -> tuple[list[str], int]:
    wanted = folder / "flawed.txt"
    wanted.write_text(f"{'=='.join(FLAWED)} --hash=sha256:{'0' * 64}\n", encoding="ascii")
    line = [sys.executable, "-m", "pip_audit", "--require-hashes", "--disable-pip", "--format", "json"]
    line += ["--progress-spinner", "off", "--cache-dir", str(folder / "cache")]
    done = subprocess.run(
        [*line, "--requirement", str(LOCK), "--requirement", str(wanted)], capture_output=True, text=True, check=False
    )
    try:
        return judge(json.loads(done.stdout))
    except ValueError:
        last = done.stderr.strip().splitlines()[-1:] or ["it said nothing"]
        return [f"NO ADVISORY DATA: pip-audit could not do its work: {last[0]}"], 2


if __name__ == "__main__":
    sys.exit(main())
