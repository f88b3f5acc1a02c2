"""How names are compared: generously for a search, and closely for saying that two are the same name."""

import unicodedata
from collections.abc import Iterator
from functools import lru_cache

RULE = f"2/{unicodedata.unidata_version}"
"""Which rule fold() follows; the number changes with the rule, so that stored search texts are written again."""

PLAIN = str.maketrans({"ł": "l", "đ": "d", "ð": "d", "ø": "o", "ı": "i", "æ": "ae", "œ": "oe", "þ": "th"})
"""Letters that Unicode does not take apart into a plain letter and a mark."""

POINTED = frozenset({"ARABIC", "HEBREW"})
"""Scripts whose marks are points that most people leave out."""
FORGIVING = frozenset({"LATIN", "GREEK", "CYRILLIC"}) | POINTED
"""Scripts that are searched without marks; everywhere else a mark is part of its letter."""
JOINERS = "\u200c\u200d"
"""Signs between letters that no one sees: they only change how the letters are drawn."""

LONGEST = 600
"""What a column keeps; a letter that stands for a whole phrase takes up to 18."""


def fold(text: str) -> str:
    """The text in lower case without accents, words separated by one blank: what a search compares.

    Generous: Müller and Muller fold alike, so it never tells that two people are one; closely() does.
    NFKD first, so that `ﬁ` and full-width letters fold as well; `ß` becomes `ss`, `İ` an `i`.
    """
    if text.isascii():
        bare = text.lower()
    else:
        decomposed = unicodedata.normalize("NFKD", unicodedata.normalize("NFKD", text).casefold())
        bare = "".join(_letters(decomposed)).translate(PLAIN)
    words = "".join(sign if sign.isalnum() or _is_mark(sign) else " " for sign in bare)
    return " ".join(words.split())[:LONGEST].rstrip()


def closely(name: str) -> str:
    """A name as it is compared to say that two are the same: only case, spacing and encoding may differ."""
    return " ".join(unicodedata.normalize("NFC", unicodedata.normalize("NFC", name).lower()).split())


def _letters(decomposed: str) -> Iterator[str]:
    """Each sign together with the marks that are part of it."""
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
    """Whether a mark makes another letter of the one before it; a variation selector only makes another shape."""
    return _takes_marks(letter) and _script(mark) not in POINTED | {"VARIATION"}


def _takes_marks(letter: str) -> bool:
    return letter.isalpha() and _script(letter) not in FORGIVING


@lru_cache(maxsize=4096)
def _script(sign: str) -> str:
    """The first word of a sign's name, which is its script's: LATIN SMALL LETTER A."""
    return unicodedata.name(sign, "").partition(" ")[0]
