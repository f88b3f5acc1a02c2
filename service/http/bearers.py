"""Who calls the API: the token in the Authorization header, and the user it acts as. Cookies say nothing here."""

import re
from typing import cast

from flask import g, request

from service.domain.accounts import api_tokens
from service.domain.accounts.api_tokens import Caller
from service.domain.foundation.actor import Actor
from service.domain.foundation.errors import DomainError
from service.http import context
from service.language.translation import gettext as _

_header = re.compile(r"bearer +(\S+)", re.IGNORECASE | re.ASCII).fullmatch


class Unauthorized(DomainError):
    """The request shows no token that opens anything."""


def actor() -> Actor:
    """The user the calling program acts as."""
    return caller().actor


def caller() -> Caller:
    """Who calls a route that asks for a token."""
    found = known()
    assert found is not None, "access.py lets nobody else in"
    return found


def known() -> Caller | None:
    """Who calls, once identify() knows."""
    return cast("Caller | None", g.get("caller"))


def identify() -> Caller:
    """Who shows the token of this request; its use is noted once a minute.

    Raises Unauthorized, and Throttled for an address that shows many tokens which open nothing.
    """
    shown = _header(request.headers.get("Authorization", ""))
    if shown is None:
        raise Unauthorized(_("Send a token: Authorization: Bearer TOKEN."))
    found = api_tokens.find(context.reading(), shown[1], context.address())
    if found is None:
        with context.transaction() as session:
            api_tokens.refused(session, context.address())
        raise Unauthorized(_("This token isn't valid: it is unknown, expired, or revoked."))
    if found.stale:
        with context.transaction_if_possible("token.touch") as session:
            api_tokens.touch(session, found.token_id)
    g.caller = found
    return found
