"""Compare names: loosely by a search key, and strictly by a normalized form that decides whether two are the same."""

import unicodedata
from collections.abc import Iterator
from functools import lru_cache

RULE = f"2/{unicodedata.unidata_version}"
"""The version of search_key(). Raise the number with every change, so that stored search keys are rebuilt."""

PLAIN = str.maketrans({"ł": "l", "đ": "d", "ð": "d", "ø": "o", "ı": "i", "æ": "ae", "œ": "oe", "þ": "th"})
"""Letters that Unicode doesn't decompose into a plain letter and a mark."""

POINTED = frozenset({"ARABIC", "HEBREW"})
"""Scripts whose marks are points that most people don't type."""
FORGIVING = frozenset({"LATIN", "GREEK", "CYRILLIC"}) | POINTED
"""Scripts whose marks a search ignores. In all other scripts, a mark is part of its letter."""
JOINERS = "\u200c\u200d"
"""Invisible characters between letters that only change how the letters are drawn."""

LONGEST = 600
"""The size of the column. One character that stands for a whole phrase can take up 18."""


def search_key(text: str) -> str:
    """Return the text in lower case, without accents, and with single spaces: what a search compares.

    Müller and Muller have the same key, so it can't tell whether two people are the same. normalized_name() can.
    NFKD comes first, so that `ﬁ` and full-width letters match too; `ß` becomes `ss`, and `İ` becomes `i`.
    """
    if text.isascii():
        bare = text.lower()
    else:
        decomposed = unicodedata.normalize("NFKD", unicodedata.normalize("NFKD", text).casefold())
        bare = "".join(_letters(decomposed)).translate(PLAIN)
    words = "".join(sign if sign.isalnum() or _is_mark(sign) else " " for sign in bare)
    return " ".join(words.split())[:LONGEST].rstrip()


def normalized_name(name: str) -> str:
    """Return a name for comparing identities: only case, spacing, and Unicode encoding may differ."""
    return " ".join(unicodedata.normalize("NFC", unicodedata.normalize("NFC", name).lower()).split())


def _letters(decomposed: str) -> Iterator[str]:
    """Yield each character together with the marks that are part of it."""
    letter = ""
    for sign in decomposed:
        if _is_mark(sign):
            letter += sign if _is_part(letter[:1], sign) else ""
        elif sign not in JOINERS or not _takes_marks(letter[:1]):
            yield unicodedata.normalize("NFC", letter)
            letter = sign
    yield unicodedata.normalize("NFC", letter)


def _is_mark(sign: str) -> bool:
    return not sign.isascii() and unicodedata.category(sign).startswith("M")


def _is_part(letter: str, mark: str) -> bool:
    """Return whether a mark turns its letter into another one. A variation selector only changes the shape."""
    return _takes_marks(letter) and _script(mark) not in POINTED | {"VARIATION"}


def _takes_marks(letter: str) -> bool:
    return letter.isalpha() and _script(letter) not in FORGIVING


@lru_cache(maxsize=4096)
def _script(sign: str) -> str:
    """Return the first word of a character's name, which is its script, as in LATIN SMALL LETTER A."""
    return unicodedata.name(sign, "").partition(" ")[0]
