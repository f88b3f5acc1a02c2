"""What a session was opened with, in words that a person recognises: `Firefox on Windows`."""

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


def described(user_agent: str) -> str:
    """Browser and system by a User-Agent header; empty when it names none we know."""
    names = [next((word for part, word in table if part in user_agent), "") for table in (BROWSERS, SYSTEMS)]
    return " on ".join(name for name in names if name)
