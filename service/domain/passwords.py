"""Passwords: what may be one (NIST 800-63B-4), and argon2id with a bound on how many run at once."""

import ctypes
import secrets
from contextlib import suppress
from threading import BoundedSemaphore

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

from service.domain.errors import Invalid
from service.translation import gettext as _

SHORTEST = 15
LONGEST = 1000

# glibc would keep the 19 MiB of a hash once for each thread that made one; so they go back at once. Elsewhere: nothing.
with suppress(OSError, AttributeError, TypeError):
    ctypes.CDLL(None).mallopt(-3, 1024 * 1024)  # M_MMAP_THRESHOLD

_hasher = PasswordHasher(time_cost=2, memory_cost=19 * 1024, parallelism=1)
_room = BoundedSemaphore(4)  # 19 MiB each: a rush of sign-ins must not fill the memory
_nobody = _hasher.hash(secrets.token_hex(16))


def check(password: str) -> str:
    """Return the password if it may be one; Invalid otherwise. No rule on what it is made of, and no expiry."""
    if len(password) < SHORTEST:
        raise Invalid(
            _("Use at least %(count)s characters; a short sentence is fine.") % {"count": SHORTEST}, "password"
        )
    if len(password) > LONGEST:
        raise Invalid(_("Use at most %(count)s characters.") % {"count": LONGEST}, "password")
    if len(set(password)) < 4:
        raise Invalid(_("This one is too easy to guess: use a few different words."), "password")
    return password


def hashed(password: str) -> str:
    """The argon2id hash of a password that passed check(); about 30 ms."""
    with _room:
        return _hasher.hash(password.encode("utf-8", "surrogatepass"))


def matches(stored: str | None, password: str) -> bool:
    """Whether the password is the stored one; takes as long when there is none, so that no account can be guessed."""
    with _room:
        try:
            return _hasher.verify(stored or _nobody, password.encode("utf-8", "surrogatepass")) and stored is not None
        except (VerificationError, InvalidHashError):
            return False
