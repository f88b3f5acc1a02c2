"""Appointments that need an outcome: the report, the number in the navigation, and the list agree."""

from datetime import timedelta

import pytest

from tests.house import at
from tests.web.frozen_clinic import Clinic
from tests.web.reading import one, parsed, words

OLDEST = at("2026-02-05 00:00") - timedelta(hours=1)
"""Midnight in Berlin, 90 days before: the first appointment that still counts. It is now ten o'clock."""


@pytest.mark.parametrize("minutes", [-15, 0, 300, 599, 600, 615])
def test_the_figure_links_to_a_list_of_that_length(clinic: Clinic, minutes: int) -> None:
    desk, doctor = clinic.browser("receptionist"), clinic.browser("doctor")
    before = len(parsed(desk.get("/to-complete")).select("main ul.rows > li"))
    clinic.house.visit(clinic.people["doctor"].doctor_id, clinic.guest, OLDEST + timedelta(minutes=minutes))
    counts = minutes >= 0
    listed = parsed(desk.get("/to-complete"))
    assert len(listed.select("main ul.rows > li")) - before == counts
    for browser in (desk, doctor):
        rows = parsed(browser.get("/to-complete")).select("main ul.rows > li")
        figure = one(parsed(browser.get("/figures")), "[data-figure=to_complete]")
        assert words(figure) == str(len(rows))
