"""Sign-in by a mailed link, for patients of clinics that allow it: single use, valid for 15 minutes."""

from sqlalchemy.orm import Session

from service.config.settings import Security
from service.domain.accounts import addresses, sessions, user_tokens
from service.domain.accounts.sessions import Begun, Place
from service.domain.foundation import audit, throttle
from service.domain.foundation.actor import Actor, Role
from service.domain.foundation.throttle import Act
from service.domain.outbox import outbox
from service.storage.models import TokenPurpose, User


def ask(session: Session, email: str, address: str) -> None:
    """Have a link mailed to the patient with an account under this address; anyone who asks learns nothing of that.

    Raises Throttled.
    """
    throttle.attempt(session, Act.SIGN_IN_LINK, email=addresses.throttled_by(session, email), network=address)
    user = addresses.of(session, email)
    if user is not None and (user.role != Role.PATIENT or user.disabled_at is not None):
        user = None
    subject = f"user/{user.id}" if user else None
    audit.record(session, Actor(Role.SYSTEM, address=address), "sign_in_link.asked", subject=subject)
    if user is not None:
        outbox.to_user(session, "sign_in_link", user, event="sign_in_link.asked")


def asked(session: Session, token: str) -> User | None:
    """Whom a usable link is for; None once it was used or is too old."""
    return user_tokens.user_of(session, token, TokenPurpose.SIGN_IN)


def use(session: Session, token: str, place: Place, limits: Security) -> Begun:
    """Sign its user in; the link is used up. Raises Conflict for a dead one."""
    user = user_tokens.use_up(session, token, TokenPurpose.SIGN_IN)
    return sessions.begin_by_link(session, user, place, limits)
