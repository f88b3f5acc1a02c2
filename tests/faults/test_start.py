"""What a start meets: a folder of any name, someone else's files (F28). Each is one line, or simply works."""

import os
import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from tests import patience
from tests.faults.disks import missing
from tests.process.launching import command, configure, environment, printed_everywhere, rows, run, sentence, serving

AS_NOBODY = ("setpriv", "--reuid=65534", "--regid=65534", "--clear-groups")


@pytest.fixture
def open_folder() -> Iterator[Path]:
    """A folder that every account reaches; pytest's own are closed."""
    with TemporaryDirectory() as name:
        yield Path(name)


def test_a_folder_may_have_any_name(migrated: Path, tmp_path: Path) -> None:
    home = tmp_path / "Praxis Müller & Söhne, 100% neu #2 诊所"
    home.mkdir()
    shutil.copy(migrated, home / "rounds.db")
    configure(home)
    with serving(home) as service:
        assert service.client().get("/").location == "/setup"
        assert service.stop() == 0
    assert "Traceback" not in printed_everywhere(home)
    made = run(home, "backup")
    assert made.returncode == 0, made.stderr
    assert run(home, "restore", made.stdout.split(": ")[0], "--yes").returncode == 0
    assert rows(home, "SELECT count(*) FROM users") == [(0,)]
    assert sorted(one.name for one in tmp_path.iterdir()) == [home.name]


def as_nobody(folder: Path, mode: int, migrated: Path, *args: str) -> subprocess.CompletedProcess[str]:
    """A command of an account that owns nothing in the folder of a clinic, which everyone may write."""
    if not hasattr(os, "geteuid") or os.geteuid() != 0 or shutil.which("setpriv") is None:
        missing("root, and setpriv")
    folder.chmod(0o777)
    configure(folder)
    shutil.copy(migrated, folder / "rounds.db")
    (folder / "rounds.db").chmod(mode)
    line = [*AS_NOBODY, *command(folder, *args)]
    return subprocess.run(
        line, capture_output=True, text=True, timeout=patience.SECONDS, env=environment(folder), cwd=folder, check=False
    )


@pytest.mark.parametrize("mode", [0o600, 0o644], ids=["closed", "readable"])
@pytest.mark.parametrize("args", [("serve",), ("run-job", "reminders")], ids=lambda args: args[0])
def test_f28_a_database_of_another_account_is_one_line_and_stays_as_it_is(
    migrated: Path, open_folder: Path, mode: int, args: tuple[str, ...]
) -> None:
    done = as_nobody(open_folder, mode, migrated, *args)
    assert "who owns" in sentence(done)
    assert (open_folder / "rounds.db").read_bytes() == migrated.read_bytes()


def test_f28_a_database_that_can_only_be_read_can_be_backed_up(migrated: Path, open_folder: Path) -> None:
    done = as_nobody(open_folder, 0o644, migrated, "backup")
    assert done.returncode == 0, done.stderr
    assert re.search(r"run not noted.*job=make_backup", done.stderr)
    assert len(list((open_folder / "backups").glob("rounds-*.zip"))) == 1
