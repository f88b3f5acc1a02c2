"""What rounds draw by: always the same in `make test`, another one in each `make soak`, which prints it."""

import os

SEED = int(os.environ.get("ROUNDS_TEST_SEED", "2026"))
