"""What all forms share: unknown fields are refused, WTForms' own errors are in our words, and a stranger's form
repeats only so much.
"""

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar, cast

import wtforms
from flask import request
from werkzeug.datastructures import MultiDict
from wtforms.meta import DefaultMeta
from wtforms.validators import InputRequired, Length

from service.domain.foundation.errors import Invalid
from service.http import context
from service.language.translation import gettext as _
from service.language.translation import lazy_gettext as _l
from service.web.form_errors import FormErrors

ROOM = 10_000
"""The least number of characters that a refused form repeats of a field."""
TIMES = 4
"""How many times a field's maximum length a refused form repeats, so that anyone who typed too much can shorten it."""


class FormRules(DefaultMeta):
    """How WTForms reads our forms and words its errors."""

    def get_translations(self, form: Any) -> FormErrors:
        """Return the wording of the errors that WTForms raises itself."""
        return FormErrors()

    def wrap_formdata(self, form: Any, formdata: Any) -> Any:
        """Return the posted fields, cut to what may come back to someone who isn't signed in.

        A cut value is still longer than its field allows.
        """
        given = super().wrap_formdata(form, formdata)
        if not given or context.is_found():
            return given
        most = {field.name: most_of(field) for field in form}
        cut = [(name, value[: most.get(name, ROOM)]) for name in given for value in given.getlist(name)]
        return MultiDict(cut)


class Form(wtforms.Form):
    """A form that refuses unknown fields and can show the domain's errors beside its fields."""

    Meta = FormRules
    chosen_before: ClassVar[frozenset[str]] = frozenset()
    """Fields without an input on the page. Their errors are shown above the form."""

    def validate(self, extra_validators: Mapping[str, Sequence[Any]] | None = None) -> bool:
        """Return whether every posted field is known and valid."""
        valid = super().validate(extra_validators)
        if any("\0" in value for values in request.form.listvalues() for value in values):
            self.form_errors = [*self.form_errors, _("A field contains a character that can't be stored.")]
            valid = False
        unknown = set(request.form) - {field.name for field in self} - {"csrf_token"}
        if unknown:
            self.form_errors = [*self.form_errors, _("This form was sent with a field it doesn't have.")]
        return valid and not unknown

    def refuse(self, error: Invalid) -> None:
        """Show an error of the domain beside its field, or above the form."""
        field = self._fields.get(error.field or "")
        if field is None or field.name in self.chosen_before:
            self.form_errors = [*self.form_errors, str(error)]
        else:
            field.errors = [*field.errors, str(error)]


def required() -> InputRequired:
    """Return a validator for a field that must not be empty."""
    return InputRequired(_l("Enter a value."))


def at_most(longest: int) -> Length:
    """Return a validator for the maximum number of characters."""
    return Length(max=longest, message=_l("Use at most %(count)s characters.") % {"count": longest})


def most_of(field: wtforms.Field) -> int:
    """Return how many characters of a field a refused form repeats to someone who isn't signed in."""
    return max([ROOM, *(TIMES * cast(Length, one).max for one in field.validators if isinstance(one, Length))])
