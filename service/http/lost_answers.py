"""The address at which a browser learns what became of a change whose commit was not answered.

It holds the number of the transaction, signed, so that nobody can ask about all of them.
"""

import hashlib
import hmac
import re

from flask import url_for

from service.http import context

_named = re.compile(r"(\d{1,19})-([0-9a-f]{32})", re.ASCII).fullmatch


def address(transaction: int) -> str:
    """Where to look a transaction up."""
    return url_for("lost_answers.show", change=f"{transaction}-{_signature(transaction)}")


def transaction_of(change: str) -> int | None:
    """The transaction that an address names; None for an address that is not ours."""
    found = _named(change)
    if found is None or not hmac.compare_digest(found[2], _signature(int(found[1]))):
        return None
    return int(found[1])


def _signature(transaction: int) -> str:
    key = context.wiring().secret_key
    return hmac.new(key, f"lost answer {transaction}".encode(), hashlib.sha256).hexdigest()[:32]
