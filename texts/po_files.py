"""Read and write the .po files of `service/locales`: one for each language and area."""

from functools import cache
from io import BytesIO
from pathlib import Path

from babel.messages.catalog import Catalog, Message
from babel.messages.pofile import read_po, write_po

from service.language.catalogs import LOCALES
from texts.extraction import areas, extracted

VARIANTS = frozenset({"en_GB"})
"""Languages whose files name only what differs from the English of the source."""


def languages() -> list[str]:
    """The languages there is a folder for."""
    return sorted(folder.name for folder in LOCALES.iterdir() if folder.is_dir())


def path_of(language: str, area: str) -> Path:
    """Where the entries of an area stand."""
    return LOCALES / language / f"{area}.po"


def translated_areas(language: str) -> list[str]:
    """The areas that a language has a file for."""
    return [area for area in areas() if path_of(language, area).is_file()]


@cache
def entries(language: str, area: str) -> Catalog:
    """What stands in the file of an area; nothing where there is none."""
    file = path_of(language, area)
    if not file.is_file():
        return Catalog(locale=language)
    with file.open("rb") as opened:
        return read_po(opened, locale=language, ignore_obsolete=True)


def update(language: str, area: str) -> list[str]:
    """Bring the file of an area to the texts of today, and return the texts that still need a translation.

    A translation that any area already has is taken over. What the program no longer says is dropped.
    """
    fresh, missing = Catalog(locale=language), []
    for message in extracted(area):
        if not message.id:
            continue
        known = _known(language, area, message)
        if language in VARIANTS and (known is None or not is_whole(known)):
            continue
        fresh.add(
            message.id,
            string=known.string if known else None,
            locations=message.locations,
            flags=known.flags if known else (),
            auto_comments=message.auto_comments,
            user_comments=known.user_comments if known else (),
            context=message.context,
        )
        if known is None or not is_whole(known):
            missing.append(message.id if isinstance(message.id, str) else message.id[0])
    _write(fresh, language, path_of(language, area))
    return missing


def is_whole(message: Message) -> bool:
    """Whether every form of the message has a translation that someone has looked at."""
    forms = message.string if isinstance(message.string, (tuple, list)) else (message.string,)
    return all(forms) and not message.fuzzy


def _known(language: str, area: str, message: Message) -> Message | None:
    for one in (area, *(other for other in areas() if other != area)):
        found = entries(language, one).get(message.id, message.context)
        if found is not None and isinstance(found.id, str) == isinstance(message.id, str) and is_whole(found):
            return found
    return entries(language, area).get(message.id, message.context)


def _write(catalog: Catalog, language: str, file: Path) -> None:
    if not len(catalog):
        file.unlink(missing_ok=True)
        return
    body = BytesIO()
    write_po(body, catalog, width=0, omit_header=True, sort_by_file=True, include_lineno=False)
    header = (
        'msgid ""\nmsgstr ""\n'
        f'"Language: {language}\\n"\n'
        '"MIME-Version: 1.0\\n"\n"Content-Type: text/plain; charset=utf-8\\n"\n"Content-Transfer-Encoding: 8bit\\n"\n'
        f'"Plural-Forms: {catalog.plural_forms}\\n"\n\n'
    )
    file.parent.mkdir(exist_ok=True)
    file.write_bytes(header.encode() + body.getvalue())
