"""Pages that ask for the password again: a session that was left open is not enough for them."""

from collections.abc import Callable
from functools import wraps
from typing import ParamSpec

from flask import redirect, request, url_for
from flask.typing import ResponseReturnValue

from service.http import context, unsent_forms

Given = ParamSpec("Given")


def needs_proof(view: Callable[Given, ResponseReturnValue]) -> Callable[Given, ResponseReturnValue]:
    """Let a view run only within some minutes after the password was given; before that, to the page that asks.

    A form that came too late for it waits.
    """

    @wraps(view)
    def guarded(*args: Given.args, **kwargs: Given.kwargs) -> ResponseReturnValue:
        if not context.here().proven:
            if request.method == "POST":
                unsent_forms.keep()
            return redirect(url_for("own_account.prove", next=request.full_path.removesuffix("?")), 303)
        return view(*args, **kwargs)

    return guarded
