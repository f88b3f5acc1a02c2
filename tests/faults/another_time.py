"""run.py at another time: the clock shows TEST_NOW, and jumps whenever the file TEST_CLOCK appears with an instant.

With TEST_SIGNAL it sends itself a signal from within one of its functions.
"""

import os
import sys
from datetime import datetime
from pathlib import Path
from threading import Thread
from time import sleep

sys.path[0] = str(Path(__file__).resolve().parents[2])
import time_machine  # noqa: E402

from service import cli  # noqa: E402
from service.jobs import local_backend  # noqa: E402
from tests.faults import signalled  # noqa: E402

CLOCK = Path(os.environ["TEST_CLOCK"])


def follow(coordinates: time_machine.Traveller) -> None:
    """Set the clock to the instant in the file whenever it is there."""
    while True:
        while not CLOCK.exists():
            sleep(0.02)
        coordinates.move_to(datetime.fromisoformat(CLOCK.read_text(encoding="utf-8")), tick=True)
        CLOCK.unlink()


if __name__ == "__main__":
    # Only the clock on the wall moves; a tick would still take half a minute of the test's time.
    local_backend.TICK_SECONDS = int(os.environ.get("TEST_TICK", local_backend.TICK_SECONDS))
    now = time_machine.travel(datetime.fromisoformat(os.environ["TEST_NOW"]), tick=True).start()
    Thread(target=follow, args=(now,), daemon=True).start()
    if "TEST_SIGNAL" in os.environ:
        signalled.install(os.environ["TEST_SIGNAL"])
    cli.main()
