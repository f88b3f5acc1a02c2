"""The default patient of a request without one: the only patient the user is a guardian of."""

from service.domain.foundation.actor import Actor
from service.domain.foundation.errors import Invalid
from service.language.translation import gettext as _


def patient_meant(actor: Actor, patient_id: int | None) -> int:
    """Return the given patient, or the only one the user is a guardian of. Raises Invalid if there are several."""
    if patient_id is not None:
        return patient_id
    if len(actor.patient_ids) != 1:
        raise Invalid(_("Name the patient in patient_id."), "patient_id")
    return next(iter(actor.patient_ids))
