"""Refused sign-ins: each is recorded, and the account's owner is told once if guessing continues."""

from sqlalchemy.orm import Session

from service.domain.accounts import known_browsers, sessions
from service.domain.accounts.sessions import Place
from service.domain.foundation import audit, throttle
from service.domain.foundation.actor import Actor, Role
from service.domain.foundation.throttle import Act
from service.domain.outbox import outbox
from service.storage.models import AddressForm, User


def note(session: Session, user_id: int | None, place: Place, session_id: int | None = None) -> None:
    """Put a wrong password or code on record, at a place or in an open session; `user_id` is whose it was to be."""
    audit.record(session, Actor(Role.SYSTEM, user_id=user_id, address=place.address), "session.refused")
    if user_id is None:
        return
    user = session.get_one(User, user_id)
    if _is_besieged(session, user, place, session_id) and throttle.is_first(session, Act.SIEGE, account=user_id):
        outbox.to_user(session, "account_guessed", user, event="session.refused")


def _is_besieged(session: Session, user: User, place: Place, session_id: int | None) -> bool:
    """Whether so many tries at an account failed that the next one from there waits.

    Nothing is sent to an address that an earlier release may have stored wrongly: it may be someone else's.
    """
    if user.email_form == AddressForm.DOUBTFUL:
        return False
    known = known_browsers.of(session, user.id, place.known)
    here = None if session_id is None else sessions.counted_as(session_id)
    return throttle.is_used_up(session, Act.SIGN_IN, email=user.email_key) or any(
        throttle.is_used_up(session, act, account=account)
        for act, account in (
            (Act.CODE, user.id),
            (Act.KNOWN_SIGN_IN, known),
            (Act.KNOWN_CODE, known),
            (Act.PROOF, here),
        )
    )
