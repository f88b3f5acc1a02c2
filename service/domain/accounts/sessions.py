"""Sign-in sessions: rows with a hashed token, idle and absolute limits, ended on the server."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import NamedTuple

from sqlalchemy import ColumnElement, Exists, ScalarSelect, Update, delete, exists, func, select, update
from sqlalchemy.orm import InstrumentedAttribute, Session

from service import clock
from service.config.settings import Security
from service.domain.accounts import acting, addresses, known_browsers
from service.domain.accounts.acting import Who
from service.domain.foundation import audit, throttle, tokens
from service.domain.foundation.actor import STAFF, Actor, Role
from service.domain.foundation.errors import NotFound
from service.domain.foundation.throttle import Act
from service.storage.models import Doctor, Guardian, Patient, SecondFactor, SignIn, User, UserToken

TOUCH_AFTER = timedelta(seconds=30)
PROOF_LASTS = timedelta(minutes=15)
"""How long after giving the password someone may change address, password and second factor."""
TIME_FOR_CODE = timedelta(minutes=10)
AHEAD = timedelta(hours=1)
"""A session last used further ahead than this belongs to a clock that was wrong: it would outlive its limits."""


@dataclass(frozen=True)
class Place:
    """Where someone signs in."""

    address: str
    """The network address."""
    browser: str = ""
    """In words: `Firefox on Windows`."""
    token: str = ""
    """Of the session that it has until now, which ends."""
    known: str = ""
    """By which the browser is known (known_browsers.py)."""


class Begun(NamedTuple):
    """A session that was opened just now."""

    token: str
    awaits_code: bool
    known: str = ""
    """By which the browser is known from now on; empty while the code is missing."""


@dataclass(frozen=True)
class Found:
    """A session that is open, and who holds it."""

    session_id: int
    actor: Actor
    locked: bool
    """Idle for too long: it may only watch the locked board, until the password is given again."""
    stale: bool
    """Whether its use should be noted."""
    proven: bool
    """Whether the password was given within the last minutes."""
    has_second_factor: bool
    language: str | None
    """The one its holder chose, or the one that the record of a patient has; None: nobody chose one."""


def stored_password(session: Session, email: str, place: Place) -> tuple[int | None, str | None]:
    """The user id and password hash behind an e-mail, counted as a failed try until begin() says otherwise.

    In a browser that its user has signed in with, guesses from elsewhere do not count. Both are None for an unknown or
    disabled account, and for one that registered itself and has not proven its address. Raises Throttled.
    """
    found = addresses.holder(session, email)
    known = known_browsers.of(session, found.user.id, place.known) if found is not None else None
    if known is not None:
        throttle.attempt(session, Act.KNOWN_SIGN_IN, account=known)
        throttle.attempt(session, Act.PASSWORD_CHECK, account=known)
    else:
        throttle.attempt(session, Act.SIGN_IN, email=addresses.throttled_by(session, email), network=place.address)
        throttle.attempt(session, Act.PASSWORD_CHECK, network=place.address)
    if found is None or found.user.disabled_at is not None or found.user.unproven_since is not None:
        return None, None
    return found.user.id, found.user.password_hash


def begin(session: Session, user_id: int, place: Place, limits: Security) -> Begun:
    """Open a session for a user whose password was right, under a new token; the old token dies.

    With a second factor it opens nothing until complete(), for which there are ten minutes.
    """
    user = session.get_one(User, user_id)
    known = known_browsers.of(session, user_id, place.known)
    if known is not None:
        throttle.succeeded(session, Act.KNOWN_SIGN_IN, account=known)
    else:
        throttle.succeeded(session, Act.SIGN_IN, email=user.email_key, network=place.address)
    return begin_by_link(session, user, place, limits)


def begin_by_link(session: Session, user: User, place: Place, limits: Security) -> Begun:
    """The same for a user whom a mailed link has shown to be at their address."""
    awaits_code = session.scalar(select(has_second_factor(user.id))) or False
    return _open(session, user, place, limits, awaits_code=awaits_code)


def awaiting_code(session: Session, token: str) -> User | None:
    """Whose password was right in a session that still waits for the code; None for any other token."""
    waiting = select(User).join(SignIn, SignIn.user_id == User.id).where(*_live(token), SignIn.awaits_code)
    return session.scalar(waiting)


def complete(session: Session, place: Place, limits: Security) -> Begun:
    """The session that waited for a code opens, under another new token."""
    query = select(SignIn).join(User, User.id == SignIn.user_id).where(*_live(place.token), SignIn.awaits_code)
    waiting = session.scalars(query).one()
    at = replace(place, address=waiting.address or "", browser=waiting.browser)
    return _open(session, session.get_one(User, waiting.user_id), at, limits, awaits_code=False)


def find(session: Session, token: str, limits: Security, address: str) -> Found | None:
    """The session behind a token and who holds it; None once it is over for good."""
    now = clock.now()
    row = session.execute(
        select(
            User.id,
            User.name,
            User.role,
            Doctor.id.label("doctor_id"),
            func.coalesce(User.language, _language_on_record()).label("language"),
            SignIn.id.label("session_id"),
            SignIn.last_seen_at,
            SignIn.proven_at,
            has_second_factor(User.id).label("has_second_factor"),
        )
        .join(User, User.id == SignIn.user_id)
        .outerjoin(Doctor, acting.BEHIND)
        .where(*_live(token), SignIn.awaits_code.is_(False))
    ).one_or_none()
    if row is None:
        return None
    role = Role(row.role)
    locked = row.last_seen_at <= now - timedelta(minutes=limits.idle_minutes_of(patient=role == Role.PATIENT))
    if locked and role not in STAFF:
        return None
    return Found(
        session_id=row.session_id,
        actor=acting.actor(session, Who(row.id, row.name, role, row.doctor_id), address),
        locked=locked,
        stale=row.last_seen_at < now - TOUCH_AFTER,
        proven=row.proven_at is not None and row.proven_at > now - PROOF_LASTS,
        has_second_factor=row.has_second_factor,
        language=row.language,
    )


def touch(session: Session, token: str) -> None:
    """Note that the session was used just now."""
    session.execute(update(SignIn).where(SignIn.token_hash == tokens.digest(token)).values(last_seen_at=clock.now()))


def prove(session: Session, actor: Actor, session_id: int) -> None:
    """The person at a session has given the password again: it goes on, and private matters may be changed."""
    throttle.succeeded(session, Act.PROOF, account=counted_as(session_id))
    mine = (SignIn.id == session_id, SignIn.user_id == actor.user_id, SignIn.ended_at.is_(None))
    session.execute(update(SignIn).where(*mine).values(last_seen_at=clock.now(), proven_at=clock.now()))
    audit.record(session, actor, "session.prove")


def own_password(session: Session, actor: Actor, session_id: int) -> str | None:
    """The actor's password hash, counted as a failed try of this session until prove() says otherwise.

    Raises Throttled.
    """
    throttle.attempt(session, Act.PROOF, account=counted_as(session_id))
    throttle.attempt(session, Act.PASSWORD_CHECK, account=counted_as(session_id))
    return _user_of(session, actor).password_hash


def counted_as(session_id: int) -> str:
    """What tries to give the password in a session are counted under."""
    return f"session/{session_id}"


def of_user(session: Session, user_id: int) -> Sequence[SignIn]:
    """The sessions of a user that are open, the one used last first."""
    live = (SignIn.user_id == user_id, SignIn.ended_at.is_(None), SignIn.expires_at > clock.now())
    return session.scalars(
        select(SignIn)
        .where(*live, SignIn.awaits_code.is_(False))
        .order_by(SignIn.last_seen_at.desc(), SignIn.id.desc())
    ).all()


def staff_addresses(session: Session, since: timedelta) -> Sequence[str]:
    """The addresses of open sessions of staff that were used within that time."""
    seen = (SignIn.ended_at.is_(None), SignIn.last_seen_at > clock.now() - since, SignIn.address.is_not(None))
    query = select(SignIn.address).join(User, User.id == SignIn.user_id).where(*seen, User.role.in_(STAFF))
    return [address for address in session.scalars(query.distinct()) if address]


def end(session: Session, actor: Actor, token: str) -> None:
    """Sign out: the token is worthless from now on."""
    session.execute(_ending(SignIn.token_hash == tokens.digest(token)))
    audit.record(session, actor, "session.end")


def end_one(session: Session, actor: Actor, session_id: int) -> None:
    """End one of the actor's own sessions. Raises NotFound."""
    row = session.get(SignIn, session_id)
    if row is None or row.user_id != actor.user_id:
        raise NotFound
    session.execute(_ending(SignIn.id == session_id))
    audit.record(session, actor, "session.end", subject=f"session/{session_id}")


def end_others(session: Session, actor: Actor, session_id: int, known: str) -> None:
    """End all sessions of the actor but this one; only the browser that shows `known` stays known."""
    session.execute(_ending(SignIn.user_id == actor.user_id, SignIn.id != session_id))
    known_browsers.forget(session, actor.user_id or 0, but=known)
    audit.record(session, actor, "session.end_others")


def end_all(session: Session, user_id: int) -> None:
    """End every session of a user, who is known at no browser any more."""
    session.execute(_ending(SignIn.user_id == user_id))
    known_browsers.forget(session, user_id)


def prune(session: Session) -> None:
    """Remove sessions and links that have been over for a month."""
    long_ago = clock.now() - timedelta(days=30)
    session.execute(delete(SignIn).where(SignIn.expires_at < long_ago))
    session.execute(delete(UserToken).where(UserToken.expires_at < long_ago))


def has_second_factor(user_id: int | InstrumentedAttribute[int]) -> Exists:
    """The condition that a code is asked for when a user signs in."""
    return exists().where(SecondFactor.user_id == user_id, SecondFactor.confirmed_at.is_not(None))


def _open(session: Session, user: User, place: Place, limits: Security, *, awaits_code: bool) -> Begun:
    token, now = tokens.new(), clock.now()
    session.execute(_ending(SignIn.token_hash == tokens.digest(place.token)))
    hours = limits.session_hours_of(patient=user.role == Role.PATIENT)
    lasts = TIME_FOR_CODE if awaits_code else timedelta(hours=hours)
    session.add(
        SignIn(
            user_id=user.id,
            token_hash=tokens.digest(token),
            address=place.address,
            browser=place.browser[:60],
            awaits_code=awaits_code,
            proven_at=None if awaits_code else now,
            created_at=now,
            last_seen_at=now,
            expires_at=now + lasts,
        )
    )
    if not awaits_code:
        user.used_at = user.used_at or now
    act = "session.password" if awaits_code else "session.begin"
    audit.record(session, Actor(Role(user.role), user_id=user.id, address=place.address), act)
    return Begun(token, awaits_code, "" if awaits_code else known_browsers.remember(session, user.id, place.known))


def _language_on_record() -> ScalarSelect[str | None]:
    """The language of the record that a patient's account looks after and that bears its address."""
    own = (Guardian.user_id == User.id, User.role == Role.PATIENT, Patient.email_key == User.email_key)
    records = select(Patient.language).join(Guardian, Guardian.patient_id == Patient.id).where(*own)
    return records.order_by(Patient.language.is_(None), Patient.id).limit(1).correlate(User).scalar_subquery()


def _live(token: str) -> tuple[ColumnElement[bool], ...]:
    return (
        SignIn.token_hash == tokens.digest(token),
        SignIn.ended_at.is_(None),
        SignIn.expires_at > clock.now(),
        SignIn.last_seen_at < clock.now() + AHEAD,
        User.disabled_at.is_(None),
    )


def _user_of(session: Session, actor: Actor) -> User:
    return session.scalars(select(User).where(User.id == actor.user_id)).one()


def _ending(*which: ColumnElement[bool]) -> Update:
    return update(SignIn).where(*which, SignIn.ended_at.is_(None)).values(ended_at=clock.now())
