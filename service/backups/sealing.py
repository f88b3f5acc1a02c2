"""Backups closed with a passphrase: scrypt makes the key, AES-GCM seals piece after piece; order and end count too."""

import hashlib
import secrets
from collections.abc import Callable
from pathlib import Path

from service import disk
from service.backups.errors import BackupError
from service.config import keys

MAGIC = b"ROUNDS SEALED 1\n"
VARIABLE = "ROUNDS_BACKUP_PASSPHRASE"
SHORTEST = 12
PIECE = 1024 * 1024
TAG = 16
SALT = 16
PREFIX = 7
COST = 2**16
"""scrypt's n: 64 MiB and a fifth of a second for each guess."""

Keep = Callable[[], None]
WRONG = "The passphrase is not the one this backup was sealed with, or the file is damaged."


def passphrase() -> str:
    """What backups are sealed with; empty: they are not. Raises BackupError for one that is easily guessed."""
    said = keys.secret(VARIABLE)
    if said and len(said) < SHORTEST:
        raise BackupError(f"{VARIABLE} is shorter than {SHORTEST} characters: choose a longer one.")
    return said


def is_sealed(file: Path) -> bool:
    """Whether a file is a sealed backup."""
    with file.open("rb") as source:
        return source.read(len(MAGIC)) == MAGIC


def seal(source: Path, target: Path, words: str, keep: Keep) -> None:
    """Write `source` to the new file `target`, closed with the passphrase `words`."""
    from cryptography.hazmat.primitives.ciphers.aead import AESGCM  # only sealed backups pay for its loading

    salt, prefix = secrets.token_bytes(SALT), secrets.token_bytes(PREFIX)
    header = MAGIC + salt + prefix
    cipher = AESGCM(_key(words, salt))
    with source.open("rb") as plain, disk.new(target) as closed:
        closed.write(header)
        piece, number = plain.read(PIECE), 0
        while True:
            following = plain.read(PIECE)
            closed.write(cipher.encrypt(_nonce(prefix, number, last=not following), piece, header))
            keep()
            if not following:
                return
            piece, number = following, number + 1


def unseal(source: Path, target: Path, words: str, keep: Keep) -> None:
    """Write what a sealed file holds to the new file `target`. Raises BackupError for another passphrase or damage."""
    from cryptography.exceptions import InvalidTag
    from cryptography.hazmat.primitives.ciphers.aead import AESGCM

    with source.open("rb") as closed, disk.new(target) as plain:
        header = closed.read(len(MAGIC) + SALT + PREFIX)
        salt, prefix = header[len(MAGIC) : -PREFIX], header[-PREFIX:]
        cipher = AESGCM(_key(words, salt))
        piece, number = closed.read(PIECE + TAG), 0
        while True:
            following = closed.read(PIECE + TAG)
            try:
                plain.write(cipher.decrypt(_nonce(prefix, number, last=not following), piece, header))
            except (InvalidTag, ValueError):
                raise BackupError(WRONG) from None
            keep()
            if not following:
                return
            piece, number = following, number + 1


def _key(words: str, salt: bytes) -> bytes:
    return hashlib.scrypt(words.encode(), salt=salt, n=COST, r=8, p=1, maxmem=128 * 1024 * 1024, dklen=32)


def _nonce(prefix: bytes, number: int, *, last: bool) -> bytes:
    """Each piece has its own: pieces cannot change places, and a file that was cut off does not open."""
    return prefix + number.to_bytes(4, "big") + bytes([last])
