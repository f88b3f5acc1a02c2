"""Check translations: their placeholders and tags must be those of the English text."""

import re
from collections import Counter
from collections.abc import Iterator

from babel.messages.catalog import Message

_PLACEHOLDER = re.compile(r"%\(\w+\)[a-z]|%%|%|\{\w+\}")
_TAG = re.compile(r"<[^>]*>|[<>]")


def mistake(english: str, translation: str, *, is_plural: bool = False) -> str | None:
    """Return what is wrong with a translation, as the end of a sentence; None if nothing is.

    `is_plural`: it's one of several plural forms, which may leave out the number.
    """
    wanted, found = Counter(_PLACEHOLDER.findall(english)), Counter(_PLACEHOLDER.findall(translation))
    if strange := sorted(set(found) - set(wanted) if is_plural else found - wanted):
        return f"has {strange[0]}, which the English text does not"
    if not is_plural and (lacking := sorted(wanted - found)):
        return f"lacks {lacking[0]}"
    if Counter(_TAG.findall(english)) != Counter(_TAG.findall(translation)):
        return "has other tags than the English text"
    if '"' in _TAG.sub("", translation):
        return 'has a straight quotation mark ("), which would end an attribute: use typographic ones'
    return None


def forms(message: Message) -> Iterator[tuple[str, str, bool]]:
    """Yield each form of a translation with its English text, and whether it's one of several plural forms."""
    if isinstance(message.id, str):
        yield message.id, str(message.string or ""), False
        return
    for said in message.string or ():
        yield message.id[1], said, True
