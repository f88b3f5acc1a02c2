"""The two kinds of reports: a doctor's and the clinic's."""

from enum import StrEnum
from typing import assert_never

from service.storage.models import ClinicReport, Report

AnyReport = Report | ClinicReport


class Kind(StrEnum):
    """The kinds, with their names in the audit log."""

    DOCTOR = "report"
    CLINIC = "clinic-report"


def of(report: AnyReport) -> Kind:
    """Return the kind of a report."""
    match report:
        case Report():
            return Kind.DOCTOR
        case ClinicReport():
            return Kind.CLINIC
        case never:
            assert_never(never)
