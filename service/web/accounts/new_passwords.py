"""Where a password is chosen: the rule for the person who chooses it."""

from service.domain.accounts import passwords, second_factors
from service.domain.accounts.passwords import NewPassword
from service.http import context
from service.storage.models import User


def chosen_by(user: User, password: str) -> NewPassword:
    """What to store of a user's new password; Invalid with the reason for one that will not do. Raises Throttled."""
    with context.counting() as session:
        passwords.attempt(session, account=user.id)
    about = (context.wiring().settings.clinic.name, user.name, user.email)
    return passwords.chosen(password, about=about, second_factor=second_factors.is_on(context.reading(), user.id))


def shortest_for(user: User) -> int:
    """How many characters a user's password needs."""
    with_code = second_factors.is_on(context.reading(), user.id)
    return passwords.SHORTEST_WITH_SECOND_FACTOR if with_code else passwords.SHORTEST
