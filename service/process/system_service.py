"""Start with the computer: a hardened systemd unit, or the steps on Windows and macOS."""

import shlex
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from string import Template
from xml.sax.saxutils import escape

from service import disk
from service.config.settings import FROZEN, HOME, ROOT, Settings

UNIT = Path("/etc/systemd/system/rounds.service")
TEMPLATES = ROOT / "service" / "templates" / "system_service"


def text(settings: Settings, account: str, system: str = sys.platform) -> str:
    """Return a unit that runs Rounds as `account` on Linux; on other systems, the steps to take."""
    make: dict[str, Callable[[Settings, str], str]] = {"win32": _windows, "darwin": _macos}
    return make.get(system, _unit)(settings, account)


def next_steps(settings: Settings, account: str, unit: Path) -> str:
    """Return what to do after the unit is written."""
    return _filled(
        "next-steps.txt", account=account, folder=shlex.quote(str(settings.base)), unit=str(unit), name=unit.stem
    )


def write(unit: Path, content: str) -> None:
    """Write the unit completely or not at all. Raises OSError."""
    with disk.replacing(unit, mode=0o644) as target:
        target.write(content.encode())


def _unit(settings: Settings, account: str) -> str:
    low_port = 0 < settings.server.port < 1024
    return _filled(
        "rounds.service",
        account=account,
        after="" if settings.database_file else " postgresql.service",
        capabilities="CAP_NET_BIND_SERVICE" if low_port else "",
        clinic=" ".join(settings.clinic.name.replace("%", "%%").split()),
        folder=_whole_line(settings.base),
        home="read-only" if _is_in_a_home(settings.base, Path(sys.executable).resolve()) else "yes",
        program=" ".join(f'"{_escaped(part)}"' for part in _program()),
        secrets=_whole_line(settings.base / "rounds.env"),
        start=" ".join(f'"{_escaped(word)}"' for word in _command(settings)).replace("$", "$$"),
        writable=" ".join(_writable(settings)),
    )


def _windows(settings: Settings, _account: str) -> str:
    program, *arguments = _command(settings)
    return _filled(
        "windows.txt",
        program=subprocess.list2cmdline([program]),
        arguments=subprocess.list2cmdline(arguments),
        folder=subprocess.list2cmdline([str(settings.base)]),
        log=subprocess.list2cmdline([str(settings.base / "rounds.log")]),
    )


def _macos(settings: Settings, account: str) -> str:
    arguments = "\n".join(f"    <string>{escape(word)}</string>" for word in _command(settings))
    return _filled(
        "macos.txt",
        account=escape(account),
        arguments=arguments,
        folder=escape(str(settings.base)),
        log=escape(str(settings.base / "rounds.log")),
    )


def _command(settings: Settings) -> list[str]:
    """Return the command to start. It includes `serve`; without it, this would look like a double-click."""
    program = [sys.executable] if FROZEN else [sys.executable, str(ROOT / "run.py")]
    named = [] if settings.base == HOME else ["--config", str(settings.base / "config.toml")]
    return [*program, "serve", *named]


def _program() -> list[Path]:
    """Return the files and folders of the program itself."""
    return [Path(sys.executable)] if FROZEN else [ROOT / "run.py", ROOT / "service", ROOT / "static", Path(sys.prefix)]


def _writable(settings: Settings) -> list[str]:
    """Return the clinic's folder and folders outside of it, which may be missing now, such as a USB drive."""
    folders = [settings.histories.parent, settings.backups, settings.second_backups]
    if settings.database_file:
        folders.append(settings.database_file.parent)
    outside = {folder for folder in folders if folder and not folder.is_relative_to(settings.base)}
    return [f'"{_escaped(settings.base)}"', *(f'"-{_escaped(folder)}"' for folder in sorted(outside))]


def _is_in_a_home(*places: Path) -> bool:
    return any(place.is_relative_to(home) for place in places for home in ("/home", "/root", "/run/user"))


def _escaped(path: Path | str) -> str:
    """Escape a path for a unit, with or without quotes around it."""
    return str(path).replace("\\", "\\\\").replace('"', '\\"').replace("%", "%%")


def _whole_line(path: Path) -> str:
    """Escape a path that is alone on its line, where systemd reads no quotes or backslashes."""
    return str(path).replace("%", "%%")


def _filled(template: str, **values: str) -> str:
    return Template((TEMPLATES / template).read_text(encoding="utf-8")).substitute(values)
