"""What a running process uses, as Linux tells: memory, and bytes in temporary files, which have no name."""

from contextlib import suppress
from pathlib import Path

MIB = 1024 * 1024


def memory(process: int) -> float:
    """MiB of resident memory."""
    for line in Path(f"/proc/{process}/status").read_text(encoding="ascii").splitlines():
        if line.startswith("VmRSS:"):
            return int(line.split()[1]) / 1024
    raise LookupError(process)


def files(process: int) -> int:
    """How many files are open, sockets and pipes aside."""
    count = 0
    for entry in Path(f"/proc/{process}/fd").iterdir():
        with suppress(OSError):
            count += str(entry.readlink()).startswith("/")
    return count


def temporary_files(process: int) -> float:
    """MiB in files that are open and deleted already, as Python makes its temporary ones."""
    size = 0
    for entry in Path(f"/proc/{process}/fd").iterdir():
        with suppress(OSError):
            target = str(entry.readlink())
            if target.endswith(" (deleted)") and target.startswith("/"):
                size += entry.stat().st_size
    return size / MIB


def sockets(process: int) -> int:
    """How many TCP sockets are open: those of visitors, not those to a database on this computer."""
    tables = (Path(f"/proc/{process}/net/{name}") for name in ("tcp", "tcp6"))
    lines = [line.split() for table in tables if table.exists() for line in table.read_text("ascii").splitlines()[1:]]
    known, count = {f"socket:[{line[9]}]" for line in lines}, 0
    for entry in Path(f"/proc/{process}/fd").iterdir():
        with suppress(OSError):
            count += str(entry.readlink()) in known
    return count
