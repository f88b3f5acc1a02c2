"""PostgreSQL backups that are damaged, swapped, or malicious: only rows are ever restored from a dump."""

import json
import shutil
import subprocess
import zipfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psycopg
import pytest
from sqlalchemy import select, text
from sqlalchemy.engine import make_url

from service.storage.models import Patient
from tests.backups.drill import small_clinic
from tests.faults.disks import disk
from tests.house import House
from tests.process.launching import configure, run, sentence
from tests.services.postgres import Postgres

pytestmark = pytest.mark.postgresql

NAMES = (
    "'); DROP TABLE patients; --",
    "\\.",
    "\\N",
    "tab\there",
    '"public".users',
    "COPY public.users (id) FROM stdin;",
)
LABEL = "a label of 120 letters that a test writes over".ljust(120, ".")


@pytest.fixture
def database_kind() -> str:
    """PostgreSQL only."""
    return "postgresql"


@dataclass
class Attacker:
    """An attacker with their own copy of a clinic's database, who makes backups of it."""

    folder: Path
    url: str

    def says(self, *statements: str) -> None:
        """Change the copy, without any trigger in the way."""
        with psycopg.connect(self.url) as copy:
            for statement in statements:
                copy.execute(statement.encode())

    def backup(self, spoil: Callable[[bytes], bytes] = bytes, about: dict[str, Any] | None = None) -> Path:
        """A backup of the copy, whose dump went through `spoil` and whose page says `about` instead."""
        dump, file = self.folder / "rounds.dump", self.folder / "hostile.zip"
        line = ["pg_dump", "--format=custom", "--compress=0", f"--file={dump}", f"--dbname={self.url}"]
        subprocess.run(line, check=True, capture_output=True)
        with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as packed:
            packed.writestr("about.json", json.dumps({**self._about(), **(about or {})}))
            packed.writestr("rounds.dump", spoil(dump.read_bytes()))
        return file

    def _about(self) -> dict[str, Any]:
        """An honest page, as far as it counts rows."""
        with psycopg.connect(self.url) as copy:
            tables = [
                name
                for (name,) in copy.execute("SELECT tablename FROM pg_tables WHERE schemaname = 'public'")
                if name != "alembic_version"
            ]
            counts = {name: copy.execute(f'SELECT count(*) FROM "{name}"'.encode()).fetchone() for name in tables}
            known = copy.execute("SELECT to_regclass('alembic_version') IS NOT NULL").fetchone() == (True,)
            found = copy.execute("SELECT version_num FROM alembic_version").fetchone() if known else None
        return {
            "format": 1,
            "made_at": "2026-05-04T01:00:00+00:00",
            "program": "0",
            "revision": found[0] if found else "0001",
            "database": "postgresql",
            "content": "rounds.dump",
            "counts": {name: row[0] for name, row in counts.items() if row},
        }


@pytest.fixture
def clinic(house: House, tmp_path: Path) -> House:
    """A clinic that nobody is connected to."""
    small_clinic(house)
    configure(tmp_path, '[backup]\nfolder = "shelf/backups"')
    (tmp_path / "shelf").mkdir()
    house.wiring.database.close()
    return house


@pytest.fixture
def attacker(clinic: House, postgres: Postgres, tmp_path: Path) -> Iterator[Attacker]:
    """An attacker whose copy has names that look like commands."""
    url = postgres.empty()
    plain = make_url(url).set(drivername="postgresql").render_as_string(hide_password=False)
    held = make_url(clinic.settings.database_url).set(drivername="postgresql").render_as_string(hide_password=False)
    dump = subprocess.run(["pg_dump", f"--dbname={held}"], check=True, capture_output=True).stdout
    subprocess.run(["psql", "--quiet", f"--dbname={plain}"], input=dump, check=True, capture_output=True)
    (tmp_path / "theirs").mkdir()
    made = Attacker(tmp_path / "theirs", plain)
    with psycopg.connect(plain) as copy:
        for name in NAMES:
            copy.execute("INSERT INTO patients (name, folded_name, created_at) VALUES (%s, %s, now())", (name, name))
    postgres.close()
    yield made
    postgres.drop(url)


def names(house: House) -> list[str]:
    with house.reading() as session:
        found = list(session.scalars(select(Patient.name).order_by(Patient.id)))
    house.wiring.database.close()
    return found


def restored(folder: Path, file: Path) -> subprocess.CompletedProcess[str]:
    return run(folder, "restore", str(file), "--yes")


def assert_refused(clinic: House, file: Path, words: str) -> None:
    """One sentence with these words, and the clinic is as it was."""
    folder, before = clinic.settings.base, names(clinic)
    done = restored(folder, file)
    assert (done.returncode, done.stdout) == (1, ""), done
    assert words in done.stderr.splitlines()[-1]
    assert done.stderr.count("Error: ") == 1
    assert names(clinic) == before == ["Lena", "Otto"]
    assert not list((folder / "shelf").rglob(".rounds-work-*"))


def test_a_damaged_swapped_or_foreign_dump_is_refused_with_one_sentence(clinic: House, attacker: Attacker) -> None:
    spoilt: tuple[tuple[str, Callable[[bytes], bytes]], ...] = (
        ("cannot be read back", lambda dump: dump[: len(dump) // 2]),
        ("cannot be read back", lambda dump: dump[:200]),
        ("cannot be read back", lambda _dump: b""),
        ("cannot be read back", lambda _dump: b"CREATE TABLE patients (id int);\n"),
        ("unsupported version", lambda dump: dump[:5] + b"\x01\x63\x00" + dump[8:]),
        ("The dump is incomplete", lambda dump: dump.replace(b"COPY public.guardians (", b"COPY public.guardianz (")),
        ("The dump is incomplete", lambda dump: dump.replace(b"COPY public.patients (", b"COPY secret.patients (")),
        ("invalid byte sequence", lambda dump: dump.replace(b"Lena", b"L\xffna")),
    )
    for words, spoil in spoilt:
        assert_refused(clinic, attacker.backup(spoil), words)


def test_a_page_about_a_backup_that_lies_is_refused_in_a_sentence(clinic: House, attacker: Attacker) -> None:
    lies: tuple[tuple[str, dict[str, Any]], ...] = (
        ("newer version of Rounds (revision 9999", {"revision": "9999"}),
        ("doesn't say which version", {"revision": ""}),
        ("doesn't say which version", {"revision": "0001; DROP TABLE patients"}),
        ("The dump is incomplete", {"revision": "0001"}),
        ("The dump is incomplete", {"counts": {"patients": 1_000_000}}),
        ("isn't a Rounds backup", {"counts": {"patients": "many"}}),
        ("isn't a Rounds backup", {"counts": ["patients"]}),
        ("isn't a Rounds backup", {"revision": 17}),
        ("isn't a Rounds backup", {"made_at": "2026-05-04T01:00:00"}),
        ("isn't a Rounds backup", {"content": "../rounds.dump"}),
        ("isn't a Rounds backup", {"more": 1}),
        ("isn't a Rounds backup", {"program": "x" * (1 << 21)}),
        ("newer version", {"format": 2}),
        ("names PostgreSQL", {"database": "sqlite"}),
    )
    for words, about in lies:
        assert_refused(clinic, attacker.backup(about=about), words)


def test_the_dump_of_another_program_is_refused_in_a_sentence(
    clinic: House, attacker: Attacker, postgres: Postgres
) -> None:
    other = Attacker(attacker.folder, postgres.empty().replace("+psycopg", ""))
    other.says("CREATE TABLE posts (id int)", "INSERT INTO posts VALUES (1)")
    assert_refused(clinic, other.backup(), "The dump is incomplete")
    other.says("CREATE TABLE alembic_version (version_num text)", "INSERT INTO alembic_version VALUES ('0001')")
    assert_refused(clinic, other.backup(), "doesn't come from Rounds")
    attacker.says("ALTER TABLE patients ADD COLUMN shoe_size int")
    assert_refused(clinic, attacker.backup(), "patients.shoe_size, which Rounds doesn't have")


def test_rows_that_break_what_the_clinic_relies_on_are_refused_in_a_sentence(clinic: House, attacker: Attacker) -> None:
    attacker.says("SET session_replication_role = replica", "DELETE FROM users")  # the doctor's account among them
    assert_refused(clinic, attacker.backup(), "violates foreign key constraint")


def test_of_a_dump_with_functions_triggers_roles_and_commands_only_the_rows_come(
    clinic: House, attacker: Attacker, tmp_path: Path
) -> None:
    harm = tmp_path / "harm"
    attacker.says(
        "CREATE FUNCTION take_over() RETURNS trigger LANGUAGE plpgsql AS "
        "$$ BEGIN UPDATE users SET role = 'admin'; RETURN NEW; END $$",
        "CREATE TRIGGER take_over AFTER INSERT ON patients EXECUTE FUNCTION take_over()",
        "CREATE RULE silence AS ON DELETE TO audit DO INSTEAD NOTHING",
        "CREATE VIEW everybody AS SELECT * FROM users",
        "GRANT ALL ON ALL TABLES IN SCHEMA public TO PUBLIC",
        "ALTER TABLE patients ALTER COLUMN name SET DEFAULT 'nobody'",
        f"COMMENT ON TABLE patients IS '{LABEL}'",
        "CREATE TABLE own_notes (id int)",
    )
    command = f"\n\\! touch {harm}\n".ljust(len(LABEL))
    done = restored(tmp_path, attacker.backup(lambda dump: dump.replace(LABEL.encode(), command.encode())))
    assert done.returncode == 0, done.stderr
    assert names(clinic) == ["Lena", "Otto", *NAMES]
    assert not harm.exists()
    with clinic.reading() as session:
        for left in (
            "SELECT proname FROM pg_proc WHERE proname = 'take_over'",
            "SELECT tgname FROM pg_trigger WHERE tgname = 'take_over'",
            "SELECT rulename FROM pg_rules WHERE schemaname = 'public'",
            "SELECT viewname FROM pg_views WHERE schemaname = 'public'",
            "SELECT relname FROM pg_class WHERE relacl::text ~ '[{,]=' AND relnamespace = 'public'::regnamespace",
            "SELECT tablename FROM pg_tables WHERE tablename = 'own_notes'",
        ):
            assert session.execute(text(left)).all() == []
    clinic.wiring.database.close()
    assert run(tmp_path, "migrate").returncode == 0  # with every trigger and constraint the clinic relies on
    assert run(tmp_path, "audit", "verify").returncode == 0


def test_a_dump_in_other_letters_is_read_as_what_it_says(clinic: House, attacker: Attacker, tmp_path: Path) -> None:
    attacker.says("UPDATE patients SET name = 'Zoë Müller' WHERE id = 1")

    def latin(dump: bytes) -> bytes:
        return dump.replace(b"client_encoding = 'UTF8'", b"client_encoding = 'WIN1'").replace(
            "Zoë Müller".encode(), "Zoë Müller  ".encode("cp1252")
        )

    assert_refused(clinic, attacker.backup(latin), "WIN1")
    line = ["pg_dump", "--format=custom", "--encoding=LATIN1", f"--file={tmp_path / 'l'}", f"--dbname={attacker.url}"]
    subprocess.run(line, check=True, capture_output=True)
    file = attacker.backup(lambda _dump: (tmp_path / "l").read_bytes())
    assert restored(tmp_path, file).returncode == 0
    assert names(clinic)[0] == "Zoë Müller"


def test_a_file_that_would_fill_the_disk_is_refused_before_it_is_unpacked(
    clinic: House, attacker: Attacker, tmp_path: Path
) -> None:
    shutil.rmtree(tmp_path / "shelf")
    enormous = attacker.backup(lambda _dump: bytes(64 << 20))
    assert enormous.stat().st_size < 1 << 20
    with disk(tmp_path / "shelf", "4m"):
        assert_refused(clinic, enormous, "enough space")


def test_a_source_that_is_no_whole_clinic_is_not_copied(clinic: House, attacker: Attacker, tmp_path: Path) -> None:
    attacker.says("ALTER TABLE patients DROP COLUMN folded_name")
    said = sentence(run(tmp_path, "copy-database", attacker.url, f"sqlite:///{tmp_path / 'new.db'}"))
    assert "folded_name" in said
