"""The pages of this area, and who can open them."""

from service.domain.foundation.actor import Role
from service.http.access import ANYONE, DESK, STAFF, only
from service.web.patients import addresses, consent, contact_links, emergency_access, merging, patient_forms, patients

BLUEPRINTS = tuple(
    page.blueprint for page in (addresses, consent, contact_links, emergency_access, merging, patient_forms, patients)
)
ACCESS = {
    "patients.index": STAFF,
    "patients.record": STAFF,
    "patients.archive": DESK,
    "patients.restore": DESK,
    "patients.confirm": DESK,
    "patients.note_print": only(Role.DOCTOR),
    "patient_forms.new": DESK,
    "patient_forms.create": DESK,
    "patient_forms.edit": STAFF,
    "patient_forms.save": STAFF,
    "patient_forms.save_alerts": only(Role.DOCTOR),
    "addresses.index": DESK,
    "addresses.settle_patient": DESK,
    "addresses.settle_account": only(Role.ADMIN),
    "merging.choose": DESK,
    "merging.merge": DESK,
    "contact_links.show": ANYONE,
    "contact_links.save": ANYONE,
    "contact_links.unsubscribe": ANYONE,
    "contact_links.unsubscribed": ANYONE,
    "consent.mine": only(Role.PATIENT),
    "consent.save": only(Role.ADMIN, Role.RECEPTIONIST, Role.PATIENT),
    "emergency_access.new": only(Role.DOCTOR),
    "emergency_access.create": only(Role.DOCTOR),
    "emergency_access.mark_seen": only(Role.ADMIN),
}
