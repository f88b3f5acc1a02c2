"""What somebody had typed when their session ended: shown again after signing in, to be sent or thrown away."""

import re
from dataclasses import dataclass

from flask import Blueprint, redirect, render_template, url_for
from flask.typing import ResponseReturnValue

from service.domain.accounts import unsent_forms
from service.http import context
from service.storage.models import UnsentForm
from service.web import notices
from service.web.accounts.sessions import back_to

blueprint = Blueprint("unsent_forms", __name__)

UNSEEN = frozenset({"act", "any", "back", "confirm", "kind", "next", "starts_at", "version"})
"""Fields that no person typed; so are those that end with `_id`."""
LINE = 60


@dataclass(frozen=True)
class Field:
    """One value of the form."""

    name: str
    value: str

    @property
    def label(self) -> str:
        """The name as a person reads it."""
        return self.name.replace("_", " ").capitalize()

    @property
    def is_hidden(self) -> bool:
        """Whether the value goes along unseen."""
        return self.name in UNSEEN or self.name.endswith("_id")

    @property
    def is_day(self) -> bool:
        """Whether it is chosen from a calendar."""
        return re.fullmatch(r"\d{4}-\d\d-\d\d", self.value) is not None

    @property
    def is_long(self) -> bool:
        """Whether the text needs more than one line."""
        return "\n" in self.value or len(self.value) > LINE


@blueprint.get("/unsent-forms")
def show() -> ResponseReturnValue:
    """The form that was sent last after its session had ended; home when there is none."""
    kept = unsent_forms.of_user(context.reading(), context.actor())
    if not kept:
        return redirect(url_for("home.home"), 303)
    page = back_to(kept[0].path)
    return render_template(
        "accounts/unsent_form.html",
        kept=kept[0],
        fields=_fields(kept[0]),
        action=_action(kept[0]),
        page_url=None if page == url_for("home.home") else page,
        more=len(kept) - 1,
    )


@blueprint.post("/unsent-forms/<row_id:form_id>/removal")
def discard(form_id: int) -> ResponseReturnValue:
    """Throw a form away."""
    with context.transaction() as session:
        unsent_forms.forget(session, context.actor(), form_id)
    notices.say("form_discarded")
    return redirect(url_for("unsent_forms.show"), 303)


def _fields(kept: UnsentForm) -> list[Field]:
    return [Field(name, value) for name, values in kept.fields.items() for value in values]


def _action(kept: UnsentForm) -> str:
    """Where it goes, and which one is done with then."""
    return f"{kept.path}{'&' if '?' in kept.path else '?'}unsent={kept.id}"
