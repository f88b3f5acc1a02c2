"""The pages of this area, and who may open them."""

from service.domain.foundation.actor import Role
from service.http.access import only
from service.web.exports import clinic_exports, exports

BLUEPRINTS = tuple(page.blueprint for page in (clinic_exports, exports))
ACCESS = {
    "exports.new": only(Role.PATIENT, Role.DOCTOR),
    "exports.create": only(Role.PATIENT, Role.DOCTOR),
    "exports.show": only(Role.PATIENT, Role.DOCTOR),
    "exports.file": only(Role.PATIENT, Role.DOCTOR),
    "exports.cancel": only(Role.PATIENT, Role.DOCTOR),
    "exports.revoke": only(Role.PATIENT, Role.DOCTOR),
    "clinic_exports.index": only(Role.ADMIN),
    "clinic_exports.create": only(Role.ADMIN),
    "clinic_exports.show": only(Role.ADMIN),
    "clinic_exports.file": only(Role.ADMIN),
    "clinic_exports.cancel": only(Role.ADMIN),
    "clinic_exports.revoke": only(Role.ADMIN),
}
