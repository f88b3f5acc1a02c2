"""Limit guessing and flooding: one table of budgets, counted in the database, so they survive a restart."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network

from sqlalchemy import delete, func, select
from sqlalchemy.orm import Session

from service import clock
from service.domain.foundation.errors import Throttled
from service.language.translation import lazy_gettext as _l
from service.storage.models import Failure

WIDER = 4
"""How many times the budget of a /64 a /48 gets: it may be one household, or many customers of a provider."""


TRANSLATED = ip_network("64:ff9b::/96")
"""IPv4 addresses as seen by an IPv6-only service behind a translator (RFC 6052)."""


class Act(StrEnum):
    """What is counted, each separately."""

    SIGN_IN = "sign_in"
    KNOWN_SIGN_IN = "known_sign_in"
    CODE = "code"
    KNOWN_CODE = "known_code"
    PROOF = "proof"
    SIEGE = "siege"
    PASSWORD_RESET = "reset"  # noqa: S105 - no password
    SIGN_IN_LINK = "sign_in_link"
    REGISTRATION = "register"
    NEW_PASSWORD = "new_password"  # noqa: S105 - no password
    EMAIL_CHANGE = "email_change"
    PHONE_CHANGE = "phone_change"
    INVITE = "invite"
    API_TOKEN = "token"  # noqa: S105 - no token
    LINK_USE = "link"
    LINK_GUESS = "link_guess"
    EMERGENCY = "emergency"
    SETUP_CODE = "setup"
    PASSWORD_CHECK = "password_check"  # noqa: S105 - no password
    SEARCH = "search"
    FREE_TIMES = "free_times"
    FIGURES = "figures"
    EXPORT = "export"
    IMPORT = "import"
    LOG = "log"


@dataclass(frozen=True)
class Budget:
    """How many attempts are allowed within a window; None where the act isn't counted that way."""

    words: str
    """What is counted, in the words of docs/security.md."""
    account: int | None = None
    """Per account, or per link."""
    email: int | None = None
    """Per e-mail address, whether it's known or not."""
    network: int | None = None
    """Per IPv4 address or IPv6 /64: a clinic, a waiting room, or a household."""
    window: timedelta = timedelta(minutes=5)


BUDGETS: Mapping[Act, Budget] = {
    Act.SIGN_IN: Budget("signing in", email=5, network=50),
    Act.KNOWN_SIGN_IN: Budget("signing in from a known browser", account=5),
    Act.CODE: Budget("second-factor code", account=5),
    Act.KNOWN_CODE: Budget("second-factor code from a known browser", account=5),
    Act.PROOF: Budget("password in an open session, or to confirm a registration", account=5),
    Act.SIEGE: Budget("warning a user that someone is guessing their password", account=1, window=timedelta(days=1)),
    Act.PASSWORD_RESET: Budget("asking for a new password", email=5, network=20),
    Act.SIGN_IN_LINK: Budget("asking for a sign-in link", email=5, network=20),
    Act.REGISTRATION: Budget("registering", email=5, network=20),
    Act.NEW_PASSWORD: Budget("choosing a password", account=10, email=10, network=50),
    Act.EMAIL_CHANGE: Budget(
        "asking for another e-mail address", account=5, email=5, network=20, window=timedelta(hours=1)
    ),
    Act.PHONE_CHANGE: Budget("changing a phone number", account=10, window=timedelta(hours=1)),
    Act.INVITE: Budget("invitations by e-mail, by sender", account=60, email=5, window=timedelta(hours=1)),
    Act.API_TOKEN: Budget("unknown API tokens", network=50),
    Act.LINK_USE: Budget("using a link in a message", account=30),
    Act.LINK_GUESS: Budget("unknown links", network=30),
    Act.EMERGENCY: Budget("emergency access", account=10),
    Act.SETUP_CODE: Budget("setup code of a new installation", network=10),
    Act.PASSWORD_CHECK: Budget("password checks, wrong or right", account=60, network=300),
    Act.SEARCH: Budget("searches", account=240, window=timedelta(minutes=1)),
    Act.FREE_TIMES: Budget("looking for free slots", account=240, network=1200, window=timedelta(minutes=1)),
    Act.FIGURES: Budget("recomputing reports and statistics", account=60, window=timedelta(hours=1)),
    Act.EXPORT: Budget("starting an export", account=60, window=timedelta(hours=1)),
    Act.IMPORT: Budget("steps of an import", account=120, window=timedelta(hours=1)),
    Act.LOG: Budget("bytes of the log", network=128 * 1024, window=timedelta(minutes=1)),
}


SENTENCES: Mapping[Act, str] = {
    Act.SIGN_IN: _l("Too many attempts. Wait a few minutes, or choose a new password: the sign-in page has a link."),
}
"""What a user who has to wait is told, where there's an alternative."""
TOO_MANY = _l("Too many attempts. Wait a few minutes, then try again.")


def attempt(
    session: Session, act: Act, *, account: object = None, email: str | None = None, network: str | None = None
) -> None:
    """Count an attempt before it's made; succeeded() takes it back.

    `account` is any id of an account, `email` the key of an address, and `network` the address a request came from:
    empty if only the proxy knows it, which isn't counted. Raises Throttled when one of them has used up its budget.
    """
    counted_by, now, window = limits(act, account, email, network), clock.now(), BUDGETS[act].window
    if session.get_bind().dialect.name == "postgresql":  # simultaneous attempts take turns, as on SQLite
        for key in sorted(counted_by):
            session.execute(select(func.pg_advisory_xact_lock(func.hashtextextended(key, 0))))
    for key, limit in counted_by.items():
        counted = (Failure.key == key, Failure.failed_at > now - window)
        tries, oldest = session.execute(select(func.count(), func.min(Failure.failed_at)).where(*counted)).one()
        if tries >= limit:
            wait = max(1, int((oldest + window - now).total_seconds()) + 1)
            raise Throttled(str(SENTENCES.get(act, TOO_MANY)), wait)
    session.add_all(Failure(key=key, failed_at=now) for key in counted_by)


def succeeded(
    session: Session, act: Act, *, account: object = None, email: str | None = None, network: str | None = None
) -> None:
    """Forget the attempts of the account and the e-mail address, and the latest one of the network."""
    for key in limits(act, account, email, None):
        session.execute(delete(Failure).where(Failure.key == key))
    for key in limits(act, None, None, network):
        latest = select(func.max(Failure.id)).where(Failure.key == key).scalar_subquery()
        session.execute(delete(Failure).where(Failure.id == latest))


def is_used_up(session: Session, act: Act, *, account: object = None, email: str | None = None) -> bool:
    """Return whether the next attempt with an account or an e-mail address would be refused."""
    since = clock.now() - BUDGETS[act].window
    for key, limit in limits(act, account, email, None).items():
        counted = (Failure.key == key, Failure.failed_at > since)
        if (session.scalar(select(func.count()).where(*counted)) or 0) >= limit:
            return True
    return False


def is_first(session: Session, act: Act, *, account: object) -> bool:
    """Return whether this hasn't happened within the window, and count it, which starts a new window."""
    seen = is_used_up(session, act, account=account)
    session.add_all(Failure(key=key, failed_at=clock.now()) for key in limits(act, account, None, None))
    return not seen


def prune(session: Session) -> None:
    """Remove attempts that no longer count."""
    for act, budget in BUDGETS.items():
        of_act = Failure.key.startswith(f"{act}:", autoescape=True)
        session.execute(delete(Failure).where(of_act, Failure.failed_at < clock.now() - budget.window))


def networks(address: str) -> dict[str, int]:
    """Return the networks an address is counted in, and how many times the budget each gets.

    An IPv4 address is counted by itself, even if it's written as IPv6 or was translated to it. In IPv6, a customer
    has at least a /64.
    """
    try:
        found = ip_address(address)
    except ValueError:
        return {}
    if isinstance(found, IPv6Address) and found.ipv4_mapped is not None:
        found = found.ipv4_mapped
    if found in TRANSLATED:
        found = IPv4Address(int(found) & 0xFFFFFFFF)
    if not isinstance(found, IPv6Address):
        return {str(found): 1}
    return {str(ip_network((int(found), length), strict=False)): times for length, times in ((64, 1), (48, WIDER))}


def limits(act: Act, account: object, email: str | None, network: str | None) -> dict[str, int]:
    """Return key -> allowed attempts. Keys contain no readable e-mail address."""
    budget, found = BUDGETS[act], dict[str, int]()
    if budget.account is not None and account is not None:
        found[f"{act}:account:{account}"] = budget.account
    if budget.email is not None and email is not None:
        found[f"{act}:email:{hashlib.sha256(email.encode()).hexdigest()[:32]}"] = budget.email
    if budget.network is not None and network:
        found |= {f"{act}:network:{one}": budget.network * times for one, times in networks(network).items()}
    return found
