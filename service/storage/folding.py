"""How a name is folded for searching: the same for every script, case and accent."""

import unicodedata

PLAIN = str.maketrans({"ł": "l", "đ": "d", "ð": "d", "ø": "o", "ı": "i", "æ": "ae", "œ": "oe", "þ": "th"})
"""Letters that Unicode does not take apart into a plain letter and a mark."""

LONGEST = 600
"""What a column keeps; a letter that stands for a whole phrase takes up to 18."""


def fold(text: str) -> str:
    """The text in lower case without marks, words apart by one blank: what a search compares.

    NFKD first, so that `ﬁ` and full-width letters fold as well; `ß` becomes `ss`, `İ` an `i`.
    """
    decomposed = unicodedata.normalize("NFKD", unicodedata.normalize("NFKD", text).casefold())
    bare = "".join(letter for letter in decomposed if not unicodedata.combining(letter)).translate(PLAIN)
    words = "".join(letter if letter.isalnum() else " " for letter in bare)
    return " ".join(words.split())[:LONGEST].rstrip()
