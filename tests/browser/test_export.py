"""A patient presses Export full history, follows it, and downloads the file: with scripts and without."""

import csv
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.browser.visitor import Visitor

pytestmark = pytest.mark.browser


@pytest.mark.parametrize("scripts", [True, False], ids=["with scripts", "without scripts"])
def test_a_patient_exports_the_full_history_and_downloads_it(
    visit: Callable[..., Visitor], tmp_path: Path, scripts: bool
) -> None:
    visitor = visit(java_script_enabled=scripts, accept_downloads=True)
    visitor.sign_in("patient1" if scripts else "patient2")
    page = visitor.page
    page.get_by_role("link", name="History").click()
    page.get_by_role("button", name="Export full history").click()
    page.wait_for_url("**/exports/*")
    with page.expect_download() as download:
        page.get_by_role("link", name="Download the file").click()
    assert page.locator("main").get_attribute("data-state") == "available"
    file = tmp_path / download.value.suggested_filename
    download.value.save_as(file)
    assert file.name == "history-2026-05-04.csv"
    with file.open(encoding="utf-8-sig", newline="") as lines:
        rows = list(csv.DictReader(lines))
    assert {row["Patient ID"] for row in rows} == {"1" if scripts else "2"}
    assert len(rows) >= 20 if scripts else rows
    dates = [row["Appointment Date"] for row in rows]
    assert dates == sorted(dates, reverse=True)


@pytest.mark.parametrize("scripts", [True, False], ids=["with scripts", "without scripts"])
def test_a_patient_takes_a_page_to_read_along_and_then_removes_the_file(
    visit: Callable[..., Visitor], tmp_path: Path, scripts: bool
) -> None:
    visitor = visit(java_script_enabled=scripts, accept_downloads=True)
    visitor.sign_in("patient3" if scripts else "patient4")
    page = visitor.page
    page.get_by_role("link", name="History").click()
    page.get_by_role("link", name="Other formats").click()
    page.get_by_label("To read and to keep").check()
    page.get_by_label("Messages from the clinic to me").uncheck()
    page.get_by_role("button", name="Make the file").click()
    with page.expect_download() as download:
        page.get_by_role("link", name="Download the file").click()
    with zipfile.ZipFile(download.value.path()) as archive:
        archive.extractall(tmp_path)
    (file,) = tmp_path.glob("history-2026-05-04/history.html")
    page.get_by_role("button", name="Remove the file now").click()
    page.get_by_text("This file was removed").wait_for()
    reader = Visitor(page.context.new_page(), "file://")
    reader.open(file.as_posix())
    assert reader.page.get_by_role("heading", level=2).count() == 3, "treatments, how the clinic writes, and visits"
    assert reader.page.get_by_role("heading", name="Messages from the clinic").count() == 1
    assert reader.trouble == [], "it needs nothing but itself"
    if scripts:
        assert (reader.violations(), reader.too_wide()) == ([], False)
