"""What every free text that someone types has to be before it is stored."""

from service.domain.foundation.errors import Invalid
from service.language.translation import gettext as _


def checked(text: str, field: str, longest: int) -> str:
    """The text with LF line breaks and no blanks around it. Raises Invalid when it is too long or cannot be stored."""
    value = text.replace("\r\n", "\n").replace("\r", "\n").strip()
    if len(value) > longest:
        raise Invalid(_("Use at most %(count)s characters.") % {"count": longest}, field)
    if "\0" in value or any("\ud800" <= letter <= "\udfff" for letter in value):
        raise Invalid(_("This text contains a character that can't be stored."), field)
    return value
