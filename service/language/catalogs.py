"""Catalogs of translations. English is the source language and needs none.

A language is a folder of `locales/` with one .po file per area, or one file of the clinic's own. The files are compiled
when a language is first used (about 30 ms), so nothing has to be built.
"""

from collections.abc import Sequence
from functools import cache, lru_cache
from gettext import GNUTranslations, NullTranslations
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

import structlog

from service.config.languages import LOCALES, PSEUDO, SOURCE, own_files, shipped
from service.language.pseudo import Pseudo

if TYPE_CHECKING:
    from babel.messages.catalog import Message

log = structlog.get_logger()
__all__ = ["LOCALES", "SOURCE", "catalog", "is_translated", "known", "names", "offered", "use"]


class _Own:
    """The clinic's own files in use, by language."""

    files: ClassVar[dict[str, Path]] = {}


def use(folder: Path | None) -> None:
    """Add the languages of `folder`, which take precedence over those of the program.

    Raises SettingsError with one line for a file that can't be used.
    """
    files = own_files(folder)
    if files:
        from service.language import own_languages  # imported here: only needed for a clinic's own files

        for file in files.values():
            own_languages.read(file)
    _Own.files = files
    for cached in (catalog, is_translated, offered, names, known):
        cached.cache_clear()


@cache
def offered() -> tuple[str, ...]:
    """Return the languages that users can choose, English first."""
    return (*shipped(), *sorted(_Own.files.keys() - set(shipped())))


@cache
def names() -> dict[str, str]:
    """Return code -> the language's own name."""
    from babel import Locale

    found = {code: Locale.parse(code).get_display_name(code) or code for code in offered()}
    return {code: name[:1].upper() + name[1:] for code, name in found.items()}


@lru_cache(maxsize=256)
def known(code: str) -> str:
    """Return the language of a code. If it doesn't exist (any more), return English and log it."""
    if code in offered() or code in PSEUDO:
        return code
    log.warning("no such language: English instead", language=code[:20])
    return SOURCE


@cache
def catalog(language: str) -> NullTranslations:
    """Return the catalog of a language. For an unknown language, it's empty, so texts are in English."""
    if language in PSEUDO:
        return Pseudo()
    files = sorted((LOCALES / language).glob("*.po")) if language in shipped() else []
    if not files and language not in _Own.files:
        return NullTranslations()
    return _compiled(language, files)


@cache
def is_translated(language: str, area: str) -> bool:
    """Return whether an area's pages can be shown in a language. A page half in English would be worse than English."""
    if language in PSEUDO or language in _Own.files or language.split("_")[0] == SOURCE:
        return True
    return language in shipped() and (LOCALES / language / f"{area}.po").is_file()


def spoken(code: str, area: str) -> str:
    """Return the language in which an area is shown to someone who chose `code`."""
    language = known(code)
    return language if is_translated(language, area) else SOURCE


def _compiled(language: str, files: Sequence[Path]) -> NullTranslations:
    from babel.messages.catalog import Catalog  # imported here: only needed for languages other than English
    from babel.messages.mofile import write_mo

    whole = Catalog(locale=language)
    for entry in _entries(language, files):
        whole.delete(entry.id, entry.context)
        whole.add(entry.id, string=entry.string, context=entry.context)
    compiled = BytesIO()
    write_mo(compiled, whole)
    compiled.seek(0)
    return GNUTranslations(compiled)


def _entries(language: str, files: Sequence[Path]) -> "list[Message]":
    """Return all translated entries, the clinic's own ones last."""
    from babel.messages.pofile import read_po

    from service.language import own_languages

    found = []
    for file in files:
        with file.open("rb") as opened:
            found += list(read_po(opened, locale=language))
    if language in _Own.files:
        found += own_languages.read(_Own.files[language])
    return [entry for entry in found if entry.id and not entry.fuzzy and all(_said(entry))]


def _said(entry: "Message") -> Sequence[str]:
    return entry.string if isinstance(entry.string, (tuple, list)) else [entry.string or ""]
