"""The text of a page or message in the language of the moment: its catalog entry, or English where there is none.

The language is chosen per request, per recipient of a message and per report with `speaking`; whatever chooses none
(commands, jobs, logs, the audit) speaks English.
"""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Self

from service.language.catalogs import SOURCE, catalog

_language: ContextVar[str] = ContextVar("language", default=SOURCE)


def language() -> str:
    """The language of the moment."""
    return _language.get()


@contextmanager
def speaking(language: str) -> Iterator[None]:
    """Within the block, texts are in this language. An unknown one is English."""
    before = _language.set(language)
    try:
        yield
    finally:
        _language.reset(before)


def gettext(message: str) -> str:
    """The message in the language of the moment."""
    return catalog(_language.get()).gettext(message)


def ngettext(singular: str, plural: str, count: int) -> str:
    """The form of the message that fits the count."""
    return catalog(_language.get()).ngettext(singular, plural, count)


def pgettext(context: str, message: str) -> str:
    """The message where one English word has several meanings; the context tells them apart."""
    return catalog(_language.get()).pgettext(context, message)


def npgettext(context: str, singular: str, plural: str, count: int) -> str:
    """Both: the form that fits the count, of the meaning that fits the context."""
    return catalog(_language.get()).npgettext(context, singular, plural, count)


class LazyText(str):
    """A text made when a module is imported, which no language has been chosen for yet.

    It is translated each time it is shown: by `str()`, in an f-string, in a template. Compared, stored or used as a
    key it is its English text.
    """

    _translated: Callable[[], str]

    def __new__(cls, english: str, translated: Callable[[], str]) -> Self:
        """A text that `translated` says in the language of the moment."""
        text = super().__new__(cls, english)
        text._translated = translated
        return text

    def __str__(self) -> str:
        return self._translated()

    def __format__(self, spec: str) -> str:
        return format(self._translated(), spec)

    def __mod__(self, values: Mapping[str, object]) -> "LazyText":
        return LazyText(super().__mod__(values), lambda: self._translated() % values)

    def __add__(self, other: str) -> str:
        return self._translated() + other

    def __radd__(self, other: str) -> str:
        return other + self._translated()

    def __reduce__(self) -> tuple[type[str], tuple[str]]:
        return str, (super().__str__(),)


def lazy_gettext(message: str) -> LazyText:
    """Like gettext, for a text made at import."""
    return LazyText(message, lambda: gettext(message))


def lazy_pgettext(context: str, message: str) -> LazyText:
    """Like pgettext, for a text made at import."""
    return LazyText(message, lambda: pgettext(context, message))
