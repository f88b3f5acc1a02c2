"""The URL at which a browser finds out whether a change was saved when its commit was not confirmed.

It holds the signed id of the transaction, so that no one can query others.
"""

import hashlib
import hmac
import re

from flask import url_for

from service.http import context

_named = re.compile(r"(\d{1,19})-([0-9a-f]{32})", re.ASCII).fullmatch


def address(transaction: int) -> str:
    """Return the URL to look up a transaction."""
    return url_for("lost_answers.show", change=f"{transaction}-{_signature(transaction)}")


def transaction_of(change: str) -> int | None:
    """Return the transaction that a URL names; None if the signature is wrong."""
    found = _named(change)
    if found is None or not hmac.compare_digest(found[2], _signature(int(found[1]))):
        return None
    return int(found[1])


def _signature(transaction: int) -> str:
    key = context.wiring().secret_key
    return hmac.new(key, f"lost answer {transaction}".encode(), hashlib.sha256).hexdigest()[:32]
