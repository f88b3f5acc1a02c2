"""The texts of messages: one English text per rule, its translations, and the clinic's own versions."""

import re
from collections.abc import Collection, Mapping
from functools import cache
from pathlib import Path

from service.config.settings import SettingsError
from service.language import catalogs
from service.language.rendering import TEMPLATES, one_line

OURS = TEMPLATES / "messages" / catalogs.SOURCE
"""The English texts: the subject, then the body."""
CONTEXT = "message {}"
"""The context of a template's text in the catalogs."""
_VARIABLE = re.compile(r"\{(\w+)\}")


class _Folders:
    """The clinic's own templates in use."""

    own: Path | None = None


def use(folder: Path | None, variables: Mapping[str, frozenset[str]]) -> None:
    """Use the texts in `folder` (`<language>/<rule>.txt`) where they exist.

    `variables`: the placeholders that each rule's template may use. Raises SettingsError with one line for a file
    that can't be used.
    """
    if folder is not None:
        if not folder.is_dir():
            raise SettingsError(f"messages.templates: there is no folder {folder}.")
        for file in sorted(folder.rglob("*.txt")):
            _check(file, file.relative_to(folder), variables)
    _text.cache_clear()
    _Folders.own = folder


def check_ours(templates: Collection[str]) -> None:
    """Raise SettingsError with one line if one of these templates has no text."""
    for template in templates:
        if not (OURS / f"{template}.txt").is_file():
            raise SettingsError(f"There is no message text {template}.txt.")


def fill(template: str, language: str, values: Mapping[str, str]) -> tuple[str, str]:
    """Return the subject and body of a message: the first line and the rest of a template in a language.

    `{name}` is replaced with its value; values are not templates themselves. Raises KeyError for an unknown name.
    """
    filled = _VARIABLE.sub(lambda found: values[found[1]], _text(_Folders.own, language, template))
    filled = filled.replace("\u202f", " ").replace(
        "\xa0", " "
    )  # CLDR formats contain them, and an SMS would be sent as UCS-2
    subject, _, body = filled.partition("\n")
    return one_line(subject), body.strip() + "\n"


def fill_links(text: str, links: Mapping[str, str]) -> str:
    """Fill in only the links of a text that someone has edited."""
    return _VARIABLE.sub(lambda found: links.get(found[1], found[0]), text)


@cache
def _text(own: Path | None, language: str, template: str) -> str:
    spoken = (language, language.partition("_")[0])
    for file in (own / code / f"{template}.txt" for code in spoken) if own is not None else ():
        if file.is_file():
            return file.read_text("utf-8-sig")
    english = (OURS / f"{template}.txt").read_text("utf-8")
    return catalogs.catalog(language).pgettext(CONTEXT.format(template), english)


def _check(file: Path, name: Path, variables: Mapping[str, frozenset[str]]) -> None:
    rule = name.name.removesuffix(".txt").removesuffix(".sms")
    if len(name.parts) != 2 or name.parts[0] not in catalogs.offered() or rule not in variables:
        raise SettingsError(
            f"messages.templates: {name.as_posix()} is no text of Rounds: "
            f"expected <language>/<rule>.txt, of {', '.join(catalogs.offered())} and {', '.join(variables)}."
        )
    try:
        text = file.read_text("utf-8-sig")
    except UnicodeDecodeError:
        raise SettingsError(f"messages.templates: {name.as_posix()} is not in UTF-8.") from None
    except OSError as error:
        raise SettingsError(f"messages.templates: {name.as_posix()} cannot be read: {error.strerror}.") from None
    if not text.partition("\n")[0].strip():
        raise SettingsError(f"messages.templates: {name.as_posix()}: its first line, the subject, is missing.")
    unknown = sorted(set(_VARIABLE.findall(text)) - variables[rule])
    if unknown:
        known = ", ".join(f"{{{one}}}" for one in sorted(variables[rule]))
        raise SettingsError(f"messages.templates: {name.as_posix()}: no variable {{{unknown[0]}}}; there are {known}.")
