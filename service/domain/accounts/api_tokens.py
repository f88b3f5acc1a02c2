"""API tokens: created once, limited by scopes, revocable at any time."""

import secrets
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum

from sqlalchemy import ColumnElement, delete, or_, select, update
from sqlalchemy.orm import Session

from service import clock
from service.domain.accounts import acting, addresses
from service.domain.accounts.acting import Who
from service.domain.foundation import audit, throttle, tokens
from service.domain.foundation.actor import Actor, Role
from service.domain.foundation.errors import Conflict, Invalid, NotFound
from service.domain.foundation.throttle import Act
from service.language.translation import gettext as _
from service.storage.models import ApiToken, Doctor, IdempotencyKey, User

PREFIX = "rounds_"
"""So that a token is known for one where it should not lie."""
LONGEST_LABEL = 60
LONGEST_DAYS = 3650
MOST = 20
"""Usable tokens of one user."""
MOST_SHOWN = 200
TOUCH_AFTER = timedelta(minutes=1)


class Scope(StrEnum):
    """What a token opens of what its user may."""

    READ = "read"
    BOOK = "book"
    CLINICAL = "clinical"


@dataclass(frozen=True)
class Caller:
    """Whom a request of the API comes from."""

    actor: Actor
    token_id: int
    scopes: frozenset[Scope]
    stale: bool
    """Whether its use should be noted."""


@dataclass(frozen=True)
class Shown:
    """A token in a list, which is all that is known of it."""

    token: ApiToken
    user: User
    expired: bool

    @property
    def scopes(self) -> Sequence[str]:
        """Its scopes, in words of their own."""
        return self.token.scopes.split()


def make(
    session: Session,
    actor: Actor,
    user: User,
    *,
    label: str,
    scopes: Collection[str],
    days: int | None,
) -> str:
    """A new token of a user, for them or for the person who sits at the computer itself; told this once.

    It works for so many days, or until it is revoked. Raises NotFound for another's account, Invalid, and Conflict
    for a closed account or one with too many.
    """
    if actor.role != Role.SYSTEM and actor.user_id != user.id:
        raise NotFound
    if user.disabled_at is not None:
        raise Conflict(_("This account is closed. An administrator can reopen it."))
    session.execute(select(User.id).where(User.id == user.id).with_for_update())
    if len(session.scalars(select(ApiToken.id).where(ApiToken.user_id == user.id, _usable())).all()) >= MOST:
        raise Conflict(_("This account already has %(count)s active tokens. Revoke one first.") % {"count": MOST})
    secret, now = PREFIX + secrets.token_urlsafe(32), clock.now()
    token = ApiToken(
        user_id=user.id,
        label=_checked_label(label),
        token_hash=tokens.digest(secret),
        scopes=" ".join(_checked_scopes(scopes)),
        created_at=now,
        expires_at=now + timedelta(days=_checked_days(days)) if days is not None else None,
    )
    session.add(token)
    session.flush()
    audit.record(session, actor, "token.make", subject=f"token/{token.id}", changes={"user_id": [None, user.id]})
    return secret


def by_email(session: Session, email: str) -> User:
    """The user with an address. Raises NotFound with a sentence, for a command."""
    found = addresses.holder(session, email)
    if found is None:
        raise NotFound(_("No account has the address %(email)s.") % {"email": email})
    return found.user


def find(session: Session, secret: str, address: str) -> Caller | None:
    """Return whom a token acts for; None if it's unknown, expired, or revoked, or its account is closed."""
    row = session.execute(
        select(ApiToken, User, Doctor.id)
        .join(User, User.id == ApiToken.user_id)
        .outerjoin(Doctor, acting.BEHIND)
        .where(ApiToken.token_hash == tokens.digest(secret), _usable(), User.disabled_at.is_(None))
    ).one_or_none()
    if row is None:
        return None
    token, user, doctor_id = row
    used = token.last_used_at
    return Caller(
        actor=acting.actor(session, Who(user.id, user.name, Role(user.role), doctor_id), address),
        token_id=token.id,
        scopes=frozenset(map(Scope, token.scopes.split())),
        stale=used is None or used < clock.now() - TOUCH_AFTER,
    )


def touch(session: Session, token_id: int) -> None:
    """Note that a token was used just now."""
    session.execute(update(ApiToken).where(ApiToken.id == token_id).values(last_used_at=clock.now()))


def refused(session: Session, address: str) -> None:
    """Count a token that opened nothing. Raises Throttled for an address that tries too many."""
    throttle.attempt(session, Act.API_TOKEN, network=address)


def of_user(session: Session, actor: Actor) -> Sequence[Shown]:
    """The actor's own tokens that are not revoked, the newest first."""
    return _listed(session, ApiToken.user_id == actor.user_id)


def of_all(session: Session, actor: Actor) -> Sequence[Shown]:
    """Everyone's tokens that are not revoked, the newest first, at most 200. Raises NotFound for all but the admin."""
    if actor.role != Role.ADMIN:
        raise NotFound
    return _listed(session, ApiToken.id > 0)


def revoke(session: Session, actor: Actor, token_id: int) -> None:
    """Make a token worthless: one's own, or for the admin anyone's. Twice is once. Raises NotFound."""
    token = session.get(ApiToken, token_id, with_for_update=True)
    if token is None or (actor.role != Role.ADMIN and token.user_id != actor.user_id):
        raise NotFound
    if token.revoked_at is None:
        token.revoked_at = clock.now()
        audit.record(session, actor, "token.revoke", subject=f"token/{token.id}")


def revoke_all(session: Session, user_id: int) -> None:
    """Make all tokens of a user worthless: their password or role is another one now, or the account is closed."""
    theirs = ApiToken.user_id == user_id, ApiToken.revoked_at.is_(None)
    session.execute(update(ApiToken).where(*theirs).values(revoked_at=clock.now()))


def prune(session: Session) -> None:
    """Remove tokens that have been over for a month, with what was done under their keys."""
    long_ago = clock.now() - timedelta(days=30)
    over = select(ApiToken.id).where(or_(ApiToken.expires_at < long_ago, ApiToken.revoked_at < long_ago))
    session.execute(delete(IdempotencyKey).where(IdempotencyKey.token_id.in_(over)))
    session.execute(delete(ApiToken).where(ApiToken.id.in_(over)))


def _listed(session: Session, whose: ColumnElement[bool]) -> Sequence[Shown]:
    query = select(ApiToken, User).join(User, User.id == ApiToken.user_id).where(whose, ApiToken.revoked_at.is_(None))
    now = clock.now()
    return [
        Shown(token, user, token.expires_at is not None and token.expires_at <= now)
        for token, user in session.execute(query.order_by(ApiToken.id.desc()).limit(MOST_SHOWN))
    ]


def _usable() -> ColumnElement[bool]:
    return ApiToken.revoked_at.is_(None) & or_(ApiToken.expires_at.is_(None), ApiToken.expires_at > clock.now())


def _checked_label(text: str) -> str:
    label = text.strip()
    if not 1 <= len(label) <= LONGEST_LABEL or not label.isprintable():
        sentence = _("Name the app that will use this token, in at most %(count)s characters.") % {
            "count": LONGEST_LABEL
        }
        raise Invalid(sentence, "label")
    return label


def _checked_scopes(scopes: Collection[str]) -> Sequence[str]:
    """The scopes in their usual order. Raises Invalid for none, or one that does not exist."""
    if not scopes or not set(scopes) <= set(Scope):
        raise Invalid(_("Choose at least one permission."), "scopes")
    return [scope for scope in Scope if scope in scopes]


def _checked_days(days: int) -> int:
    if not 1 <= days <= LONGEST_DAYS:
        raise Invalid(_("Choose 1 to %(count)s days.") % {"count": LONGEST_DAYS}, "days")
    return days
