"""Tells the server's door who is signed in, so that a crowd does not keep them out."""

from flask import Flask, Response, g

from service.http import context


def install(app: Flask) -> None:
    """Look at each answer."""
    app.after_request(_note)


def _note(response: Response) -> Response:
    """Whoever is signed in is known by browser, staff by address too; whoever is not any more is forgotten."""
    if "found" not in g:
        return response
    browser, held, regulars = context.browser(), g.found, context.wiring().regulars
    if held is not None and not held.locked:
        regulars.note(browser.token, held.actor.address or "", is_staff=held.actor.is_staff)
    elif browser.known:
        regulars.forget(browser.token)
    return response
