"""The two kinds of report: a doctor's, and the clinic's."""

from enum import StrEnum
from typing import assert_never

from service.storage.models import ClinicReport, Report

AnyReport = Report | ClinicReport


class Kind(StrEnum):
    """Each under its name in the audit."""

    DOCTOR = "report"
    CLINIC = "clinic-report"


def of(report: AnyReport) -> Kind:
    """Which kind a report is of."""
    match report:
        case Report():
            return Kind.DOCTOR
        case ClinicReport():
            return Kind.CLINIC
        case never:
            assert_never(never)
