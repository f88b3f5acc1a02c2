"""Someone who imports: from a file's text to what is stored, or what is wrong with it."""

from datetime import date
from pathlib import Path

import pytest

from service.domain.foundation.actor import Actor
from service.domain.foundation.errors import Invalid
from service.domain.imports import imports
from service.domain.imports.import_files import Upload
from service.domain.imports.import_rows import Reading
from service.domain.imports.imports import Preview
from service.storage.models import Appointment, Patient
from tests.house import House

VISITS = "Date,Time,Minutes,Doctor,Patient,Birth date,Reason\n"


@pytest.fixture(name="admin")
def the_admin(house: House) -> Actor:
    """The administrator who imports."""
    return house.user("admin", "admin@clinic.example", "Ada Leitung")


@pytest.fixture(name="folder")
def a_folder(tmp_path: Path) -> Path:
    """Where uploads rest."""
    return tmp_path / "imports"


@pytest.fixture(name="desk")
def a_desk(house: House, admin: Actor, folder: Path) -> "Desk":
    """The admin with files to import."""
    return Desk(house, admin, folder)


class Desk:
    """Someone who imports into a house."""

    def __init__(self, house: House, admin: Actor, folder: Path) -> None:
        self.house, self.admin, self.folder = house, admin, folder

    def upload(self, kind: str, content: str) -> Upload:
        return imports.upload(self.admin, self.folder, kind=kind, file_name="file.csv", data=content.encode())

    def read(self, upload: Upload) -> Reading:
        return imports.read(upload, imports.table_of(self.folder, upload), self.house.settings.clinic)

    def look(self, kind: str, content: str) -> Preview:
        upload = self.upload(kind, content)
        with self.house.reading() as session:
            return imports.look(session, upload, self.read(upload))

    def run(self, kind: str, content: str) -> tuple[int, int]:
        upload = self.upload(kind, content)
        reading = self.read(upload)
        with self.house.writing() as session:
            return imports.run(session, self.admin, upload, reading)

    def wrong(self, kind: str, content: str) -> list[tuple[int, str]]:
        """Line and column of everything that is wrong; the file is not imported then."""
        found = [(problem.line, problem.column) for problem in self.look(kind, content).problems]
        if found:
            with pytest.raises(Invalid):
                self.run(kind, content)
        return found

    def patients(self) -> list[tuple[str, date | None, str | None, str | None]]:
        with self.house.reading() as session:
            rows = session.query(Patient).order_by(Patient.id)
            return [(row.name, row.birth_date, row.phone, row.email) for row in rows]

    def visits(self) -> list[Appointment]:
        with self.house.reading() as session:
            return session.query(Appointment).order_by(Appointment.starts_at, Appointment.id).all()
