"""Where someone signs in: the network address, and the browser and system, such as `Firefox on Windows`."""

from flask import request

from service.domain.accounts.sessions import Place
from service.http import context
from service.language.translation import gettext as _

BROWSERS = (
    ("Edg", "Edge"),
    ("OPR/", "Opera"),
    ("SamsungBrowser", "Samsung Internet"),
    ("Firefox/", "Firefox"),
    ("FxiOS", "Firefox"),
    ("Chrome/", "Chrome"),
    ("CriOS", "Chrome"),
    ("Safari/", "Safari"),
)
SYSTEMS = (
    ("iPhone", "iPhone"),
    ("iPad", "iPad"),
    ("Android", "Android"),
    ("Windows", "Windows"),
    ("Mac OS X", "Mac"),
    ("CrOS", "ChromeOS"),
    ("Linux", "Linux"),
)
"""Part of the header -> name. The first match wins, because browsers also name the ones they imitate."""

_JOINT = " on "


def here() -> Place:
    """Return where this request comes from, with what the browser's cookies say about earlier sign-ins."""
    browser, described_as = context.browser(), described(request.headers.get("User-Agent", ""))
    return Place(context.address(), browser=described_as, token=browser.token, known=browser.known_by)


def described(user_agent: str) -> str:
    """Return browser and system from a User-Agent header, as stored with a session; empty if it names none we know."""
    names = [next((word for part, word in table if part in user_agent), "") for table in (BROWSERS, SYSTEMS)]
    return _JOINT.join(name for name in names if name)


def name(stored: str) -> str:
    """Return what `described` stored, in the reader's language."""
    browser, joint, system = stored.partition(_JOINT)
    return _("%(browser)s on %(system)s") % {"browser": browser, "system": system} if joint else stored
