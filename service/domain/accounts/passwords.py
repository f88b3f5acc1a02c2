"""Password rules (NIST 800-63B-4), and argon2id with a limit on concurrent hashing."""

import ctypes
import re
import secrets
import unicodedata
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import cache
from threading import BoundedSemaphore, Lock

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError
from sqlalchemy.orm import Session

from service.domain.foundation import throttle
from service.domain.foundation.errors import Invalid, Throttled
from service.domain.foundation.throttle import Act
from service.language.translation import gettext as _

SHORTEST = 15
SHORTEST_WITH_SECOND_FACTOR = 8
LONGEST = 1000
EASY = 6.5
"""A password that is guessed within 10 to the power of this is refused: three million tries.

A row of eight random letters takes 10^8.
"""
SURELY_LONG = 64
"""From so many characters on nothing but a key held down is refused."""
ESTIMATED = 24
"""So many characters at either end are estimated: the time grows with the square, and signs that stand for letters
multiply it. Sixty-four of those took seconds."""
FEW_LETTERS = 4
"""A password with fewer characters besides what others know is made of that."""
RETRY_AFTER = 5
"""Seconds until someone whose password could not be estimated sends it again."""

# glibc would keep the 19 MiB of a hash once for each thread that made one; so they go back at once. Elsewhere: nothing.
with suppress(OSError, AttributeError, TypeError):
    ctypes.CDLL(None).mallopt(-3, 1024 * 1024)  # M_MMAP_THRESHOLD

_hasher = PasswordHasher(time_cost=2, memory_cost=19 * 1024, parallelism=1)
_room = BoundedSemaphore(4)  # 19 MiB each: a rush of sign-ins must not fill the memory
_one_estimates = Lock()
"""The estimator keeps its process busy, and takes what is known of one person into a table that all threads share."""
_line = BoundedSemaphore(3)
"""One at work and two who wait for it: others would hold up the threads that everyone's pages come from."""
_between_words = str.maketrans("", "", " -_.,!?")
_repeated = re.compile(r"(.{1,12}?)\1+", re.DOTALL).fullmatch


def attempt(session: Session, *, account: object = None, email: str | None = None, network: str | None = None) -> None:
    """Count a password that someone wants to choose, before it is estimated. Raises Throttled."""
    throttle.attempt(session, Act.NEW_PASSWORD, account=account, email=email, network=network)


def check(password: str, *, about: Sequence[str] = (), second_factor: bool = False) -> str:
    """Return the password if it may be one; Invalid with the reason otherwise.

    `about` holds what others know: the clinic's name, the person's name and address. With a second factor a shorter
    one will do. There is no rule on what it is made of, and no expiry. Raises Throttled while others are estimated.
    """
    shortest = SHORTEST_WITH_SECOND_FACTOR if second_factor else SHORTEST
    if len(password) < shortest:
        raise Invalid(
            _("Use at least %(count)s characters. A short sentence works well.") % {"count": shortest}, "password"
        )
    if len(password) > LONGEST:
        raise Invalid(_("Use at most %(count)s characters.") % {"count": LONGEST}, "password")
    reason = _weakness(_normalised(password).casefold(), about)
    if reason:
        raise Invalid(reason, "password")
    return password


def take_as_long() -> None:
    """Spend the time of a hash: the row more that is written for a known address does not show beside it."""
    matches(None, "")


@dataclass(frozen=True)
class NewPassword:
    """A password that someone has chosen, as it is stored."""

    hash: str
    is_short: bool
    """Whether it may only stand beside a second factor."""


def chosen(password: str, *, about: Sequence[str] = (), second_factor: bool = False) -> NewPassword:
    """What to store of a password that passes check(); Invalid for another one."""
    check(password, about=about, second_factor=second_factor)
    return NewPassword(hashed(password), len(password) < SHORTEST)


def hashed(password: str) -> str:
    """The argon2id hash of a password that passed check(); about 30 ms."""
    with _room:
        return _hasher.hash(_encoded(password))


def matches(stored: str | None, password: str) -> bool:
    """Whether the password is the stored one; takes as long when there is none, so that no account can be guessed."""
    nobodys = _nobody()  # also where it is not needed: the first sign-in takes as long for an unknown address
    with _room:
        try:
            return _hasher.verify(stored or nobodys, _encoded(password)) and stored is not None
        except (VerificationError, InvalidHashError):
            return False


@cache
def _nobody() -> str:
    """The hash of a password that no one has; made when it is first needed, which a command never does."""
    return _hasher.hash(secrets.token_hex(16))


def _encoded(password: str) -> bytes:
    return _normalised(password).encode("utf-8", "surrogatepass")


def _normalised(password: str) -> str:
    """The same for every keyboard that writes the same signs."""
    return unicodedata.normalize("NFKC", password)


def _weakness(password: str, about: Sequence[str]) -> str:
    """Return a sentence that says why it is easy to guess, or an empty text. Tried as typed and without separators."""
    if len(set(password)) < 4:
        return _("This password is too easy to guess. Use a few different words.")
    if len(password) > SURELY_LONG:
        return ""
    known, squeezed = _known_words(about), password.translate(_between_words)
    if _is_made_of(squeezed, known):
        return _of_what_is_known()
    with _turn():
        return _guessed(password, known) or (_guessed(squeezed, known) if squeezed != password else "")


@contextmanager
def _turn() -> Iterator[None]:
    """One password is estimated at a time. Raises Throttled when some wait already."""
    if not _line.acquire(blocking=False):
        raise Throttled(_("The server is busy checking other passwords. Try again in a few seconds."), RETRY_AFTER)
    try:
        with _one_estimates:
            yield
    finally:
        _line.release()


def _known_words(about: Sequence[str]) -> list[str]:
    """Everything others know, whole, without gaps, and word by word."""
    texts = [_normalised(text).casefold() for text in (*about, "rounds")]
    words = [word for text in texts for word in text.replace("@", " ").replace(".", " ").split() if len(word) > 2]
    return [*texts, *(text.translate(_between_words) for text in texts), *words]


def _of_what_is_known() -> str:
    return _("This password is too easy to guess: it's made of the clinic's name, your name, or your e-mail address.")


def _is_made_of(password: str, known: Sequence[str]) -> bool:
    """Whether next to nothing is left of it without what others know."""
    for word in sorted(known, key=len, reverse=True):
        password = password.replace(word, "") if word else password
    return len(password) < FEW_LETTERS


def _guessed(password: str, known: list[str]) -> str:
    """Why both ends of it would be guessed soon; empty when one of them would not."""
    repeated = _repeated(password)
    if repeated:
        password = repeated[1] * 2  # cut in the middle of a turn, what is left of it would look like something new
    ends = dict.fromkeys((password[:ESTIMATED], password[-ESTIMATED:]))
    reasons = [_estimated(end, known) for end in ends if end]
    return reasons[0] if all(reasons) and reasons else ""


def _estimated(password: str, known: list[str]) -> str:
    from zxcvbn import zxcvbn  # 14 MB of words, only in a process in which someone chooses a password

    found = zxcvbn(password, user_inputs=known)
    if found["guesses_log10"] >= EASY:
        return ""
    kinds = {match.get("dictionary_name", match["pattern"]) for match in found["sequence"]}
    if "user_inputs" in kinds:
        return _of_what_is_known()
    if "repeat" in kinds:
        return _("This password is too easy to guess: it repeats itself.")
    if kinds & {"sequence", "spatial"}:
        return _("This password is too easy to guess: it's a sequence of letters, numbers, or neighboring keys.")
    return _("This password is too easy to guess: many people use it, so attackers try it first.")
