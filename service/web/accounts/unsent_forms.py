"""What someone had typed when their session ended or the form was refused: to be sent again, or thrown away."""

from flask import Blueprint, redirect, render_template, url_for
from flask.typing import ResponseReturnValue

from service.domain.accounts import unsent_forms
from service.http import context
from service.http import unsent_forms as unsent
from service.storage.models import UnsentForm
from service.web import notices, typed
from service.web.accounts.sessions import back_to

blueprint = Blueprint("unsent_forms", __name__)


@blueprint.get("/unsent-forms")
def show() -> ResponseReturnValue:
    """The form that was kept last; home when there is none."""
    kept = unsent_forms.of_user(context.reading(), context.actor())
    if not kept:
        unsent.none_waits()
        return redirect(url_for("home.home"), 303)
    page = back_to(kept[0].path)
    return render_template(
        "accounts/unsent_form.html",
        kept=kept[0],
        fields=typed.fields_of(kept[0].path, kept[0].fields),
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


def _action(kept: UnsentForm) -> str:
    """Where it goes, and which one is done with then."""
    return f"{kept.path}{'&' if '?' in kept.path else '?'}unsent={kept.id}"
