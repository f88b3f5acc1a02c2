"""Tells the server which browsers are signed in, so that they go first under load."""

from http import HTTPStatus

from flask import Flask, Response, g

from service.http import context


def install(app: Flask) -> None:
    """Note the client of each response."""
    app.after_request(_note)


def _note(response: Response) -> Response:
    """Remember the browser of a signed-in user, for staff also the address; forget it after sign-out."""
    if "found" not in g:
        return response
    browser, held, known_clients = context.browser(), g.found, context.wiring().known_clients
    if held is not None and not held.locked:
        # A browser that has used up its budget waits behind the colleagues' browsers until it asks for something else.
        goes_first = held.actor.is_staff and response.status_code != HTTPStatus.TOO_MANY_REQUESTS
        known_clients.note(browser.token, held.actor.address or "", is_staff=goes_first)
    elif browser.known:
        known_clients.forget(browser.token)
    return response
