"""The words of messages: a template for each rule and language, ours or the clinic's own copy of it."""

import re
from collections.abc import Collection, Mapping
from functools import cache
from pathlib import Path

from service.config.languages import Language
from service.config.settings import SettingsError
from service.language.languages import LANGUAGES
from service.language.rendering import TEMPLATES, one_line

OURS = TEMPLATES / "messages"
_VARIABLE = re.compile(r"\{(\w+)\}")


class _Folders:
    """Where this process looks for templates, the clinic's own ones first."""

    own: Path | None = None


def use(folder: Path | None, variables: Mapping[str, frozenset[str]]) -> None:
    """From now on this process takes texts from `folder` (`<language>/<rule>.txt`) where it has them.

    `variables`: what each rule's template may name. Raises SettingsError, in one line, for a file that cannot be used.
    """
    if folder is not None:
        if not folder.is_dir():
            raise SettingsError(f"messages.templates: there is no folder {folder}.")
        for file in sorted(folder.rglob("*.txt")):
            _check(file, file.relative_to(folder), variables)
    _text.cache_clear()
    _Folders.own = folder


def check_ours(templates: Collection[str]) -> None:
    """Raises SettingsError, in one line, for a language that lacks one of these templates, or something else."""
    for language in Language:
        if language not in LANGUAGES:
            raise SettingsError(f"The language {language} is not in the table of languages.")
        for template in templates:
            if not (OURS / language / f"{template}.txt").is_file():
                raise SettingsError(f"The language {language} has no message text {template}.txt.")


def fill(template: str, language: str, values: Mapping[str, str]) -> tuple[str, str]:
    """Subject and body of a message: the first line and the rest of `<language>/<template>.txt`.

    `{name}` becomes the value as it is; a value is never a template itself. KeyError for an unknown name.
    """
    filled = _VARIABLE.sub(lambda found: values[found[1]], _text(_Folders.own, language, template))
    filled = filled.replace("\u202f", " ").replace("\xa0", " ")  # formats have them, an SMS would be sent as UCS-2
    subject, _, body = filled.partition("\n")
    return one_line(subject), body.strip() + "\n"


def fill_links(text: str, links: Mapping[str, str]) -> str:
    """A text that somebody wrote by hand, with only its links filled in."""
    return _VARIABLE.sub(lambda found: links.get(found[1], found[0]), text)


@cache
def _text(own: Path | None, language: str, template: str) -> str:
    folders = [own, OURS] if own is not None else [OURS]
    found = (folder / language / f"{template}.txt" for folder in folders)
    return next((file for file in found if file.is_file()), OURS / language / f"{template}.txt").read_text("utf-8-sig")


def _check(file: Path, name: Path, variables: Mapping[str, frozenset[str]]) -> None:
    rule = name.name.removesuffix(".txt").removesuffix(".sms")
    if len(name.parts) != 2 or name.parts[0] not in set(Language) or rule not in variables:
        raise SettingsError(
            f"messages.templates: {name.as_posix()} is no text of Rounds: "
            f"expected <language>/<rule>.txt, of {', '.join(Language)} and {', '.join(variables)}."
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
