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
    browser, held, known_clients = context.browser(), g.found, context.wiring().known_clients
    if held is not None and not held.locked:
        known_clients.note(browser.token, held.actor.address or "", is_staff=held.actor.is_staff)
    elif browser.known:
        known_clients.forget(browser.token)
    return response
