"""Signing in by a mailed link, where the clinic's settings allow it."""

from flask import Blueprint, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue

from service.domain.accounts import passwords, sign_in_links
from service.domain.foundation.errors import Conflict, NotFound
from service.http import context
from service.web import notices
from service.web.accounts import browsers
from service.web.accounts.password_reset import AskForm
from service.web.accounts.sessions import go_on

blueprint = Blueprint("sign_in_links", __name__)


@blueprint.route("/sign-in/link", methods=["GET", "POST"])
def ask() -> ResponseReturnValue:
    """Ask for a link; the answer is the same whether the address is known or not."""
    _only_where_allowed()
    form = AskForm(request.form if request.method == "POST" else None)
    if request.method == "POST" and form.validate():
        with context.transaction() as session:
            sign_in_links.ask(session, form.email.data or "", context.address())
        passwords.take_as_long()
        notices.say("link_asked" if context.wiring().settings.email.enabled else "no_link_by_email")
        return redirect(url_for("sessions.sign_in"), 303)
    return render_template("accounts/sign_in_links/ask.html", form=form), 422 if request.method == "POST" else 200


@blueprint.route("/sign-in/<token>", methods=["GET", "POST"])
def use(token: str) -> ResponseReturnValue:
    """GET only shows a button, because mail scanners open links; POST signs in and uses the link up."""
    _only_where_allowed()
    user = sign_in_links.asked(context.reading(), token)
    if user is None:
        return render_template("accounts/sign_in_links/dead.html"), 410
    if request.method != "POST":
        return render_template("accounts/sign_in_links/use.html", name=user.name)
    try:
        with context.transaction() as session:
            begun = sign_in_links.use(session, token, browsers.here(), context.wiring().settings.security)
    except Conflict:
        return render_template("accounts/sign_in_links/dead.html"), 410
    return go_on(begun, "")


def _only_where_allowed() -> None:
    if not context.wiring().settings.security.sign_in_links:
        raise NotFound
