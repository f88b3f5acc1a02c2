"""The errors that WTForms raises itself, in our words and in the reader's language."""

from collections.abc import Mapping

from service.language.translation import lazy_gettext as _l

WORDS: Mapping[str, str] = {
    "This field is required.": _l("Enter a value."),
    "Not a valid integer value.": _l("Enter a whole number."),
    "Not a valid decimal value.": _l("Enter a number."),
    "Not a valid float value.": _l("Enter a number."),
    "Number must be between %(min)s and %(max)s.": _l("Enter a number from %(min)s to %(max)s."),
    "Number must be at least %(min)s.": _l("Enter %(min)s or more."),
    "Number must be at most %(max)s.": _l("Enter %(max)s or less."),
    "Not a valid datetime value.": _l("Enter a valid date and time."),
    "Not a valid date value.": _l("Enter a valid date."),
    "Not a valid time value.": _l("Enter a valid time."),
    "Not a valid choice.": _l("Choose one of the options in the list."),
    "'%(value)s' is not a valid choice for this field.": _l("Choose only options in the list."),
    "Invalid Choice: could not coerce.": _l("Choose one of the options in the list."),
    "Invalid choice(s): one or more data inputs could not be coerced.": _l("Choose only options in the list."),
    "Invalid value, must be one of: %(values)s.": _l("Choose one of the options in the list."),
    "Invalid input.": _l("Enter a valid value."),
    "Invalid email address.": _l("Enter a valid e-mail address."),
}
"""What WTForms says, and what we say instead: for the fields and validators that forms use, or are likely to."""


class FormErrors:
    """The translations object that WTForms asks for its texts."""

    def gettext(self, text: str) -> str:
        """Return our wording of a text, or the text itself, such as the name of a field without a label."""
        return str(WORDS.get(text, text))

    def ngettext(self, singular: str, plural: str, count: int) -> str:
        """Return the same: our wording fits every count."""
        return self.gettext(singular)
