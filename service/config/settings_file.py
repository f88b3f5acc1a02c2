"""Write config.toml and secret files: only changed keys, with comments kept, all or nothing."""

import os
import shutil
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from threading import Event, Lock
from typing import Any

import tomlkit
from tomlkit.exceptions import TOMLKitError

from service import disk
from service.config.settings import Settings, SettingsError, parse

Answers = Mapping[str, Any]
"""New values by key: `{"clinic.name": "Practice at the Park"}`."""

_writing = Lock()


@dataclass(frozen=True)
class File:
    """A file's old and new content; None if it didn't exist. A `secret` one is readable only by its owner."""

    path: Path
    before: bytes | None
    after: bytes
    secret: bool = False


@dataclass(frozen=True)
class Change:
    """New settings that are valid but not written yet."""

    settings: Settings
    """As the next start would read them."""
    changes: Mapping[str, Sequence[Any]]
    """The differences: `{"clinic.name": [before, after]}`."""
    files: Sequence[File]
    _written: Event = field(default_factory=Event)
    """Whether this change was written; another one may have written the same content."""

    def write(self) -> None:
        """Write the files. Raises SettingsError, and leaves all of them unchanged then."""
        with _writing:
            done: list[File] = []
            try:
                for file in self.files:
                    if _content(file.path) != file.before:
                        raise SettingsError(f"{file.path.name} was changed meanwhile: look at the page again.")
                    _replace(file.path, file.after, secret=file.secret)
                    done.append(file)
            except (OSError, SettingsError) as error:
                _take_back(done)
                if isinstance(error, SettingsError):
                    raise
                raise SettingsError(_refused(self.files[len(done)].path, error)) from None
            self._written.set()

    def undo(self) -> None:
        """Restore the files that this change wrote, except those changed since."""
        with _writing:
            if self._written.is_set():
                _take_back(self.files)
                self._written.clear()

    @contextmanager
    def undone_on_failure(self) -> Iterator[None]:
        """Undo the change if the block fails."""
        try:
            yield
        except BaseException:
            self.undo()
            raise


def prepare(settings: Settings, answers: Answers, secrets_beside: Mapping[str, str] | None = None) -> Change:
    """Validate new values without writing anything. Keys set by the environment are left out.

    `secrets_beside` are the contents of secret files by name. Raises SettingsError for an invalid value, or for a
    file that can't be written.
    """
    file = settings.file or settings.base / "config.toml"
    path = file.resolve()  # keeps a symbolic link
    before = _content(path)
    wanted = {key: value for key, value in answers.items() if key not in settings.fixed}
    former = _decoded(before or b"", path)
    text = _laid_over(former, wanted, path.name)
    found = parse(text, file)
    for key, value in wanted.items():
        if _value(found, key) != value:
            raise SettingsError(f"{path.name}: {key} cannot be set to {value!r}.")
    changes = {key: [_value(settings, key), value] for key, value in wanted.items() if _value(settings, key) != value}
    beside = [(file.parent / name, content.encode()) for name, content in (secrets_beside or {}).items()]
    files = [File(each, _content(each), content, secret=True) for each, content in beside]
    files = [each for each in files if each.before != each.after]
    if text != former:
        files.append(File(path, before, text.encode()))
    _check_writable(files)
    return Change(found, changes, files)


def _laid_over(text: str, answers: Answers, name: str) -> str:
    """Return the text of a settings file with new values; everything else stays, including comments."""
    try:
        document = tomlkit.parse(text)
        for key, value in answers.items():
            section, _, field = key.partition(".")
            document.setdefault(section, tomlkit.table())[field] = value
        return tomlkit.dumps(document)
    except TOMLKitError as error:
        raise SettingsError(f"{name} is not valid TOML: {error}.") from None


def _decoded(content: bytes, file: Path) -> str:
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise SettingsError(f"{file} cannot be read: {error}.") from None


def _value(settings: Settings, key: str) -> Any:
    section, _, field = key.partition(".")
    return getattr(getattr(settings, section), field)


def _content(file: Path) -> bytes | None:
    try:
        return file.read_bytes()
    except FileNotFoundError:
        return None
    except OSError as error:
        raise SettingsError(f"{file} cannot be read: {error.strerror}.") from None


def _check_writable(files: Sequence[File]) -> None:
    """Raise SettingsError for a read-only file: replacing it would work, but isn't intended."""
    for file in files:
        if file.before is not None and not (file.path.stat().st_mode & 0o222 and os.access(file.path, os.W_OK)):
            raise SettingsError(f"{file.path} may only be read: nothing was changed. Make it writable, then try again.")


def _take_back(files: Sequence[File]) -> None:
    for file in files:
        with suppress(OSError):
            if _content(file.path) != file.after:
                continue
            if file.before is None:
                file.path.unlink()
            else:
                _replace(file.path, file.before, secret=file.secret)


def _replace(file: Path, content: bytes, *, secret: bool) -> None:
    """Replace a file's content, keeping its mode and owner."""
    with disk.replacing(file, mode=disk.OWNER_ONLY if secret else 0o644) as target:
        target.write(content)
        part = Path(target.name)
        if file.exists() and not secret:
            shutil.copymode(file, part)
        disk.give_to_owner_of(file if file.exists() else file.parent, part)


def _refused(file: Path, error: OSError) -> str:
    return f"{file} cannot be written ({error.strerror}): nothing was changed. Check who owns it and its folder."
