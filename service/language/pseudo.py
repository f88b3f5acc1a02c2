"""Pseudo-languages for tests: every translated text has accents and brackets, and is 40% longer.

They reveal texts that are in no catalog, and layouts that only fit English. `en_XA` is written from left to right,
`ar_XB` from right to left.
"""

import re
from gettext import NullTranslations

_ACCENTS = str.maketrans("aceghijlnorsuyzACEGHIJLNORSUYZ", "àçéĝĥîĵļñöŕšûýžÀÇÉĜĤÎĴĻÑÖŔŠÛÝŽ")
_KEPT = re.compile(r"(%\(\w+\)[sd]|%%|\{\w+\}|<[^>]+>|&#?\w+;)")
"""What must stay unchanged: placeholders, tags, and character references."""


class Pseudo(NullTranslations):
    """A catalog that generates its entries."""

    def gettext(self, message: str) -> str:
        """Return the pseudo-translation of a message."""
        return pseudo_translated(message)

    def ngettext(self, msgid1: str, msgid2: str, n: int) -> str:
        """Return the pseudo-translation of the plural form for the count."""
        return pseudo_translated(msgid1 if n == 1 else msgid2)

    def pgettext(self, context: str, message: str) -> str:
        """Return the pseudo-translation of a message, ignoring its context."""
        return pseudo_translated(message)

    def npgettext(self, context: str, msgid1: str, msgid2: str, n: int) -> str:
        """Return the pseudo-translation of the plural form for the count, ignoring the context."""
        return pseudo_translated(msgid1 if n == 1 else msgid2)


def pseudo_translated(text: str) -> str:
    """Return `[Šàvé ··]` for `Save`: readable, longer, and easy to spot."""
    if not text.strip():
        return text
    parts = _KEPT.split(text)
    accented = "".join(part if number % 2 else part.translate(_ACCENTS) for number, part in enumerate(parts))
    return f"[{accented} {'·' * max(1, len(text) * 2 // 5 - 3)}]"
