"""URLs of static files with a digest, and vendored icons as inline SVG."""

import hashlib
import re
from functools import cache as remember

from markupsafe import Markup

from service.config.settings import ROOT

STATIC = ROOT / "static"
ICONS = STATIC / "vendor" / "bootstrap-icons-1.13.2"


def static_url(path: str) -> str:
    """Return the URL of a file under static/, with its content's digest, so that browsers can cache it forever."""
    return f"/static/{path}?v={_digest(path)}"  # url_for fails if the Host header is no valid name


@remember
def _digest(path: str) -> str:
    return hashlib.sha256((STATIC / path).read_bytes()).hexdigest()[:12]


@remember
def icon(name: str) -> Markup:
    """Return a vendored icon as inline SVG, hidden from screen readers because it always has text beside it."""
    svg = (ICONS / f"{name}.svg").read_text(encoding="utf-8")
    return Markup(re.sub(r"<svg ", '<svg aria-hidden="true" focusable="false" ', svg, count=1))  # noqa: S704 our file
