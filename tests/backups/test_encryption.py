"""A sealed backup opens with its passphrase only, and not when anything of it was changed, cut off or moved."""

from collections.abc import Callable
from pathlib import Path

import pytest

from service.backups import encryption, making, restoring
from service.backups.errors import BackupError
from tests.backups.drill import names, small_clinic
from tests.house import House
from tests.process.launching import configure, run, sentence

pytestmark = pytest.mark.sqlite("a file is sealed, whatever is in it")

WORDS = "slow boats drift home"


def nothing() -> None:
    """Nobody waits."""


@pytest.fixture
def sealed(house: House, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A backup that was made with the passphrase set."""
    small_clinic(house)
    monkeypatch.setattr(encryption, "COST", 2**10)
    monkeypatch.setenv("ROUNDS_BACKUP_PASSPHRASE", WORDS)
    return making.make(house.wiring.database, house.settings).file


def test_o2_a_sealed_backup_shows_nothing_and_opens_with_its_passphrase(house: House, sealed: Path) -> None:
    assert sealed.name.endswith(".zip.sealed")
    content = sealed.read_bytes()
    assert b"PK" not in content[:4]
    assert b"about.json" not in content
    with restoring.opened(sealed, house.settings) as found:
        assert found.about.counts["patients"] == 2


def test_a_file_may_hold_the_passphrase(
    house: House, sealed: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "words").write_text(f"{WORDS}\n")
    monkeypatch.delenv("ROUNDS_BACKUP_PASSPHRASE")
    monkeypatch.setenv("ROUNDS_BACKUP_PASSPHRASE_FILE", str(tmp_path / "words"))
    with restoring.opened(sealed, house.settings) as found:
        assert found.about.counts["patients"] == 2


@pytest.mark.parametrize("words", ["another passphrase", WORDS.upper()])
def test_another_passphrase_does_not_open_it(
    house: House, sealed: Path, monkeypatch: pytest.MonkeyPatch, words: str
) -> None:
    monkeypatch.setenv("ROUNDS_BACKUP_PASSPHRASE", words)
    with pytest.raises(BackupError, match="passphrase is not the one"), restoring.opened(sealed, house.settings):
        pass


def test_one_that_is_easily_guessed_is_refused(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ROUNDS_BACKUP_PASSPHRASE", "short")
    with pytest.raises(BackupError, match="shorter than 12"):
        making.make(house.wiring.database, house.settings)
    assert not house.settings.backups.exists()


def swapped(content: bytes) -> bytes:
    """The first two pieces in each other's place."""
    start, piece = len(encryption.MAGIC) + encryption.SALT + encryption.PREFIX, encryption.PIECE + encryption.TAG
    first, second = content[start : start + piece], content[start + piece : start + 2 * piece]
    return content[:start] + second + first + content[start + 2 * piece :]


@pytest.mark.parametrize(
    "change",
    [
        lambda content: content[:-1],
        lambda content: content[: -(len(content) % 10_000) - 1],
        lambda content: content[:20] + bytes([content[20] ^ 1]) + content[21:],
        lambda content: content[:-9] + bytes([content[-9] ^ 1]) + content[-8:],
        lambda content: content[:45],
        lambda content: content[:39],
        lambda content: content[: 39 + 2 * (encryption.PIECE + encryption.TAG)],
        swapped,
    ],
)
def test_what_was_changed_cut_off_or_moved_does_not_open(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, change: Callable[[bytes], bytes]
) -> None:
    monkeypatch.setattr(encryption, "COST", 2**10)
    (tmp_path / "plain").write_bytes(bytes(range(256)) * 4096 * 2 + b"the end")
    encryption.encrypt(tmp_path / "plain", tmp_path / "sealed", WORDS, nothing)
    encryption.decrypt(tmp_path / "sealed", tmp_path / "again", WORDS, nothing)
    assert (tmp_path / "again").read_bytes() == (tmp_path / "plain").read_bytes()
    (tmp_path / "sealed").write_bytes(change((tmp_path / "sealed").read_bytes()))
    with pytest.raises(BackupError, match="passphrase is not the one"):
        encryption.decrypt(tmp_path / "sealed", tmp_path / "once more", WORDS, nothing)


@pytest.mark.parametrize(
    "size", [0, 1, encryption.PIECE - 1, encryption.PIECE, encryption.PIECE + 1, 2 * encryption.PIECE]
)
def test_every_length_comes_back(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, size: int) -> None:
    monkeypatch.setattr(encryption, "COST", 2**10)
    (tmp_path / "plain").write_bytes(b"x" * size)
    encryption.encrypt(tmp_path / "plain", tmp_path / "sealed", WORDS, nothing)
    encryption.decrypt(tmp_path / "sealed", tmp_path / "again", WORDS, nothing)
    assert (tmp_path / "again").read_bytes() == b"x" * size


def test_the_command_asks_for_the_passphrase(house: House, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    small_clinic(house)
    monkeypatch.setenv("ROUNDS_BACKUP_PASSPHRASE", WORDS)
    file = making.make(house.wiring.database, house.settings).file
    house.wiring.database.close()
    configure(tmp_path)
    assert "ROUNDS_BACKUP_PASSPHRASE" in sentence(run(tmp_path, "restore", str(file), "--yes"))
    (tmp_path / "rounds.db").unlink()
    with restoring.opened(file, house.settings) as found:
        restoring.put_in_place(found, house.settings, lambda _session: None)
    assert names(tmp_path) == ["Lena", "Otto"]
