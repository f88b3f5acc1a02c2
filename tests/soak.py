"""`make soak`: the long rounds, part after part. A part that fails stops no other; the end says how long each took.

Exit 0: all parts passed. 1: at least one did not. What the rounds draw by is printed first: `--seed` draws it again.
"""

import argparse
import os
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from random import SystemRandom
from time import monotonic

FORMS, ENDPOINTS, AT_ONCE, FAULTS = "tests/web/test_fuzz.py", "tests/api/test_fuzz.py", "tests/at_once", "tests/faults"
HANGS = "3600"
"""Seconds after which a test is given up."""


@dataclass(frozen=True)
class Part:
    """One run of pytest: its arguments, and how much it does unless the environment says otherwise."""

    words: tuple[str, ...]
    environment: Mapping[str, str] = field(default_factory=dict)


PARTS: Mapping[str, Part] = {
    "forms": Part((FORMS, "-n", "2"), {"ROUNDS_TEST_EXAMPLES": "300"}),
    "forms-postgresql": Part((FORMS, "-n", "2", "--database", "postgresql"), {"ROUNDS_TEST_EXAMPLES": "100"}),
    "api": Part((ENDPOINTS, "-m", "soak")),
    "acts": Part((AT_ONCE, "-m", "soak"), {"ROUNDS_TEST_MINUTES": "20"}),
    "faults": Part((FAULTS, "-m", "soak")),
    "rest": Part(("-m", "soak", *(f"--ignore={one}" for one in (ENDPOINTS, AT_ONCE, FAULTS)))),
}


def run(part: Part, seed: int) -> tuple[bool, float]:
    """Run one part to its end; whether it passed, and its seconds."""
    draws = ("--randomly-seed", str(seed), "--hypothesis-seed", str(seed))
    leaves_little = ("-o", "tmp_path_retention_policy=failed")
    line = [sys.executable, "-m", "pytest", *part.words, *draws, *leaves_little, "-rs", "--durations", "0"]
    began = monotonic()
    done = subprocess.run(
        [*line, "--timeout", HANGS],
        env={**part.environment, **os.environ, "ROUNDS_TEST_SEED": str(seed)},
        check=False,
    )
    return done.returncode == 0, monotonic() - began


def main() -> int:
    """Run all parts, or those named."""
    options = argparse.ArgumentParser(prog="python -m tests.soak", description=__doc__)
    options.add_argument("--only", nargs="+", choices=PARTS, default=list(PARTS), metavar="PART", help=", ".join(PARTS))
    options.add_argument("--seed", type=int, default=SystemRandom().randrange(2**31))
    chosen = options.parse_args()
    say(f"Seed {chosen.seed}")
    results = {}
    for name in chosen.only:
        say(f"\n{name}")
        results[name] = run(PARTS[name], chosen.seed)
    say(f"\nSeed {chosen.seed}")
    for name, (passed, seconds) in results.items():
        say(f"{name:17} {seconds / 60:5.1f} min  {'passed' if passed else 'FAILED'}")
    say(f"{'together':17} {sum(seconds for _passed, seconds in results.values()) / 60:5.1f} min")
    return 0 if all(passed for passed, _seconds in results.values()) else 1


def say(line: str) -> None:
    """Print a line before whatever pytest prints next."""
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
