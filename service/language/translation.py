"""The words of screens and messages pass through gettext here; English only for now."""

from gettext import NullTranslations

_catalogue = NullTranslations()


def gettext(message: str) -> str:
    """The message in the language of the service."""
    return _catalogue.gettext(message)


def ngettext(singular: str, plural: str, count: int) -> str:
    """The form of the message that fits the count."""
    return _catalogue.ngettext(singular, plural, count)
