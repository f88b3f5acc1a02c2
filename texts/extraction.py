"""Collect the texts of the program: what stands in gettext calls and `{% trans %}` blocks, by area."""

from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

from babel.messages.catalog import Catalog
from babel.messages.extract import extract_from_file

from service.language.message_texts import CONTEXT, OURS

ROOT = Path(__file__).resolve().parent.parent
SERVICE = ROOT / "service"
SHELL = "shell"
"""The area of what surrounds every page: frame, navigation, error pages, the guard."""
SYSTEM = "system"
"""The area of what looks after the service itself: health, jobs, backups, demo."""
API = "api"
"""The area of what other programs are told, in English only."""
MESSAGE_TEXTS = "message_texts"
"""The area of what people are sent."""
KEYWORDS: dict[str, Any] = {
    "_": None,
    "gettext": None,
    "ngettext": (1, 2),
    "pgettext": ((1, "c"), 2),
    "npgettext": ((1, "c"), 2, 3),
    "_l": None,
    "lazy_gettext": None,
    "lazy_pgettext": ((1, "c"), 2),
}
_MESSAGE_TEXTS = ("content", "visit_calendar")
_ROOMS_WITH_AREAS = ("web", "domain", "templates")
_SHELL_ROOMS = ("web", "http", "templates", "error_pages.py", "app.py")


def area_of(file: Path) -> str:
    """The area a source file or template belongs to: its folder below web, domain, or templates."""
    parts = file.relative_to(SERVICE).parts
    if file.suffix == ".txt" or (parts[:2] == ("domain", "messages") and file.stem.startswith(_MESSAGE_TEXTS)):
        return MESSAGE_TEXTS
    if parts[0] == API:
        return API
    if parts[0] in _ROOMS_WITH_AREAS and len(parts) > 2:
        return parts[1]
    return SHELL if parts[0] in _SHELL_ROOMS else SYSTEM


@cache
def files_of(area: str) -> tuple[Path, ...]:
    """The Python files and templates of an area."""
    return tuple(file for file in _files() if area_of(file) == area)


@cache
def areas() -> tuple[str, ...]:
    """All areas that have a text."""
    return tuple(sorted({area for area in {area_of(file) for file in _files()} if len(extracted(area))}))


@cache
def extracted(area: str) -> Catalog:
    """The English texts of an area, with the files they stand in."""
    found = Catalog()
    for file in files_of(area):
        if file.suffix == ".txt":
            place = (file.relative_to(ROOT).as_posix(), 1)
            found.add(file.read_text("utf-8"), locations=[place], context=CONTEXT.format(file.stem))
            continue
        options = {"trimmed": "true", "silent": "false"} if file.suffix == ".html" else {}
        method = "jinja2" if file.suffix == ".html" else "python"
        for line, message, comments, context in extract_from_file(
            method, file, keywords=KEYWORDS, comment_tags=("Translators:",), options=options, strip_comment_tags=True
        ):
            place = (file.relative_to(ROOT).as_posix(), line)
            found.add(message, locations=[place], auto_comments=comments, context=context)
    return found


def _files() -> Iterator[Path]:
    for file in sorted(SERVICE.rglob("*")):
        if file.suffix in {".py", ".html"} and "migrations" not in file.parts:
            yield file
    yield from sorted(OURS.glob("*.txt"))
