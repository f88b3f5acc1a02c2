"""A clinic's own translations: one `LANG.po` per language, checked before use."""

from pathlib import Path

from babel import Locale, UnknownLocaleError
from babel.messages.catalog import Catalog, Message
from babel.messages.pofile import PoFileError, read_po

from service.config.settings import SettingsError
from service.language.entries import forms, mistake

LARGEST = 8_000_000
"""In bytes: ten times the size of a language."""


def read(file: Path) -> list[Message]:
    """Return the entries of a file. Raises SettingsError with one line if it can't be used."""
    try:
        locale = Locale.parse(file.stem)
    except (UnknownLocaleError, ValueError):
        raise _refused(file, "expected the code of a language for its name, such as fr or pt_BR") from None
    entries = [entry for entry in _parsed(file, locale) if entry.id and not entry.fuzzy]
    for entry in entries:
        for english, said, is_plural in forms(entry):
            if said and (wrong := mistake(english, said, is_plural=is_plural)):
                raise _refused(file, f"{said[:80]!r} {wrong}")
    return entries


def _parsed(file: Path, locale: Locale) -> Catalog:
    try:
        if file.stat().st_size > LARGEST:
            raise _refused(file, "it is larger than any language")
        with file.open("rb") as opened:
            return read_po(opened, locale=locale, ignore_obsolete=True, abort_invalid=True)
    except OSError as error:
        raise _refused(file, f"it cannot be read: {error.strerror}") from None
    except UnicodeDecodeError:
        raise _refused(file, "it is not in UTF-8") from None
    except (PoFileError, ValueError, LookupError) as error:
        raise _refused(file, " ".join(str(error).split())[:200]) from None


def _refused(file: Path, why: str) -> SettingsError:
    return SettingsError(f"clinic.languages_folder: {file.name}: {why}.")
