"""The catalogs: what each English text is called in another language. English itself is the source and needs none.

A language is a folder of `locales/`, one .po file for each area of the program. The files are compiled when a language
is first used (about 30 ms), so nothing has to be built or shipped beside them.
"""

from functools import cache
from gettext import GNUTranslations, NullTranslations
from io import BytesIO
from pathlib import Path

from service.language.pseudo import PSEUDO, Pseudo

LOCALES = Path(__file__).resolve().parents[1] / "locales"
SOURCE = "en"


@cache
def catalog(language: str) -> NullTranslations:
    """The catalog of a language. A language nobody knows has an empty one: its texts are English."""
    if language in PSEUDO:
        return Pseudo()
    files = sorted((LOCALES / language).glob("*.po"))
    return _compiled(language, files) if files else NullTranslations()


@cache
def is_translated(language: str, area: str) -> bool:
    """Whether pages of an area may be shown in a language: half of a page in English is worse than all of it."""
    if language in PSEUDO or language.split("_")[0] == SOURCE:
        return True
    return (LOCALES / language / f"{area}.po").is_file()


def _compiled(language: str, files: list[Path]) -> NullTranslations:
    from babel.messages.catalog import Catalog  # only a service that speaks more than English pays for these
    from babel.messages.mofile import write_mo
    from babel.messages.pofile import read_po

    whole = Catalog(locale=language)
    for file in files:
        with file.open("rb") as opened:
            for entry in read_po(opened, locale=language):
                if entry.id and not entry.fuzzy:
                    whole.add(entry.id, string=entry.string, context=entry.context)
    compiled = BytesIO()
    write_mo(compiled, whole)
    compiled.seek(0)
    return GNUTranslations(compiled)
