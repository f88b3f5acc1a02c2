"""The first start's answers until its last page: in memory, each browser its own; and who may give them."""

from dataclasses import dataclass, field
from typing import Any, cast

import wtforms
from flask import current_app
from werkzeug.datastructures import MultiDict

from service.domain.accounts import users
from service.domain.clinic import setting_up
from service.domain.clinic.setting_up import FirstDoctor
from service.domain.foundation.errors import Invalid, NotFound
from service.http import context
from service.language.translation import gettext as _
from service.web.forms import Form

PAGES = ("clinic", "reach", "doctor", "mail")
MOST = 20
"""Browsers whose answers are kept; the oldest go."""


@dataclass
class Filled:
    """A page that was saved: what was typed, and what it means."""

    typed: MultiDict[str, str]
    answers: dict[str, Any] = field(default_factory=dict)
    secret: str = ""
    doctor: FirstDoctor | None = None


@dataclass
class Draft:
    """What one browser has answered so far."""

    knows_code: bool = False
    pages: dict[str, Filled] = field(default_factory=dict)

    @property
    def answers(self) -> dict[str, Any]:
        """All settings that were answered."""
        return {key: value for page in self.pages.values() for key, value in page.answers.items()}

    @property
    def password(self) -> str:
        """Of the mail server, where one was typed."""
        return self.pages["mail"].secret if "mail" in self.pages else ""

    @property
    def doctor(self) -> FirstDoctor | None:
        """The first doctor, where one was named."""
        return self.pages["doctor"].doctor if "doctor" in self.pages else None


def mine() -> Draft:
    """This browser's draft; a new one is kept from its first answer on."""
    return _drafts().get(context.browser().token, Draft())


def keep(draft: Draft) -> None:
    """Keep this browser's draft."""
    drafts = _drafts()
    drafts.pop(context.browser().token, None)
    drafts[context.browser().token] = draft
    for oldest in list(drafts)[:-MOST]:
        drafts.pop(oldest, None)


def forget_all() -> None:
    """Setup is over."""
    _drafts().clear()


def only_while_empty() -> None:
    """Raise NotFound once a user exists."""
    if not users.none_exist(context.reading()):
        raise NotFound


def needs_code() -> bool:
    """Whether this browser still has to show the code: it is on another computer."""
    return not context.is_at_this_computer() and not mine().knows_code


def knows_code(form: Form) -> bool:
    """Whether the asker sits at this computer or read the code off its console; refuses the form otherwise.

    Raises Throttled for an address that guesses.
    """
    if not needs_code():
        return True
    typed = (cast(wtforms.StringField, form["setup_code"]).data or "").strip()
    if typed:
        with context.transaction() as session:
            if setting_up.is_code(session, typed, context.wiring().setup_code, context.address()):
                return True
    form.refuse(Invalid(_("Enter the setup code. It is in the console where Rounds was started."), "setup_code"))
    return False


def _drafts() -> dict[str, Draft]:
    return cast("dict[str, Draft]", current_app.extensions.setdefault("setup drafts", {}))
