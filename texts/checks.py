"""What is wrong with the texts, one line each. An area without German entries is not done yet and is not checked."""

import re
from collections.abc import Iterator

from babel.messages.catalog import Message

from service.language.entries import forms, mistake
from texts import bare_python, bare_templates
from texts.extraction import ROOT, SERVICE, extracted, files_of
from texts.po_files import VARIANTS, entries, is_whole, languages, path_of, translated_areas

AMERICAN = re.compile(r"\b(?:cancel(?:ed|ing)|colors?|center|favorite|gray|license|behavior)\b", re.IGNORECASE)
"""Words that are spelled differently in Britain."""
FULL = "de"
"""The language whose files say which areas are done."""
GIVES_THEM = SERVICE / "language" / "translation.py"
"""Makes the functions that take texts: there a text is an argument, and never written out."""


def problems() -> list[str]:
    """Everything that is wrong."""
    return [
        problem
        for area in translated_areas(FULL)
        for check in (_untranslated, _american, _mistaken, _unmarked)
        for problem in check(area)
    ] + list(_said_twice())


def _untranslated(area: str) -> Iterator[str]:
    """Texts without a translation, and entries of texts that the program no longer has."""
    wanted = extracted(area)
    for language in languages():
        found = entries(language, area)
        where = path_of(language, area).relative_to(ROOT)
        for message in filter(_is_entry, wanted):
            held = found.get(message.id, message.context)
            if language not in VARIANTS and (held is None or not is_whole(held)):
                yield f"{where}: missing or fuzzy: {_english(message)!r}. Run `make texts`, then translate it."
        for message in filter(_is_entry, found):
            if wanted.get(message.id, message.context) is None:
                yield f"{where}: the program has no such text: {_english(message)!r}. Run `make texts`."


def _american(area: str) -> Iterator[str]:
    """Texts whose spelling is American and that have no British entry."""
    british = entries("en_GB", area)
    for message in filter(_is_entry, extracted(area)):
        if AMERICAN.search(_english(message)) and british.get(message.id, message.context) is None:
            yield f"{path_of('en_GB', area).relative_to(ROOT)}: no British spelling of {_english(message)!r}."


def _mistaken(area: str) -> Iterator[str]:
    """Translations whose placeholders or tags are not those of the English text."""
    for language in languages():
        for message in filter(_is_entry, entries(language, area)):
            for english, said, is_plural in forms(message):
                if said and (wrong := mistake(english, said, is_plural=is_plural)):
                    yield f"{path_of(language, area).relative_to(ROOT)}: {said!r} {wrong}."


def _unmarked(area: str) -> Iterator[str]:
    """Texts in the code that no catalog knows."""
    for file in files_of(area):
        if file == GIVES_THEM or file.suffix == ".txt":
            continue
        find = bare_templates.find if file.suffix == ".html" else bare_python.find
        for line, text in find(file.read_text("utf-8")):
            yield f"{file.relative_to(ROOT)}:{line}: {text}"


def _said_twice() -> Iterator[str]:
    """Texts that two areas translate differently."""
    for language in languages():
        seen: dict[tuple[object, ...], tuple[str, object]] = {}
        for area in translated_areas(language):
            for message in filter(_is_entry, entries(language, area)):
                first = seen.setdefault((message.id, message.context), (area, message.string))
                if first[1] != message.string:
                    yield f"{language}: {first[0]} and {area} translate {_english(message)!r} differently."


def _is_entry(message: Message) -> bool:
    """Whether it is more than the header of its file."""
    return bool(message.id)


def _english(message: Message) -> str:
    return message.id if isinstance(message.id, str) else message.id[0]
