"""A form whose request ended on the error page: what was typed stands there, to be sent again or copied."""

from dataclasses import dataclass

from flask import current_app, request, url_for
from werkzeug.exceptions import HTTPException

from service.http import context, unsent_forms
from service.language.translation import gettext as _
from service.web import typed
from service.web.typed import TypedField

FINAL = (403, 404, 410)
"""Sending it again would be refused again."""


@dataclass(frozen=True)
class Again:
    """What the error page shows of a form."""

    fields: list[TypedField]
    way_on: str
    action: str | None
    """Where it is sent again; None where it can only be copied."""
    has_file: bool
    page_url: str | None
    page_words: str
    in_new_tab: bool


def again(status: int) -> Again | None:
    """The form of this request, kept for the signed-in user where that helps; None when nothing was typed."""
    fields = unsent_forms.typed()
    if not unsent_forms.has_text(fields):
        return None
    visitor = context.visitor() if status < 500 else None  # it is the database that may have failed
    signed_out = status == 403 and visitor is None
    is_own = unsent_forms.is_own()
    kept = unsent_forms.keep() if visitor is not None and is_own and status != 404 else None
    may_send = is_own and (status not in FINAL or signed_out)
    return Again(
        fields=typed.fields_of(request.path, fields),
        way_on=_way_on(may_send=may_send, is_kept=kept is not None),
        action=_action(kept) if may_send else None,
        has_file=bool(request.files),
        page_url=url_for("sessions.sign_in") if signed_out else _page_of(request.path) if status == 409 else None,
        page_words=_("Sign in") if signed_out else _("Go to its page"),
        in_new_tab=signed_out,
    )


def _way_on(*, may_send: bool, is_kept: bool) -> str:
    if not may_send:
        return _("It wasn't saved. Copy what you need before you leave this page.")
    if is_kept:
        return _(
            "It wasn't saved. Change it here and send it again, or go to its page first: "
            "what you typed is kept for one hour."
        )
    return _("It wasn't saved. Send it again from here, or copy what you need before you leave this page.")


def _action(kept: int | None) -> str:
    path = unsent_forms.address()
    return path if kept is None else f"{path}{'&' if '?' in path else '?'}unsent={kept}"


def _page_of(path: str) -> str | None:
    """The nearest page above a form's address: there people see why it was refused."""
    adapter = current_app.url_map.bind("")
    while path := path.rpartition("/")[0]:
        try:
            adapter.match(path, "GET")
        except HTTPException:
            continue
        return path
    return None
