"""Forms that were refused, or submitted after sign-out: kept for their user, who gets them back."""

from collections.abc import Sequence
from datetime import timedelta

from sqlalchemy import delete, select
from sqlalchemy.orm import Session

from service import clock
from service.domain.foundation.actor import Actor
from service.storage.models import SignIn, UnsentForm, User

KEPT_FOR = timedelta(hours=1)
LONGEST = 200_000
"""Characters of one form."""
MOST = 5
"""Forms of one user."""


def keep(session: Session, token_hash: str, path: str, fields: dict[str, list[str]]) -> int | None:
    """Keep a form for the user of a session that is open, or over by time; returns its number.

    None for a token that never was a session or whose session someone ended, and for a huge form.
    """
    if len(path) > 500 or sum(len(value) for values in fields.values() for value in values) > LONGEST:
        return None
    user_id = session.scalar(
        select(SignIn.user_id)
        .join(User, User.id == SignIn.user_id)
        .where(SignIn.token_hash == token_hash, SignIn.ended_at.is_(None))  # over by time, not ended by someone
        .where(SignIn.awaits_code.is_(False), User.disabled_at.is_(None))
        .with_for_update(of=SignIn)
    )
    if user_id is None:
        return None
    session.execute(delete(UnsentForm).where(UnsentForm.user_id == user_id, UnsentForm.path == path))
    newest = select(UnsentForm.id).where(UnsentForm.user_id == user_id).order_by(UnsentForm.id.desc()).limit(MOST - 1)
    session.execute(delete(UnsentForm).where(UnsentForm.user_id == user_id, UnsentForm.id.not_in(newest)))
    form = UnsentForm(user_id=user_id, path=path, fields=dict(fields), kept_at=clock.now())
    session.add(form)
    session.flush()
    return form.id


def of_user(session: Session, actor: Actor) -> Sequence[UnsentForm]:
    """The actor's kept forms, the newest first."""
    own = (UnsentForm.user_id == actor.user_id, UnsentForm.kept_at > clock.now() - KEPT_FOR)
    return session.scalars(select(UnsentForm).where(*own).order_by(UnsentForm.id.desc())).all()


def forget(session: Session, actor: Actor, form_id: int) -> None:
    """Remove a kept form of the actor: it was sent on, or is not wanted any more."""
    session.execute(delete(UnsentForm).where(UnsentForm.id == form_id, UnsentForm.user_id == actor.user_id))


def prune(session: Session) -> None:
    """Remove forms no one came back for."""
    session.execute(delete(UnsentForm).where(UnsentForm.kept_at < clock.now() - KEPT_FOR))
