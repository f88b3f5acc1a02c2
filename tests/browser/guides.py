"""`make guides`: write the guides in docs/guides/, with screenshots of a demo clinic on a Monday morning."""

import shutil
from pathlib import Path
from tempfile import TemporaryDirectory

from playwright.sync_api import Browser, FloatRect, sync_playwright

from tests.browser import guide_texts
from tests.browser.guide_texts import GUIDES
from tests.browser.visitor import visitor_in
from tests.faults.clinic import wall
from tests.house import PASSWORD
from tests.process.launching import change, configure, run, serving

NOW, NIGHT, EIGHT = (wall(f"2026-05-04 {at}") for at in ("11:10", "03:00", "08:00"))
DESK, TELEPHONE = {"width": 1000, "height": 900}, {"width": 390, "height": 700}
NARROW = {"width": 560, "height": 900}
PICTURES = {
    "patient-booking": ("patient1", "/appointments/new?doctor_id=1&date=2026-05-07", TELEPHONE),
    "patient-history": ("patient1", "/treatments", TELEPHONE),
    "doctor-today": ("doctor1", "/today", DESK),
    "doctor-treatment": ("doctor1", "", DESK),
    "receptionist-today": ("reception", "/today", DESK),
    "receptionist-morning": ("reception", "/messages/morning", DESK),
    "admin-dashboard": ("admin", "/dashboard", DESK),
    "admin-running": ("admin", "/dashboard", NARROW),
}
"""Name of the picture: who looks, at which page (the doctor at the first visit to be recorded), on what screen."""
TALLEST = 520
"""Pixels of a picture at the desk: what stands beside and below the page's beginning is left out."""


def make(folder: Path) -> None:
    """Write all pictures."""
    with TemporaryDirectory() as name:
        home = Path(name)
        configure(
            home,
            '[clinic]\nname = "Practice at the Park"\nphone = "+49 30 901820"\npublic_url = "https://rounds.clinic.example"\n',
        )
        demo = ("demo", "--doctors", "3", "--patients", "120", "--appointments", "900", "--password", PASSWORD)
        lines = ((NOW, demo), (NIGHT, ("run-job", "reports")), (NIGHT, ("backup",)), (EIGHT, ("run-job", "reminders")))
        for at, line in lines:
            done = run(home, *line, at=at)
            assert done.returncode == 0, done.stderr
        change(home, "UPDATE installation SET created_at = '2026-01-01 00:00:00.000000'")
        with serving(home, at=NOW) as service, sync_playwright() as playwright:
            chromium = playwright.chromium.launch(
                executable_path=shutil.which("chromium"), args=["--no-sandbox", "--disable-gpu"]
            )
            for picture in PICTURES:
                _take(chromium, service.url, picture, folder / f"{picture}.png")
            chromium.close()


def _take(chromium: Browser, url: str, picture: str, file: Path) -> None:
    who, path, screen = PICTURES[picture]
    context = chromium.new_context(viewport=screen, reduced_motion="reduce")  # type: ignore[arg-type]
    visitor = visitor_in(context, url)
    visitor.sign_in(who)
    if path:
        visitor.open(path)
    else:
        visitor.open("/today")
        visitor.page.locator("a[href$='/treatment']").first.click()
        visitor.page.wait_for_url("**/treatment")
    if who == "admin":  # what only a demo clinic says
        visitor.page.locator(".note", has=visitor.page.locator("a[href='/system/demo']")).evaluate(
            "note => note.remove()"
        )
    if screen is TELEPHONE:
        visitor.page.screenshot(path=file, animations="disabled")
    else:
        part = visitor.page.locator(".health" if picture == "admin-running" else "main").first
        box = part.bounding_box()
        assert box is not None
        clip: FloatRect = {**box, "height": min(box["height"], TALLEST)}
        visitor.page.screenshot(path=file, animations="disabled", clip=clip, full_page=True)
    context.close()


if __name__ == "__main__":
    guide_texts.write()
    make(GUIDES)
