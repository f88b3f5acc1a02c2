"""A demo clinic on a Monday morning, and a Chromium to visit it with."""

import shutil
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import Any

import pytest
from playwright.sync_api import Browser, sync_playwright

from tests.browser.visitor import Visitor, visitor_in
from tests.faults.clinic import wall
from tests.faults.disks import missing
from tests.house import PASSWORD
from tests.process.launching import Service, change, configure, result, run, serving

MONDAY = wall("2026-05-04 10:31")
ARABIC = "عبد الرحمن بن محمد الخطيب"
LONG = "Maria-Magdalena " * 12 + "von Nowhere"
UNBROKEN = "Donaudampfschifffahrt" * 9 + "s-Kapitän"


@pytest.fixture(scope="session")
def chromium_path() -> str:
    """Where Chromium is."""
    path = shutil.which("chromium")
    if path is None:
        missing("Chromium")
    assert path is not None
    return path


@pytest.fixture(scope="session")
def clinic(chromium_path: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    """A demo clinic at 10:31, with last month's reports, this morning's reminders, and names hard to lay out."""
    folder = tmp_path_factory.mktemp("clinic")
    configure(folder, '[clinic]\nname = "Practice at the Park"\nphone = "+49 30 901820"\n')
    demo = ("demo", "--doctors", "3", "--patients", "120", "--appointments", "900", "--password", PASSWORD)
    assert run(folder, *demo, at=MONDAY).returncode == 0
    today = "doctor_id = 1 AND date(starts_at) = '2026-05-04' AND patient_id != 1"
    for turn, name in enumerate((ARABIC, LONG, UNBROKEN)):
        change(
            folder,
            f"UPDATE patients SET name = '{name}' WHERE id = (SELECT patient_id FROM appointments WHERE {today} "
            f"ORDER BY starts_at LIMIT 1 OFFSET {turn})",
        )
    result(run(folder, "run-job", "reports", "--json", at=MONDAY))
    result(run(folder, "run-job", "reminders", "--json", at=MONDAY))
    with serving(folder, at=MONDAY) as service:
        yield service


@pytest.fixture(scope="module")
def chromium(chromium_path: str) -> Iterator[Browser]:
    """A browser; for one module only, because its loop must not run while tests of others do."""
    with sync_playwright() as playwright:
        arguments = ["--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage"]
        browser = playwright.chromium.launch(executable_path=chromium_path, args=arguments)
        yield browser
        browser.close()


@pytest.fixture
def visit(chromium: Browser, clinic: Service) -> Iterator[Callable[..., Visitor]]:
    """Opens windows, each of a browser of its own, on a desktop unless told otherwise; none may have had trouble."""
    opened: list[Visitor] = []
    with ExitStack() as contexts:

        def open_window(url: str = clinic.url, **how: Any) -> Visitor:
            desk: dict[str, Any] = {"viewport": {"width": 1360, "height": 860}, "reduced_motion": "reduce"}
            context = chromium.new_context(**{**desk, **how})
            contexts.callback(context.close)
            opened.append(visitor_in(context, url))
            return opened[-1]

        yield open_window
    assert [trouble for visitor in opened for trouble in visitor.trouble] == []
