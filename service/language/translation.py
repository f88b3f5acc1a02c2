"""Translate texts to the current language. Texts without a translation are in English.

The language is set with `speaking` for each request, recipient of a message, and report. Without it (in commands, jobs,
logs, and the audit log), texts are in English.
"""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Self

from service.language.catalogs import SOURCE, catalog

_language: ContextVar[str] = ContextVar("language", default=SOURCE)


def language() -> str:
    """Return the current language."""
    return _language.get()


@contextmanager
def speaking(language: str) -> Iterator[None]:
    """Use a language within the block. Texts of an unknown one are in English."""
    before = _language.set(language)
    try:
        yield
    finally:
        _language.reset(before)


def gettext(message: str) -> str:
    """Translate a message."""
    return catalog(_language.get()).gettext(message)


def ngettext(singular: str, plural: str, count: int) -> str:
    """Translate a message, using the plural form for the count."""
    return catalog(_language.get()).ngettext(singular, plural, count)


def pgettext(context: str, message: str) -> str:
    """Translate an English text that has several meanings; the context tells them apart."""
    return catalog(_language.get()).pgettext(context, message)


def npgettext(context: str, singular: str, plural: str, count: int) -> str:
    """Translate a text with a context, using the plural form for the count."""
    return catalog(_language.get()).npgettext(context, singular, plural, count)


class LazyText(str):
    """A text that is created at import, before a language is set.

    It's translated each time it's shown: by `str()`, in an f-string, or in a template. When it's compared, stored, or
    used as a key, it's the English text.
    """

    _translated: Callable[[], str]

    def __new__(cls, english: str, translated: Callable[[], str]) -> Self:
        """Create a text that `translated` translates to the current language."""
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
    """Like gettext, for a text created at import."""
    return LazyText(message, lambda: gettext(message))


def lazy_pgettext(context: str, message: str) -> LazyText:
    """Like pgettext, for a text created at import."""
    return LazyText(message, lambda: pgettext(context, message))
