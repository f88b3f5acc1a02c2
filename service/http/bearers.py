"""API authentication: the bearer token of a request and the user it acts as. Cookies are ignored."""

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
    """The request has no valid token."""


def actor() -> Actor:
    """Return the user that the calling app acts as."""
    return caller().actor


def caller() -> Caller:
    """Return the caller of a route that requires a token."""
    found = known()
    assert found is not None, "access.py lets no one else in"
    return found


def known() -> Caller | None:
    """Return the caller, or None before identify()."""
    return cast("Caller | None", g.get("caller"))


def identify() -> Caller:
    """Authenticate the request by its token, and note the token's use once per minute.

    Raises Unauthorized, and Throttled for a network address that sends many invalid tokens.
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
