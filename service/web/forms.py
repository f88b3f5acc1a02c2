"""What all forms share: WTForms over the posted fields, no field that the form does not know, and a bound on what a
stranger's form repeats.
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

ROOM = 10_000
"""Characters that come back in any field, however short what it allows."""
TIMES = 4
"""How many times what a field allows comes back: anyone who typed too much can shorten it."""


class Bounded(DefaultMeta):
    """Takes no more of a stranger's values than come back if the form is refused."""

    def wrap_formdata(self, form: Any, formdata: Any) -> Any:
        """The posted fields; those too long for a stranger are cut, and still longer than their fields allow."""
        given = super().wrap_formdata(form, formdata)
        if not given or context.is_found():
            return given
        most = {field.name: most_of(field) for field in form}
        cut = [(name, value[: most.get(name, ROOM)]) for name in given for value in given.getlist(name)]
        return MultiDict(cut)


class Form(wtforms.Form):
    """A form that refuses unknown fields and can carry the domain's refusals beside the fields."""

    Meta = Bounded
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


def most_of(field: wtforms.Field) -> int:
    """How many characters of a field come back to a stranger."""
    return max([ROOM, *(TIMES * cast(Length, one).max for one in field.validators if isinstance(one, Length))])
