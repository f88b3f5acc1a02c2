"""Where someone signs in: from which address, with what, in words that a person recognises: `Firefox on Windows`."""

from flask import request

from service.domain.accounts.sessions import Place
from service.http import context

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
"""Part of the header -> word; the first that fits counts, because browsers also name those they resemble."""


def here() -> Place:
    """Where this request comes from, and what the browser shows of earlier appointments."""
    browser, name = context.browser(), described(request.headers.get("User-Agent", ""))
    return Place(context.address(), browser=name, token=browser.token, known=browser.known_by)


def described(user_agent: str) -> str:
    """Browser and system by a User-Agent header; empty when it names none we know."""
    names = [next((word for part, word in table if part in user_agent), "") for table in (BROWSERS, SYSTEMS)]
    return " on ".join(name for name in names if name)
