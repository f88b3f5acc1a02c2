"""Files on the disk: whole or not at all, for their owner, with nothing left beside them."""

import os
import stat
from pathlib import Path

import pytest

from service import disk

pytestmark = pytest.mark.skipif(os.name == "nt", reason="modes are Unix's")


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """A file that has its content."""
    file = tmp_path / "sheet.html"
    file.write_bytes(b"before")
    return file


def names(file: Path) -> list[str]:
    return sorted(one.name for one in file.parent.iterdir())


def full(*_args: object, **_named: object) -> None:
    raise OSError(28, "No space left on device")


@pytest.mark.parametrize("one_writer", [False, True])
def test_the_new_file_takes_the_place_only_at_the_end(file: Path, one_writer: bool) -> None:
    with disk.replacing(file, one_writer=one_writer) as target:
        target.write(b"after")
        assert file.read_bytes() == b"before"
    assert file.read_bytes() == b"after"
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert names(file) == [file.name]


@pytest.mark.parametrize("one_writer", [False, True])
@pytest.mark.parametrize("call", ["fsync", "replace"])
def test_a_full_disk_leaves_the_old_file_and_nothing_else(
    file: Path, monkeypatch: pytest.MonkeyPatch, call: str, one_writer: bool
) -> None:
    monkeypatch.setattr(os, call, full)
    with (
        pytest.raises(OSError, match="No space left on device"),
        disk.replacing(file, one_writer=one_writer) as target,
    ):
        target.write(b"after")
    assert file.read_bytes() == b"before"
    assert names(file) == [file.name]


@pytest.mark.parametrize("end", [ValueError, KeyboardInterrupt])
def test_a_writer_that_gives_up_leaves_the_old_file_and_nothing_else(file: Path, end: type[BaseException]) -> None:
    def give_up() -> None:
        with disk.replacing(file) as target:
            target.write(b"after")
            raise end

    with pytest.raises(end):
        give_up()
    assert file.read_bytes() == b"before"
    assert names(file) == [file.name]


def test_two_writers_at_once_do_not_mix(file: Path) -> None:
    with disk.replacing(file) as first, disk.replacing(file) as second:
        first.write(b"first")
        second.write(b"second")
    assert file.read_bytes() == b"first", "it ended last"
    assert names(file) == [file.name]


def test_one_writer_writes_over_what_a_killed_one_left(file: Path) -> None:
    file.with_name(f"{file.name}.part").write_bytes(b"longer than what comes now")
    with disk.replacing(file, one_writer=True) as target:
        target.write(b"after")
    assert file.read_bytes() == b"after"
    assert names(file) == [file.name]


def test_the_mode_is_the_one_asked_for(file: Path) -> None:
    with disk.replacing(file, mode=0o644) as target:
        target.write(b"after")
    assert stat.S_IMODE(file.stat().st_mode) == 0o644


def test_of_several_first_writers_the_first_one_wins(file: Path) -> None:
    key = file.with_name("secret.key")
    for content in (b"first", b"second"):
        disk.write_first(key, content)
    assert key.read_bytes() == b"first"
    assert stat.S_IMODE(key.stat().st_mode) == 0o600
    assert names(file) == ["secret.key", file.name]


def test_a_first_writer_on_a_disk_without_links_still_writes(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "link", full)
    key = file.with_name("secret.key")
    disk.write_first(key, b"first")
    assert key.read_bytes() == b"first"
    assert names(file) == ["secret.key", file.name]


def test_a_first_writer_that_fails_leaves_nothing(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="No space left on device"):
        disk.write_first(file.with_name("secret.key"), b"first")
    assert names(file) == [file.name]


def test_a_new_file_is_never_one_that_exists(file: Path) -> None:
    with pytest.raises(FileExistsError):
        disk.new(file)
    assert file.read_bytes() == b"before"
