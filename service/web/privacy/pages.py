"""The pages of this area, and who may open them."""

from service.domain.foundation.actor import Role
from service.http.access import STAFF, only
from service.web.privacy import audit, erasures, looks, record_changes

BLUEPRINTS = tuple(page.blueprint for page in (audit, erasures, looks, record_changes))
ACCESS = {
    "erasures.index": only(Role.ADMIN),
    "erasures.show": only(Role.ADMIN),
    "erasures.erase": only(Role.ADMIN),
    "erasures.put_hold": only(Role.ADMIN),
    "erasures.lift_hold": only(Role.ADMIN),
    "record_changes.index": STAFF,
    "audit.index": only(Role.ADMIN),
    "audit.file": only(Role.ADMIN),
    "audit.mark_grants_seen": only(Role.ADMIN),
    "looks.index": only(Role.PATIENT),
}
