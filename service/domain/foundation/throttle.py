"""Slows guessing and flooding down: one table of budgets, counted in the database, so a restart forgets nothing."""

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
"""A /48 of IPv6, which one household may hold as well as a provider's many, gets so many times what a /64 gets."""


TRANSLATED = ip_network("64:ff9b::/96")
"""What IPv4 addresses become where a translator stands before a service that only has IPv6 (RFC 6052)."""


class Act(StrEnum):
    """What is counted, each for itself."""

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
    """How many tries fit into a window; None where the act is not counted by that."""

    words: str
    """What is counted, as docs/security.md says it."""
    account: int | None = None
    """Of one account, or of the holder of one link."""
    email: int | None = None
    """With one e-mail address, whether anybody has it or not."""
    network: int | None = None
    """From one IPv4 address or one /64 of IPv6: a clinic, a waiting room or a household."""
    window: timedelta = timedelta(minutes=5)


BUDGETS: Mapping[Act, Budget] = {
    Act.SIGN_IN: Budget("signing in", email=5, network=50),
    Act.KNOWN_SIGN_IN: Budget("signing in with a known browser", account=5),
    Act.CODE: Budget("second-factor code", account=5),
    Act.KNOWN_CODE: Budget("second-factor code in a known browser", account=5),
    Act.PROOF: Budget("giving the password in an open session, or to prove a registration", account=5),
    Act.SIEGE: Budget("telling someone that their account is being guessed", account=1, window=timedelta(days=1)),
    Act.PASSWORD_RESET: Budget("asking for a new password", email=5, network=20),
    Act.SIGN_IN_LINK: Budget("asking for a link to sign in", email=5, network=20),
    Act.REGISTRATION: Budget("registering", email=5, network=20),
    Act.NEW_PASSWORD: Budget("choosing a password", account=10, email=10, network=50),
    Act.EMAIL_CHANGE: Budget(
        "asking for another e-mail address", account=5, email=5, network=20, window=timedelta(hours=1)
    ),
    Act.PHONE_CHANGE: Budget("changing a phone number", account=10, window=timedelta(hours=1)),
    Act.INVITE: Budget("mailed invitations, by the person who invites", account=60, email=5, window=timedelta(hours=1)),
    Act.API_TOKEN: Budget("API tokens that do not exist", network=50),
    Act.LINK_USE: Budget("using a link in a message", account=30),
    Act.LINK_GUESS: Budget("links that do not exist", network=30),
    Act.EMERGENCY: Budget("opening a record in an emergency", account=10),
    Act.SETUP_CODE: Budget("the code of the first setup", network=10),
    Act.PASSWORD_CHECK: Budget("passwords that are checked, wrong or right", account=60, network=300),
    Act.SEARCH: Budget("searches", account=240, window=timedelta(minutes=1)),
    Act.FREE_TIMES: Budget("looking for free times", account=240, network=1200, window=timedelta(minutes=1)),
    Act.FIGURES: Budget("making reports and figures again", account=60, window=timedelta(hours=1)),
    Act.EXPORT: Budget("starting an export", account=60, window=timedelta(hours=1)),
    Act.IMPORT: Budget("steps of an import", account=120, window=timedelta(hours=1)),
    Act.LOG: Budget("bytes of the log", network=128 * 1024, window=timedelta(minutes=1)),
}


SENTENCES: Mapping[Act, str] = {
    Act.SIGN_IN: _l("Too many attempts. Wait a few minutes, or choose a new password: the sign-in page has a link."),
}
"""What somebody reads who has to wait, where there is another way on."""
TOO_MANY = _l("Too many attempts. Wait a few minutes, then try again.")


def attempt(
    session: Session, act: Act, *, account: object = None, email: str | None = None, network: str | None = None
) -> None:
    """Count a try before it is made; succeeded() takes it back.

    `account` is whatever names one, `email` the comparing form of an address, `network` the address a request came
    from: empty for one that only the proxy knows, which is not counted. Raises Throttled when one of them has used its
    budget up.
    """
    counted_by, now, window = limits(act, account, email, network), clock.now(), BUDGETS[act].window
    if session.get_bind().dialect.name == "postgresql":  # tries at the same moment take turns, as on SQLite
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
    """Forget the account's and the e-mail's tries, and the network's latest one: it was no failure."""
    for key in limits(act, account, email, None):
        session.execute(delete(Failure).where(Failure.key == key))
    for key in limits(act, None, None, network):
        latest = select(func.max(Failure.id)).where(Failure.key == key).scalar_subquery()
        session.execute(delete(Failure).where(Failure.id == latest))


def is_used_up(session: Session, act: Act, *, account: object = None, email: str | None = None) -> bool:
    """Whether the next try at an account, or with an e-mail address, would be refused."""
    since = clock.now() - BUDGETS[act].window
    for key, limit in limits(act, account, email, None).items():
        counted = (Failure.key == key, Failure.failed_at > since)
        if (session.scalar(select(func.count()).where(*counted)) or 0) >= limit:
            return True
    return False


def is_first(session: Session, act: Act, *, account: object) -> bool:
    """Whether this has not happened within the window; it counts, so that only a whole window of quiet ends it."""
    seen = is_used_up(session, act, account=account)
    session.add_all(Failure(key=key, failed_at=clock.now()) for key in limits(act, account, None, None))
    return not seen


def prune(session: Session) -> None:
    """Remove tries that no longer count."""
    for act, budget in BUDGETS.items():
        of_act = Failure.key.startswith(f"{act}:", autoescape=True)
        session.execute(delete(Failure).where(of_act, Failure.failed_at < clock.now() - budget.window))


def networks(address: str) -> dict[str, int]:
    """The networks an address is counted in, each with how many times the budget it gets.

    An IPv4 address stands for itself, also where it is written as IPv6 or was translated into it; in IPv6 a customer
    holds at least a /64.
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
    """Key -> how many tries it has. The keys hold no address that could be read."""
    budget, found = BUDGETS[act], dict[str, int]()
    if budget.account is not None and account is not None:
        found[f"{act}:account:{account}"] = budget.account
    if budget.email is not None and email is not None:
        found[f"{act}:email:{hashlib.sha256(email.encode()).hexdigest()[:32]}"] = budget.email
    if budget.network is not None and network:
        found |= {f"{act}:network:{one}": budget.network * times for one, times in networks(network).items()}
    return found
