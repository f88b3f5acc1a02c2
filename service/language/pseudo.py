"""A made-up language for tests: every translated text has accents and brackets and is 40 % longer.

A page shown in it gives away a text that is in no catalog, and a layout that only fits English. `en_XA` is written from
left to right, `ar_XB` from right to left.
"""

import re
from gettext import NullTranslations

_ACCENTS = str.maketrans("aceghijlnorsuyzACEGHIJLNORSUYZ", "àçéĝĥîĵļñöŕšûýžÀÇÉĜĤÎĴĻÑÖŔŠÛÝŽ")
_KEPT = re.compile(r"(%\(\w+\)[sd]|%%|\{\w+\}|<[^>]+>|&#?\w+;)")
"""What has to stay as it is: placeholders, tags and character references."""


class Pseudo(NullTranslations):
    """A catalog that makes its entries up."""

    def gettext(self, message: str) -> str:
        """The message, disfigured."""
        return disfigured(message)

    def ngettext(self, msgid1: str, msgid2: str, n: int) -> str:
        """The English form that fits the count, disfigured."""
        return disfigured(msgid1 if n == 1 else msgid2)

    def pgettext(self, context: str, message: str) -> str:
        """The message, disfigured, whatever its context."""
        return disfigured(message)

    def npgettext(self, context: str, msgid1: str, msgid2: str, n: int) -> str:
        """The form that fits the count, disfigured, whatever its context."""
        return disfigured(msgid1 if n == 1 else msgid2)


def disfigured(text: str) -> str:
    """`Save` → `[Šàvé ··]`: readable, longer, and nothing anyone would have typed."""
    if not text.strip():
        return text
    parts = _KEPT.split(text)
    accented = "".join(part if number % 2 else part.translate(_ACCENTS) for number, part in enumerate(parts))
    return f"[{accented} {'·' * max(1, len(text) * 2 // 5 - 3)}]"
