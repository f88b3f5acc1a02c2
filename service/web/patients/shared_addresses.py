"""The records that bear the same e-mail address: ticked on the form that changes it, named on the page after it."""

from collections.abc import Sequence

import wtforms
from flask import request

from service.domain.patients import shared_addresses
from service.http import context
from service.storage.models import Patient
from service.web.forms import Form


class SharedAddressForm(Form):
    """The fields by which such records are chosen; all of them are, unless someone takes a tick off."""

    asked = wtforms.HiddenField()
    also = wtforms.SelectMultipleField(coerce=int, choices=[], validate_choice=False)

    records: Sequence[Patient] = ()
    """On offer."""

    def offer(self, records: Sequence[Patient]) -> None:
        """Put records on offer, all ticked unless the form was sent with others."""
        self.records = records
        if not self.asked.data:
            self.also.data = [one.id for one in records]

    def chosen(self) -> list[int] | None:
        """The ids of the ticked ones; None where no one was asked."""
        return self.also.data or [] if self.asked.data else None


def changed(email_key: str | None) -> list[str]:
    """The names of the records that the change just before has given the address of this key."""
    asked = {int(number) for number in request.args.getlist("changed") if number.isdecimal() and len(number) < 19}
    found = shared_addresses.bearing(context.reading(), context.actor(), email_key) if asked else []
    return [one.name for one in found if one.id in asked]
