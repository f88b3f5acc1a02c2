"""The records that share an e-mail address: checkboxes on the form that changes it, names on the page after that."""

from collections.abc import Sequence

import wtforms
from flask import request

from service.domain.patients import shared_email
from service.http import context
from service.storage.models import Patient
from service.web.forms import Form


class SharedEmailForm(Form):
    """The fields that choose such records. All of them are checked at first."""

    asked = wtforms.HiddenField()
    also = wtforms.SelectMultipleField(coerce=int, choices=[], validate_choice=False)

    records: Sequence[Patient] = ()
    """The choices."""

    def offer(self, records: Sequence[Patient]) -> None:
        """Offer records, all of them checked unless the form was submitted with others."""
        self.records = records
        if not self.asked.data:
            self.also.data = [one.id for one in records]

    def chosen(self) -> list[int] | None:
        """Return the ids of the checked records, or None if the form didn't ask."""
        return self.also.data or [] if self.asked.data else None


def changed(email_key: str | None) -> list[str]:
    """Return the names of the records that the change just before this page gave the address with this `email_key`."""
    asked = {int(number) for number in request.args.getlist("changed") if number.isdecimal() and len(number) < 19}
    found = shared_email.sharing(context.reading(), context.actor(), email_key) if asked else []
    return [one.name for one in found if one.id in asked]
