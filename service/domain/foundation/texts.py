"""Checks for all text that people type."""

from service.domain.foundation.errors import Invalid
from service.language.translation import gettext as _


def checked(text: str, field: str, longest: int) -> str:
    """Return the text with LF line breaks, stripped. Raises Invalid if it's too long or can't be stored."""
    value = text.replace("\r\n", "\n").replace("\r", "\n").strip()
    if len(value) > longest:
        raise Invalid(_("Use at most %(count)s characters.") % {"count": longest}, field)
    if "\0" in value or any("\ud800" <= letter <= "\udfff" for letter in value):
        raise Invalid(_("This text contains a character that can't be stored."), field)
    return value
