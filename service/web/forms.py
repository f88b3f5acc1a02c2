"""What all forms share: WTForms over the posted fields, and no field that the form does not know."""

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

import wtforms
from flask import request
from wtforms.validators import InputRequired, Length

from service.domain.foundation.errors import Invalid
from service.language.translation import gettext as _


class Form(wtforms.Form):
    """A form that refuses unknown fields and can carry the domain's refusals beside the fields."""

    chosen_before: ClassVar[frozenset[str]] = frozenset()
    """Fields without an input of their own on the page: what is wrong with them is said above the form."""

    def validate(self, extra_validators: Mapping[str, Sequence[Any]] | None = None) -> bool:
        """Whether every posted field is known and acceptable."""
        valid = super().validate(extra_validators)
        if any("\0" in value for values in request.form.listvalues() for value in values):
            self.form_errors = [*self.form_errors, _("A field contains a character that can't be stored.")]
            valid = False
        unknown = set(request.form) - {field.name for field in self} - {"csrf_token"}
        if unknown:
            self.form_errors = [*self.form_errors, _("This form was sent with a field it doesn't have.")]
        return valid and not unknown

    def refuse(self, error: Invalid) -> None:
        """Show a domain refusal beside its field, or above the form."""
        field = self._fields.get(error.field or "")
        if field is None or field.name in self.chosen_before:
            self.form_errors = [*self.form_errors, str(error)]
        else:
            field.errors = [*field.errors, str(error)]


def required() -> InputRequired:
    """The field must be filled in."""
    return InputRequired(_("Enter a value."))


def at_most(longest: int) -> Length:
    """A bound on the length of a text."""
    return Length(max=longest, message=_("Use at most %(count)s characters.") % {"count": longest})
