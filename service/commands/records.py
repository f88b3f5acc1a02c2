"""Commands for stored data: exporting it, and verifying the audit log."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click

from service.commands.frame import TypedPath, command, config_option, opened, rounds, subcommand
from service.config.settings import Settings
from service.domain.exports import export_files
from service.domain.exports.export_formats import OF_THE_CLINIC, ONE_TABLE, Contents
from service.domain.foundation.actor import SYSTEM
from service.domain.foundation.errors import DomainError
from service.domain.privacy import audit_check
from service.storage.models import ExportFormat

FORMATS = [one.value for one in ExportFormat]


@dataclass(frozen=True)
class Wanted:
    """What to export and where, as typed."""

    patient_id: int | None
    of_clinic: bool
    output: Path
    force: bool
    form: str
    visits: bool
    messages: bool

    def contents(self) -> Contents:
        """Return what to put into the file. Raises UsageError or Invalid for an impossible combination."""
        if (self.patient_id is None) is not self.of_clinic:
            raise click.UsageError("Name either --patient ID or --clinic.")
        contents = OF_THE_CLINIC if self.of_clinic else Contents(ExportFormat(self.form), self.visits, self.messages)
        contents.check()
        return contents

    def check_output(self) -> None:
        """Raise DomainError if the file exists or its folder doesn't."""
        if self.output.exists() and not self.force:
            raise DomainError(f"{self.output} exists already: use --force to replace it.")
        if not self.output.parent.is_dir():
            raise DomainError(f"There is no folder {self.output.parent}.")


@command("export")
@click.option("--patient", "patient_id", type=click.IntRange(1, 2**63 - 1), help="The number of the patient's record.")
@click.option("--clinic", "of_clinic", is_flag=True, help="All data of the clinic instead, as a zip.")
@click.option("--output", type=TypedPath(dir_okay=False, path_type=Path), required=True)
@click.option("--force", is_flag=True, help="Replace an existing file.")
@click.option("--format", "form", type=click.Choice(FORMATS), default=FORMATS[0], show_default=True)
@click.option("--visits", is_flag=True, help="With all visits, in JSON or zip.")
@click.option("--messages", is_flag=True, help="With all messages, in JSON or zip.")
def export(settings: Settings, **typed: Any) -> None:
    """Export a patient's whole history, or all data of the clinic."""
    wanted = Wanted(**typed)
    contents = wanted.contents()
    wanted.check_output()
    with opened(settings) as wiring:
        with wiring.database.transaction() as session:  # first, because nothing may fail after the file is written
            export_files.note_written(session, SYSTEM, wanted.patient_id)
        with wiring.database.reading() as session:
            rows = export_files.produce(session, wanted.patient_id, contents, wanted.output, settings.clinic)
    click.echo(f"{rows} {'treatments' if contents == ONE_TABLE else 'rows'} written to {wanted.output}.")


@rounds.group("audit")
@config_option
def audit_group(config: str | None) -> None:
    """The audit log: who did what."""


@subcommand(audit_group, "verify")
def verify(settings: Settings) -> None:
    """Verify the audit log, and name the first entry that was altered."""
    with opened(settings) as wiring, wiring.database.reading() as session:
        whole = audit_check.verify(session)
    click.echo(f"The audit is whole: {whole.entries} entries, {whole.emptied} with details emptied by an erasure.")
    click.echo(f"It ends with entry {whole.last_id}, seal {whole.seal}")
