"""The second factor: codes of an authenticator app (TOTP), each of which counts once, and recovery codes.

The app's secret is computed from a stored salt with the key in `secret.key`: anyone who copies the database alone has
no codes.
"""

import base64
import hashlib
import hmac
import secrets
from datetime import timedelta

import pyotp
from sqlalchemy import delete, func, select, update
from sqlalchemy.orm import Session

from service import clock
from service.config.settings import Security
from service.domain.accounts import known_browsers, refusals, sessions
from service.domain.accounts.sessions import Begun, Place
from service.domain.foundation import audit, throttle, tokens
from service.domain.foundation.actor import Actor
from service.domain.foundation.errors import Conflict, Invalid, NotFound
from service.domain.foundation.throttle import Act
from service.domain.outbox import outbox
from service.language.translation import gettext as _
from service.storage.models import RecoveryCode, SecondFactor, User

RECOVERY_CODES = 10
TIME_TO_CONFIRM = timedelta(minutes=15)


def is_on(session: Session, user_id: int) -> bool:
    """Whether signing in asks this user for a code."""
    return bool(session.scalar(select(sessions.has_second_factor(user_id))))


def begin(session: Session, actor: Actor) -> None:
    """Make a new secret for the actor's app, to be confirmed by a first code. Raises Conflict when one is on."""
    user_id = _own_id(actor)
    if is_on(session, user_id):
        raise Conflict(_("Your second factor is already on. To move it to another phone, turn it off first."))
    session.execute(delete(SecondFactor).where(SecondFactor.user_id == user_id))
    session.add(SecondFactor(user_id=user_id, salt=secrets.token_hex(16), created_at=clock.now()))


def begun(session: Session, actor: Actor, key: bytes, clinic: str) -> pyotp.TOTP | None:
    """The secret that waits for its first code, at most a quarter of an hour old; None without one."""
    factor = session.get(SecondFactor, _own_id(actor))
    if factor is None or factor.confirmed_at is not None or factor.created_at < clock.now() - TIME_TO_CONFIRM:
        return None
    email = session.scalars(select(User.email).where(User.id == factor.user_id)).one()
    return pyotp.TOTP(_secret(factor, key), name=email, issuer=f"Rounds {clinic}")


def confirm(session: Session, actor: Actor, code: str, key: bytes) -> list[str] | None:
    """Turn the second factor on, by a first code of the app; returns the recovery codes, None for a wrong code.

    Raises Throttled, and Conflict when no set-up was begun.
    """
    user_id = _own_id(actor)
    if begun(session, actor, key, "") is None:
        raise Conflict(_("This setup has expired. Start over."))
    throttle.attempt(session, Act.CODE, account=user_id)
    if not _shows(session, user_id, code, key):
        return None
    throttle.succeeded(session, Act.CODE, account=user_id)
    session.execute(update(SecondFactor).where(SecondFactor.user_id == user_id).values(confirmed_at=clock.now()))
    audit.record(session, actor, "second_factor.on", subject=f"user/{user_id}")
    outbox.to_user(session, "account_changed", session.get_one(User, user_id), event="second_factor.on")
    return _new_recovery_codes(session, user_id)


def renew_recovery_codes(session: Session, actor: Actor) -> list[str]:
    """Ten new recovery codes; the earlier ones are worthless. Raises Conflict without a second factor."""
    user_id = _own_id(actor)
    if not is_on(session, user_id):
        raise Conflict(_("Your second factor isn't on."))
    audit.record(session, actor, "second_factor.codes", subject=f"user/{user_id}")
    return _new_recovery_codes(session, user_id)


def recovery_codes_left(session: Session, user_id: int) -> int:
    """How many recovery codes were not used yet."""
    unused = (RecoveryCode.user_id == user_id, RecoveryCode.used_at.is_(None))
    return session.scalar(select(func.count()).select_from(RecoveryCode).where(*unused)) or 0


def turn_off(session: Session, actor: Actor) -> None:
    """Do without a second factor from now on. Raises Conflict while the password is too short to stand alone."""
    user = session.get_one(User, _own_id(actor))
    if not is_on(session, user.id):
        return
    if user.password_is_short:
        raise Conflict(
            _(
                "Your password is too short to use without a second factor. Choose one with at least 15 characters"
                " first."
            )
        )
    _remove(session, user)
    audit.record(session, actor, "second_factor.off", subject=f"user/{user.id}")
    outbox.to_user(session, "account_changed", user, event="second_factor.off")


def reset(session: Session, actor: Actor, user: User) -> None:
    """Take a second factor off someone whose phone is lost; the person is told, and signs in again.

    A password that was too short to stand alone goes with it. For accounts.py, which says who may.
    """
    if not is_on(session, user.id):
        raise NotFound
    _remove(session, user)
    if user.password_is_short:
        user.password_hash, user.password_is_short = None, False
    sessions.end_all(session, user.id)
    audit.record(session, actor, "second_factor.reset", subject=f"user/{user.id}")
    outbox.to_user(session, "account_changed", user, event="second_factor.reset")


def complete_sign_in(session: Session, place: Place, code: str, key: bytes, limits: Security) -> Begun | None:
    """Open the session that waits for a code at a place; None for a wrong code. Raises Throttled.

    Raises Conflict when no session waits there (any more).
    """
    user = sessions.awaiting_code(session, place.token)
    if user is None:
        raise Conflict(_("That took too long. Sign in again."))
    if accepts(session, user.id, code, key, known_browsers.of(session, user.id, place.known)):
        return sessions.complete(session, place, limits)
    refusals.note(session, user.id, place)
    return None


def accepts(session: Session, user_id: int, code: str, key: bytes, known: int | None = None) -> bool:
    """Whether a code of the app or a recovery code is right; it never counts again. Raises Throttled.

    `known` is the id of the user's browser: there, tries from elsewhere do not count.
    """
    act, account = (Act.CODE, user_id) if known is None else (Act.KNOWN_CODE, known)
    throttle.attempt(session, act, account=account)
    right = _shows(session, user_id, code, key) or _recovered(session, user_id, code)
    if right:
        throttle.succeeded(session, act, account=account)
    return right


def _shows(session: Session, user_id: int, code: str, key: bytes) -> bool:
    """Whether the app shows this code now, or did or will half a minute away; it counts once."""
    factor = session.get(SecondFactor, user_id)
    if factor is None:
        return False
    totp, given, now = pyotp.TOTP(_secret(factor, key)), "".join(code.split()), clock.now()
    for counter in range(totp.timecode(now) - 1, totp.timecode(now) + 2):
        if not hmac.compare_digest(totp.generate_otp(counter).encode(), given.encode("utf-8", "replace")):
            continue
        later = (SecondFactor.user_id == user_id, SecondFactor.last_counter < counter)
        used = session.execute(
            update(SecondFactor).where(*later).values(last_counter=counter).returning(SecondFactor.user_id)
        )
        if used.one_or_none() is not None:
            return True
    return False


def _recovered(session: Session, user_id: int, code: str) -> bool:
    same = (RecoveryCode.user_id == user_id, RecoveryCode.code_hash == tokens.digest(_plain(code)))
    used = session.execute(
        update(RecoveryCode)
        .where(*same, RecoveryCode.used_at.is_(None))
        .values(used_at=clock.now())
        .returning(RecoveryCode.id)
    )
    return used.first() is not None


def _new_recovery_codes(session: Session, user_id: int) -> list[str]:
    session.execute(delete(RecoveryCode).where(RecoveryCode.user_id == user_id))
    codes = [_grouped(base64.b32encode(secrets.token_bytes(10)).decode().lower()) for _turn in range(RECOVERY_CODES)]
    session.add_all(RecoveryCode(user_id=user_id, code_hash=tokens.digest(_plain(code))) for code in codes)
    return codes


def _remove(session: Session, user: User) -> None:
    for table in (SecondFactor, RecoveryCode):
        session.execute(delete(table).where(table.user_id == user.id))


def _secret(factor: SecondFactor, key: bytes) -> str:
    derived = hmac.new(key, f"second factor {factor.salt}".encode(), hashlib.sha256).digest()
    return base64.b32encode(derived[:20]).decode()


def _grouped(code: str) -> str:
    return "-".join(code[start : start + 4] for start in range(0, len(code), 4))


def _plain(code: str) -> str:
    return "".join(letter for letter in code.lower() if letter.isalnum())


def _own_id(actor: Actor) -> int:
    if actor.user_id is None:
        raise Invalid(_("Only users who sign in have a second factor."))
    return actor.user_id
