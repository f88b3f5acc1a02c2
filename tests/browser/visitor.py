"""A person with a browser: pages that report every error, and what is asked of each page they open."""

import os
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

from playwright.sync_api import BrowserContext, ConsoleMessage, Page, Request, Response

from tests import patience
from tests.house import PASSWORD

PICTURES = Path(__file__).resolve().parents[1] / "pictures"
PICTURES_WANTED = "ROUNDS_TEST_PICTURES" in os.environ
AXE = (Path(__file__).parent / "vendor" / "axe-core-4.14.1" / "axe.min.js").read_text(encoding="utf-8")
ADDRESSES = """() => [...document.querySelectorAll("a[href]")].map(a => a.href)"""
VIOLATIONS = """async () => (await axe.run(document)).violations.flatMap(
    rule => rule.nodes.map(node => `${rule.id}: ${node.target.join(" ")}`))"""


@dataclass
class Visitor:
    """One browser window; whatever goes wrong in it is noted in `trouble`."""

    page: Page
    url: str
    trouble: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.page.on("console", self._said)
        self.page.on("pageerror", lambda error: self.trouble.append(f"script: {error}"))
        self.page.on("requestfailed", self._failed)
        self.page.on("request", self._asked)
        self.page.on("response", self._answered)
        self.page.on("dialog", lambda dialog: self.trouble.append(f"dialog: {dialog.message}"))

    def _said(self, message: ConsoleMessage) -> None:
        if message.type in ("error", "warning"):
            self.trouble.append(f"console: {message.text}")

    def _failed(self, request: Request) -> None:
        if request.failure != "net::ERR_ABORTED":  # what is given up for the next page, or becomes a download
            self.trouble.append(f"failed: {request.url}")

    def _asked(self, request: Request) -> None:
        if not request.url.startswith((f"{self.url}/", "data:")):
            self.trouble.append(f"elsewhere: {request.url}")

    def _answered(self, response: Response) -> None:
        if response.status >= 400:
            self.trouble.append(f"{response.status}: {response.url}")

    def open(self, path: str) -> None:
        """Go to a page of the service."""
        self.page.goto(f"{self.url}{path}")

    def sign_in(self, who: str) -> None:
        """Sign in by the form, as an account of the demo clinic."""
        self.open("/sign-in")
        self.page.get_by_label("E-mail").fill(f"{who}@demo.example")
        self.page.get_by_label("Password").fill(PASSWORD)
        self.page.get_by_role("button", name="Sign in").click()
        self.page.wait_for_url(lambda url: "/sign-in" not in url)

    def everywhere(self, *paths: str, look: Callable[[str], object] = lambda _path: None) -> list[str]:
        """Paths of pages that can be reached by links from these, one of each kind; `look` is called at each."""
        found: dict[str, str] = {}
        waiting = list(paths)
        while waiting:
            path = waiting.pop(0)
            if kind(path) in found:
                continue
            found[kind(path)] = path
            self.open(path)
            waiting += [self._path(address) for address in self.page.evaluate(ADDRESSES) if self._is_page(address)]
            look(path)
        return list(found.values())

    def _path(self, address: str) -> str:
        parts = urlsplit(address)
        return f"{parts.path}?{parts.query}" if parts.query else parts.path

    def _is_page(self, address: str) -> bool:
        return (
            address.startswith(f"{self.url}/")
            and not address.startswith(f"{self.url}/api/")  # the same for everybody
            and not address.partition("?")[0].endswith(("/", "/file", ".txt"))
            and "#" not in address
        )

    def violations(self) -> list[str]:
        """What axe-core finds wrong with the page as it is shown now."""
        if not self.page.evaluate("() => 'axe' in window"):
            self.page.evaluate(AXE)
        return [str(found) for found in self.page.evaluate(VIOLATIONS)]

    def too_wide(self) -> bool:
        """Whether the page can be scrolled sideways."""
        self.page.wait_for_function("() => document.scrollingElement !== null")  # the page may only just begin
        return bool(self.page.evaluate("() => document.scrollingElement.scrollWidth > innerWidth"))

    def picture(self, name: str) -> None:
        """Save a picture of the whole page if ROUNDS_TEST_PICTURES is set."""
        if PICTURES_WANTED:
            PICTURES.mkdir(exist_ok=True)
            self.page.screenshot(path=PICTURES / f"{name}.png", full_page=True)


def kind(path: str) -> str:
    """Pages that differ only in their row or their parameters are of one kind."""
    return re.sub(r"/([0-9]+|[0-9a-f]{32}|[\w-]{43})(?=/|$)", "/N", path.partition("?")[0])


def name_of(path: str) -> str:
    """A page's name for its picture."""
    return re.sub(r"[^a-z]+", "-", kind(path).lower()).strip("-") or "home"


def visitor_in(context: BrowserContext, url: str) -> Visitor:
    """A window of a browser for a service."""
    context.set_default_timeout(1000 * patience.SECONDS)
    return Visitor(context.new_page(), url)
