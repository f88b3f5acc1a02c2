"""A folder that lost its database is no new clinic: nothing begins over it unless someone says so (H12)."""

import os
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.process.launching import ON_SERVER, configure, rows, run, sentence, serving
from tests.services.postgres import Postgres

Trace = Callable[[Path], object]


def backed_up(folder: Path) -> None:
    """Leave nothing of a clinic but a real backup."""
    assert run(folder, "migrate").returncode == 0
    assert run(folder, "backup").returncode == 0
    (folder / "rounds.db").unlink()
    (folder / "clinic.id").unlink()


def exported(folder: Path) -> None:
    (folder / "exports" / "histories").mkdir(parents=True)
    (folder / "exports" / "histories" / f"{'a' * 32}.csv").write_text("Eve\n")


def day_sheet(folder: Path) -> None:
    (folder / "exports" / "day").mkdir(parents=True)
    (folder / "exports" / "day" / "2026-05-04.html").write_text("Eve\n")


def recorded(folder: Path) -> None:
    (folder / "clinic.id").write_text(f"{'a' * 32}\n")


def log_left(folder: Path) -> None:
    (folder / "rounds.db-wal").write_bytes(b"changes" * 1000)


def emptied(folder: Path) -> None:
    """The database is there, with nothing in it."""
    recorded(folder)
    (folder / "rounds.db").touch()


def second_copy(folder: Path) -> None:
    """A backup that only the stick still has."""
    backed_up(folder)
    (folder / "backups").rename(folder / "stick")
    configure(folder, f'[backup]\nsecond_folder = "{folder}/stick"\n')


TRACES: dict[str, tuple[Trace, str]] = {
    "a backup": (backed_up, "1 backup in"),
    "a backup on a stick": (second_copy, "1 backup in"),
    "an export": (exported, "files in"),
    "a day sheet": (day_sheet, "files in"),
    "its id": (recorded, "clinic.id"),
    "its id and an empty file": (emptied, "clinic.id"),
    "its log": (log_left, "rounds.db-wal"),
}


def files(folder: Path) -> list[Path]:
    """Everything in a folder but what is made before anyone looks for the database."""
    return sorted(one for one in folder.rglob("*") if one.name not in ("secret.key", "rounds.db.lock"))


@pytest.mark.parametrize(("trace", "named"), TRACES.values(), ids=TRACES)
def test_h12_where_a_clinic_was_none_begins_by_itself(tmp_path: Path, trace: Trace, named: str) -> None:
    configure(tmp_path)
    trace(tmp_path)
    before = files(tmp_path)
    said = sentence(run(tmp_path, "serve"))
    assert named in said
    assert "restore " in said
    assert "serve --new" in said
    assert files(tmp_path) == before


COMMANDS: dict[str, tuple[str, ...]] = {
    "migrate": ("migrate",),
    "demo": ("demo", "--patients", "3", "--appointments", "3"),
    "add-user": ("add-user", "--role", "admin", "--email", "a@clinic.example", "--name", "A"),
    "run-job": ("run-job", "reminders"),
    "export": ("export", "--clinic", "--output", "all.zip"),
}


def test_h12_no_command_makes_an_empty_database_where_a_clinic_was(tmp_path: Path) -> None:
    configure(tmp_path)
    recorded(tmp_path)
    for line in COMMANDS.values():
        assert "serve --new" in sentence(run(tmp_path, *line)), line
    checked = run(tmp_path, "check")
    assert checked.returncode == 1
    assert "\ndatabase: There is no clinic in" in checked.stdout
    assert not (tmp_path / "rounds.db").exists()


def test_h12_a_folder_with_only_a_key_and_a_kept_place_is_new(tmp_path: Path) -> None:
    configure(tmp_path)
    (tmp_path / "secret.key").write_text("k" * 64)
    (tmp_path / "exports").mkdir()
    (tmp_path / "exports" / ".gitkeep").touch()
    (tmp_path / "backups").mkdir()
    (tmp_path / "backups" / "rounds-2026-05-04T010000Z-ab12.zip").write_text("not a backup")
    with serving(tmp_path) as service:
        assert service.client().get("/").location == "/setup"
        assert service.stop() == 0
    (known,) = rows(tmp_path, "SELECT clinic_id FROM installation")
    assert (tmp_path / "clinic.id").read_text().split() == list(known)
    assert os.stat(tmp_path / "clinic.id").st_mode & 0o077 == 0


def test_h12_new_starts_an_empty_clinic_and_keeps_what_was_found(tmp_path: Path) -> None:
    configure(tmp_path)
    backed_up(tmp_path)
    recorded(tmp_path)
    log_left(tmp_path)
    with serving(tmp_path, "--new") as service:
        assert service.client().get("/").location == "/setup"
        assert service.stop() == 0
    assert len(list((tmp_path / "backups").glob("*.zip"))) == 1
    assert [one.read_bytes()[:7] for one in tmp_path.glob("rounds.db-wal.left-*")] == [b"changes"]
    assert "There is already a database" in sentence(run(tmp_path, "serve", "--new"))
    with serving(tmp_path) as service:
        assert service.client().get("/").location == "/setup"
        assert service.stop() == 0


def test_h12_the_way_out_restores_over_a_log_without_its_file(tmp_path: Path) -> None:
    configure(tmp_path)
    backed_up(tmp_path)
    shutil.copy(tmp_path / "config.toml", tmp_path / "rounds.db-wal")
    (backup,) = (tmp_path / "backups").glob("*.zip")
    restored = run(tmp_path, "restore", str(backup), "--yes")
    assert restored.returncode == 0, restored.stderr
    assert not (tmp_path / "rounds.db-wal").exists()
    assert len(list((tmp_path / "backups").glob("damaged-*/rounds.db-wal"))) == 1
    with serving(tmp_path) as service:
        assert service.client().get("/").status == 303
        assert service.stop() == 0


@pytest.mark.postgresql
def test_h12_an_empty_database_on_a_server_is_no_new_clinic_either(postgres: Postgres, tmp_path: Path) -> None:
    configure(tmp_path)
    recorded(tmp_path)
    url = ON_SERVER[tmp_path] = postgres.empty()
    try:
        said = sentence(run(tmp_path, "serve"))
        assert "clinic.id" in said
        with serving(tmp_path, "--new") as service:
            assert service.client().get("/").location == "/setup"
            assert service.stop() == 0
    finally:
        del ON_SERVER[tmp_path]
        postgres.drop(url)


@pytest.mark.postgresql
def test_h12_a_database_on_a_server_that_is_made_again_under_the_service_stops_it(
    postgres: Postgres, tmp_path: Path
) -> None:
    configure(tmp_path)
    url = ON_SERVER[tmp_path] = postgres.empty()
    try:
        with serving(tmp_path) as service:
            assert service.client().get("/").location == "/setup"
            postgres.make_again(url)
            assert service.client().get("/").status == 503
            assert service.ended() == 1
        said = service.err.read_text(encoding="utf-8").splitlines()
        assert [line for line in said if line.startswith("Error: ")] == said[-1:], said
        assert "made again" in said[-1]
        assert "serve --new" in sentence(run(tmp_path, "serve"))
    finally:
        del ON_SERVER[tmp_path]
        postgres.drop(url)
