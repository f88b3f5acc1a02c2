"""create_app(wiring): blueprints, access, error pages, and headers. It starts no threads and no scheduler."""

from typing import Any

from flask import Flask, request
from flask_wtf.csrf import generate_csrf
from werkzeug.exceptions import NotFound
from werkzeug.routing import BaseConverter, IntegerConverter, ValidationError

from service import error_pages
from service.api import access as api_access
from service.api import entrance, guide
from service.config.settings import ROOT
from service.domain.foundation import installation
from service.domain.outbox.channels import CHANNELS
from service.http import access, assets, cache, context, costly_requests, headers, known_clients, languages, metrics
from service.http import unsent_forms as unsent
from service.http.collisions import Persistent
from service.http.cookies import Cookies
from service.language import rendering
from service.web import date_fields, navigation, notices, pages
from service.wiring import Wiring

LARGEST_BODY = 1024 * 1024


class RowId(IntegerConverter):
    """An id in a path: whatever a 64-bit column can hold. Anything else is a 404."""

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **{"min": 1, "max": 2**63 - 1, **options})

    def to_python(self, value: str) -> int:
        """Return the id. Raises NotFound, because a path with several methods would respond with 405."""
        try:
            return int(super().to_python(value))
        except ValidationError:
            raise NotFound from None


class Token(BaseConverter):
    """The token of a link in a message: 256 bits."""

    regex = r"[A-Za-z0-9_-]{43}"


class ExportId(BaseConverter):
    """An export's id in a path: 128 bits in hexadecimal."""

    regex = r"[0-9a-f]{32}"


def create_app(wiring: Wiring) -> Flask:
    """Return the WSGI application of a wired-up process."""
    chosen = wiring.settings
    app = Persistent("service", root_path=str(ROOT / "service"), static_folder=str(assets.STATIC))
    app.config.update(
        MAX_CONTENT_LENGTH=LARGEST_BODY,
        MAX_FORM_MEMORY_SIZE=LARGEST_BODY,
        MAX_FORM_PARTS=200,
        WTF_CSRF_SECRET_KEY=wiring.secret_key,
    )
    app.url_map.converters.update(row_id=RowId, export_id=ExportId, token=Token)
    with wiring.database.reading() as session:
        app.session_interface = Cookies(wiring.secret_key, installation.clinic_id(session))
    rendering.install(app.jinja_env, chosen.clinic)
    date_fields.install(app)
    for blueprint in (*pages.BLUEPRINTS, entrance.blueprint, guide.blueprint):
        app.register_blueprint(blueprint)
    context.install(app, wiring)
    error_pages.install(app)
    headers.install(app, wiring)
    metrics.install(app, wiring)
    languages.install(app)
    notices.install(app)
    cache.install(app, chosen)
    unsent.install(app)
    known_clients.install(app)
    access.install(app, pages.ACCESS | api_access.OPEN, api_access.ACCESS)
    costly_requests.install(app)
    app.context_processor(_shared)
    return app


def _shared() -> dict[str, Any]:
    """Return what every template can use."""
    wiring, visitor = context.wiring(), context.visitor()
    return {
        "actor": visitor,
        "channels": CHANNELS,
        "clinic": wiring.settings.clinic,
        "command": wiring.settings.command,
        "csrf_token": generate_csrf,
        "static": assets.static_url,
        "icon": assets.icon,
        "nav": navigation.groups(visitor),
        "demo": installation.is_demo(context.reading()),
        "email_on": wiring.settings.email.enabled,
        "notices": notices.pending(),
        "unsent": request.endpoint != "unsent_forms.show" and unsent.waits(),
    }
