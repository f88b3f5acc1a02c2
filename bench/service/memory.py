"""What a process has in memory, now and at its peak, and in temporary files, as Linux keeps it."""

from contextlib import suppress
from pathlib import Path


def resident(process: int | str = "self") -> float:
    """MiB in memory now."""
    return _status(process, "VmRSS")


def forget_peak() -> None:
    """Let this process's peak begin again."""
    Path("/proc/self/clear_refs").write_text("5", encoding="ascii")


def peak() -> float:
    """The most MiB this process had in memory since forget_peak()."""
    # Not getrusage: its maximum starts at the size of the parent that forked.
    return _status("self", "VmHWM")


def temporary(process: int) -> float:
    """MiB in open files that have no name any more, which is what Python's temporary files are."""
    size = 0
    for entry in Path(f"/proc/{process}/fd").iterdir():
        with suppress(OSError):
            target = str(entry.readlink())
            if target.startswith("/") and target.endswith(" (deleted)"):
                size += entry.stat().st_size
    return size / 1024 / 1024


def _status(process: int | str, name: str) -> float:
    for line in Path(f"/proc/{process}/status").read_text(encoding="ascii").splitlines():
        key, _, value = line.partition(":")
        if key == name:
            return int(value.split()[0]) / 1024
    raise LookupError(name)
