"""A phone with an authenticator app, and people who have set it up."""

from dataclasses import dataclass

import pyotp

from service import clock
from tests.house import Browser
from tests.web.reading import one, parsed, words


@dataclass(frozen=True)
class Telephone:
    """What an account's second factor was set up with."""

    secret: str
    recovery_codes: list[str]

    def code(self) -> str:
        """The digits shown now."""
        return pyotp.TOTP(self.secret).at(clock.now())


def secret_on(browser: Browser) -> str:
    """The key that the set-up page shows."""
    return words(one(parsed(browser.get("/account/second-factor")), ".secret")).replace(" ", "")


def set_up(browser: Browser) -> Telephone:
    """Set a second factor up, as its owner does."""
    assert browser.post("/account/second-factor").status_code == 303
    telephone = Telephone(secret_on(browser), [])
    page = browser.post("/account/second-factor/confirmation", {"code": telephone.code()})
    assert page.status_code == 200
    return Telephone(telephone.secret, [words(code) for code in parsed(page).select(".codes code")])
