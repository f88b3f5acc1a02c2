"""The pages of this area, and who may open them."""

from service.domain.foundation.actor import Role
from service.http.access import only
from service.web.imports import imports

BLUEPRINTS = (imports.blueprint,)
ACCESS = {
    "imports.index": only(Role.ADMIN),
    "imports.upload": only(Role.ADMIN),
    "imports.show": only(Role.ADMIN),
    "imports.step": only(Role.ADMIN),
}
