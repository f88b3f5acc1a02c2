"""Encrypt backups with a passphrase: scrypt for the key, AES-GCM for each piece, including its order and the end."""

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
"""scrypt's n: each guess takes 64 MiB and a fifth of a second."""

Keep = Callable[[], None]
WRONG = "The passphrase is not the one this backup was encrypted with, or the file is damaged."


def passphrase() -> str:
    """Return the passphrase for backups; empty means no encryption. Raises BackupError if it is too short."""
    said = keys.secret(VARIABLE)
    if said and len(said) < SHORTEST:
        raise BackupError(f"{VARIABLE} is shorter than {SHORTEST} characters: choose a longer one.")
    return said


def is_encrypted(file: Path) -> bool:
    """Return whether a file is an encrypted backup."""
    with file.open("rb") as source:
        return source.read(len(MAGIC)) == MAGIC


def encrypt(source: Path, target: Path, words: str, keep: Keep) -> None:
    """Encrypt `source` with the passphrase `words`, and write it to the new file `target`."""
    from cryptography.hazmat.primitives.ciphers.aead import AESGCM  # imported here: only encrypted backups need it

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


def decrypt(source: Path, target: Path, words: str, keep: Keep) -> None:
    """Decrypt `source` to the new file `target`. Raises BackupError for a wrong passphrase or a damaged file."""
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
    """Each piece has its own nonce, so a file with reordered or missing pieces fails to decrypt."""
    return prefix + number.to_bytes(4, "big") + bytes([last])
