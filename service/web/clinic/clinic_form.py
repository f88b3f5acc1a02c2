"""The form for the clinic itself: where it is, what it is called, and its phone number."""

from collections.abc import Mapping
from typing import Any, ClassVar

import wtforms

from service.config.settings import Settings
from service.domain.foundation import contact_details
from service.domain.foundation.errors import Invalid
from service.language.translation import gettext as _
from service.language.translation import lazy_gettext as _l
from service.web.clinic.place_form import PlaceForm, languages
from service.web.clinic.settings_form import one_line
from service.web.forms import at_most, required

KEEP_LOCAL, KEEP_INSTANT = "local", "instant"


class ClinicForm(PlaceForm):
    name = wtforms.StringField(_l("Clinic name"), [required(), at_most(100)])
    phone = wtforms.StringField(_l("Phone"), [at_most(40)])
    message_language = wtforms.SelectField(_l("Language of messages"))
    appointments = wtforms.RadioField(
        _l("Upcoming appointments, if you change the time zone"), default=KEEP_LOCAL, validate_choice=False
    )
    ahead = 0
    """How many appointments a change of the time zone concerns."""

    KEYS: ClassVar[Mapping[str, str]] = {
        **PlaceForm.KEYS,
        "name": "clinic.name",
        "phone": "clinic.phone",
        "message_language": "clinic.message_language",
    }

    def __init__(self, *args: Any, **more: Any) -> None:
        super().__init__(*args, **more)
        present = (more.get("data") or {}).get("message_language")
        self.message_language.choices = [("", _("Same as the pages")), *languages(present)]
        self.appointments.choices = [
            (KEEP_LOCAL, _("Keep their local time: 10:00 stays 10:00")),
            (KEEP_INSTANT, _("Keep the same moment: 10:00 may become 9:00 in the new zone")),
        ]

    def answers(self, settings: Settings) -> dict[str, Any]:
        found = super().answers(settings)
        for field in ("name", "phone"):
            if f"clinic.{field}" in found:
                found[f"clinic.{field}"] = one_line(found[f"clinic.{field}"], field)
        if found.get("clinic.name") == "":
            raise Invalid(_("Enter a value."), "name")
        if found.get("clinic.phone"):
            contact_details.checked_phone(found["clinic.phone"], found.get("clinic.country", settings.clinic.country))
        return found
