"""The catalogs: what each English text is called in another language. English itself is the source and needs none.

A language is a folder of `locales/`, one .po file for each area of the program, or one file of the clinic's own. The
files are compiled when a language is first used (about 30 ms), so nothing has to be built or shipped beside them.
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
    """The clinic's own files that this process uses, by language."""

    files: ClassVar[dict[str, Path]] = {}


def use(folder: Path | None) -> None:
    """From now on this process also has the languages of `folder`, which go before its own.

    Raises SettingsError, in one line, for a file that cannot be used.
    """
    files = own_files(folder)
    if files:
        from service.language import own_languages  # only a clinic with files of its own pays for it

        for file in files.values():
            own_languages.read(file)
    _Own.files = files
    for cached in (catalog, is_translated, offered, names, known):
        cached.cache_clear()


@cache
def offered() -> tuple[str, ...]:
    """The languages somebody may choose, English first."""
    return (*shipped(), *sorted(_Own.files.keys() - set(shipped())))


@cache
def names() -> dict[str, str]:
    """Each of them as its speakers call it."""
    from babel import Locale

    found = {code: Locale.parse(code).get_display_name(code) or code for code in offered()}
    return {code: name[:1].upper() + name[1:] for code, name in found.items()}


@lru_cache(maxsize=256)
def known(code: str) -> str:
    """The language of a code; English, with a line in the log, for one that there is not, or not any more."""
    if code in offered() or code in PSEUDO:
        return code
    log.warning("no such language: English instead", language=code[:20])
    return SOURCE


@cache
def catalog(language: str) -> NullTranslations:
    """The catalog of a language. A language nobody knows has an empty one: its texts are English."""
    if language in PSEUDO:
        return Pseudo()
    files = sorted((LOCALES / language).glob("*.po")) if language in shipped() else []
    if not files and language not in _Own.files:
        return NullTranslations()
    return _compiled(language, files)


@cache
def is_translated(language: str, area: str) -> bool:
    """Whether pages of an area may be shown in a language: half of a page in English is worse than all of it."""
    if language in PSEUDO or language in _Own.files or language.split("_")[0] == SOURCE:
        return True
    return language in shipped() and (LOCALES / language / f"{area}.po").is_file()


def spoken(code: str, area: str) -> str:
    """The language in which somebody who chose `code` is shown what belongs to an area."""
    language = known(code)
    return language if is_translated(language, area) else SOURCE


def _compiled(language: str, files: Sequence[Path]) -> NullTranslations:
    from babel.messages.catalog import Catalog  # only a service that speaks more than English pays for these
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
    """Everything that is translated, the clinic's own entries last."""
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
