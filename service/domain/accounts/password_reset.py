"""Password reset: requested by e-mail address, completed with a mailed link within one hour."""

from sqlalchemy.orm import Session

from service.domain.accounts import addresses, user_tokens, users
from service.domain.accounts.passwords import NewPassword
from service.domain.foundation import audit, throttle
from service.domain.foundation.actor import Actor, Role
from service.domain.foundation.throttle import Act
from service.domain.outbox import outbox
from service.storage.models import TokenPurpose, User


def ask(session: Session, email: str, address: str) -> None:
    """Have a link mailed to the person who has an account under this address; anyone who asks learns nothing of that.

    Raises Throttled.
    """
    throttle.attempt(session, Act.PASSWORD_RESET, email=addresses.throttled_by(session, email), network=address)
    user = addresses.of(session, email)
    if user is not None and user.disabled_at is not None:
        user = None
    subject = f"user/{user.id}" if user else None
    audit.record(session, Actor(Role.SYSTEM, address=address), "password.reset_asked", subject=subject)
    if user is not None:
        outbox.to_user(session, "password_reset", user, event="password.reset")


def asked(session: Session, token: str) -> User | None:
    """Whom a usable link is for; None once it was used or is too old."""
    return user_tokens.user_of(session, token, TokenPurpose.PASSWORD_RESET)


def choose(session: Session, token: str, password: NewPassword, address: str) -> User:
    """Set the new password of the user who is returned; the link is used up, every session ends, the second factor
    stays. Raises Conflict.
    """
    user = user_tokens.use_up(session, token, TokenPurpose.PASSWORD_RESET)
    users.set_password(session, user, password)
    throttle.succeeded(session, Act.SIGN_IN, email=user.email_key)  # anyone who reads the mail is no guesser
    asker = Actor(Role(user.role), user_id=user.id, address=address)
    audit.record(session, asker, "password.reset", subject=f"user/{user.id}")
    outbox.to_user(session, "account_changed", user, event="password.reset")
    return user
