"""The pages of this area, and who may open them."""

from service.http.access import SIGNED_IN
from service.web.help import guides

BLUEPRINTS = (guides.blueprint,)
ACCESS = {"help.show": SIGNED_IN}
