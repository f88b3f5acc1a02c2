"""Find texts in templates that cannot be translated: words outside `{% trans %}` and `_()`."""

import re
from collections.abc import Iterator
from html.parser import HTMLParser

from jinja2 import Environment

SAID = frozenset({"alt", "aria-label", "aria-description", "content", "label", "placeholder", "title"})
"""Attributes that are read out or shown."""
NAMES = frozenset({"Rounds", "CSV", "JSON", "ZIP", "SMS", "QR", "API", "UTC", "OpenAPI"})
"""Words that are the same in every language."""
_MARKUP_BLOCKS = frozenset({"shape", "main_class", "main_attributes"})
"""Blocks of our pages that hold classes and attributes."""
_SILENT = frozenset({"script", "style", "code", "kbd", "pre"})
_GETTEXT = frozenset({"_", "gettext", "ngettext", "pgettext", "npgettext"})
_LEXER = Environment(autoescape=True, extensions=["jinja2.ext.i18n"])
_WORD = re.compile(r"[^\W\d_]{2,}")
_PHRASE = re.compile(r"[A-Z]\w*[a-z](?:\W.*)?|.*(?:[a-z]{2,} ){2}[a-z]{2,}.*", re.DOTALL)
"""What a quoted text in an expression looks like when people read it: a capital first, or three words."""


def find(source: str) -> Iterator[tuple[int, str]]:
    """Line and text of each."""
    parser = _Reader()
    parser.feed(_page(source))
    parser.close()
    yield from ((line, f"not in the catalog: {text!r}") for line, text in parser.found)
    yield from ((line, f"not in the catalog: {text!r}") for line, text in _quoted(source))


def _page(source: str) -> str:
    """The page with everything blanked that is translated or written by Jinja, line by line as it was."""
    page, blanked = [], False
    tokens = list(_LEXER.lex(source))
    for number, (_, kind, text) in enumerate(tokens):
        if kind == "block_begin":
            words = [word for _, kind, word in tokens[number + 1 : number + 5] if kind == "name"]
            begins = words[0] == "trans" or (words[0] == "block" and words[1] in _MARKUP_BLOCKS)
            blanked = begins or (blanked and words[0] not in {"endtrans", "endblock"})
        page.append(text if kind == "data" and not blanked else re.sub(r"[^\n]", " ", text))
    return "".join(page)


def _quoted(source: str) -> Iterator[tuple[int, str]]:
    """Texts in quotes inside `{{ }}` and `{% %}` that no gettext call takes."""
    before, calls = "", list[bool]()
    for line, kind, text in _LEXER.lex(source):
        if kind in {"block_begin", "variable_begin"}:
            calls = []
        elif text == "(":
            calls.append(before in _GETTEXT)
        elif text == ")" and calls:
            calls.pop()
        elif kind == "string" and not any(calls) and _PHRASE.fullmatch(text[1:-1]) and text[1:-1] not in NAMES:
            yield line, text[1:-1]
        before = text if kind != "whitespace" else before


class _Reader(HTMLParser):
    """Gathers what a visitor reads of a page."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.found: list[tuple[int, str]] = []
        self._silent = 0

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        """Look at the attributes that are read out."""
        self._silent += tag in _SILENT
        is_button = tag == "input" and dict(attributes).get("type") in {"submit", "button", "reset"}
        if tag == "meta":
            return
        for name, value in attributes:
            if name in SAID or (name == "value" and is_button):
                self._note(value or "")

    def handle_endtag(self, tag: str) -> None:
        """Leave an element whose content no one reads as a sentence."""
        self._silent -= tag in _SILENT and self._silent > 0

    def handle_data(self, data: str) -> None:
        """Look at a text node."""
        if not self._silent:
            self._note(data)

    def _note(self, text: str) -> None:
        if any(word not in NAMES for word in _WORD.findall(text)):
            above = len(text) - len(text.lstrip())
            self.found.append((self.getpos()[0] + text.count("\n", 0, above), " ".join(text.split())))
