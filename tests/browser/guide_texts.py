"""The guides in docs/guides/, each the text of the help page of a role with two pictures."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from jinja2 import Environment, FileSystemLoader

from tests.process.launching import ROOT

GUIDES = ROOT / "docs" / "guides"


@dataclass(frozen=True)
class Guide:
    """What a printed guide has besides the text."""

    title: str
    pictures: Mapping[str, tuple[str, str]]
    """Name of the picture -> what it shows, and its caption."""


PRINTED = {
    "patient": Guide(
        "Rounds for patients",
        {
            "patient-booking": (
                "Choosing a doctor, a day, and a time",
                "Book: choose a doctor, a day, and a time.",
            ),
            "patient-history": (
                "The history with the button Export full history",
                "History: all your treatments.",
            ),
        },
    ),
    "doctor": Guide(
        "Rounds for doctors",
        {
            "doctor-today": (
                "Today's appointments in columns: booked, arrived, completed",
                "Today: who is booked, who has arrived, and who is done.",
            ),
            "doctor-treatment": (
                "The form of a treatment",
                "Record treatment: one form per appointment. Saving it completes the appointment.",
            ),
        },
    ),
    "receptionist": Guide(
        "Rounds for the front desk",
        {
            "receptionist-today": (
                "Today's appointments of all doctors, and a line about the morning's reminders",
                "Today: all doctors, and how the morning's reminders went.",
            ),
            "receptionist-morning": (
                "The call list with one patient to call",
                "Call list: who to call, with the number.",
            ),
        },
    ),
    "admin": Guide(
        "Rounds for administrators",
        {
            "admin-dashboard": (
                "The dashboard with the clinic's statistics",
                "Dashboard: the clinic's statistics, at most five minutes old.",
            ),
            "admin-running": (
                "System status: a list of jobs, each OK or not",
                "System status: each line is OK or says what is wrong.",
            ),
        },
    ),
}


def written(role: str) -> str:
    """Return the printed guide of a role as HTML."""
    pages = Environment(
        loader=FileSystemLoader([Path(__file__).parent, ROOT / "service" / "templates"]),
        extensions=["jinja2.ext.i18n"],
        autoescape=True,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    pages.install_null_translations()  # type: ignore[attr-defined]
    return pages.get_template("guide.html").render(role=role, guide=PRINTED[role])


def write() -> None:
    """Write all printed guides."""
    for role in PRINTED:
        (GUIDES / f"{role}.html").write_text(written(role), "utf-8")
