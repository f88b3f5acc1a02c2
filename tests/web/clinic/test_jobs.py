"""The jobs page: what runs when, how it went, and the button that runs it now."""

from datetime import timedelta

import pytest
from bs4 import Tag

from service.domain.foundation.job_runs import RunSkip
from service.jobs import schedule
from service.storage.models import AuditEntry, Doctor, JobRun, Message, Report
from tests.house import Browser, at
from tests.patience import until
from tests.web.frozen_clinic import NOW, Clinic, opened
from tests.web.reading import attribute, one, parsed, words

REMINDERS, REPORTS, SHEETS = "send_daily_reminders", "generate_monthly_report", "write_day_sheets"
REMINDER = Message.rule == "daily_reminder"


def row(browser: Browser, job: str, page: str = "/jobs") -> Tag:
    """The job's line in the table."""
    form = parsed(browser.get(page)).find("form", attrs={"action": f"/jobs/{job}/runs"})
    assert isinstance(form, Tag)
    line = form.find_parent("tr")
    assert line is not None
    return line


def ran(clinic: Clinic, job: str, **values: object) -> int:
    """A run in the ledger."""
    filled = {
        "slot": "2026-05-06" if job == REMINDERS else "2026-04",
        "status": "done",
        "trigger": "schedule",
        "due_at": at("2026-05-06 06:00"),
        "lease_until": NOW,
        "created_at": NOW,
        **values,
    }
    with clinic.house.writing() as session:
        run = JobRun(job=job, **filled)
        session.add(run)
        session.flush()
        return run.id


def test_run_now_reminds_today_and_says_how_it_went(clinic: Clinic) -> None:
    browser = clinic.browser("admin")
    answer = browser.post(f"/jobs/{REMINDERS}/runs", follow_redirects=True)
    assert answer.request.path == "/jobs"
    assert "started" in words(one(parsed(answer), "[role=status]"))
    until(lambda: clinic.house.count(JobRun, JobRun.status == "done") == 1)
    assert clinic.house.count(Message, REMINDER, Message.status == "sent") == 1
    line = words(row(browser, REMINDERS))
    assert "written only to the console: 1" in line
    assert "2 skipped" in line
    assert clinic.house.count(AuditEntry, AuditEntry.act == "job.run") == 1


def test_run_now_twice_reminds_nobody_twice(clinic: Clinic) -> None:
    browser = clinic.browser("admin")
    browser.post(f"/jobs/{REMINDERS}/runs")
    until(lambda: clinic.house.count(JobRun, JobRun.status == "done") == 1)
    browser.post(f"/jobs/{REMINDERS}/runs")
    until(lambda: clinic.house.count(JobRun, JobRun.status == "done") == 2)
    assert clinic.house.count(Message, REMINDER) == 3
    assert clinic.house.count(Message, REMINDER, Message.status == "sent") == 1


def test_run_now_makes_missing_reports_of_last_month(clinic: Clinic) -> None:
    with clinic.house.writing() as session:
        session.query(Report).where(Report.id == clinic.report).delete()
        session.query(Doctor).update({"created_at": at("2026-03-01 08:00")})
    browser = clinic.browser("admin")
    browser.post(f"/jobs/{REPORTS}/runs")
    until(lambda: clinic.house.count(JobRun, JobRun.status == "done") == 1)
    assert "1 report created · 1 already existed" in words(row(browser, REPORTS))


def test_run_now_writes_the_day_sheets(clinic: Clinic) -> None:
    browser = clinic.browser("admin")
    browser.post(f"/jobs/{SHEETS}/runs")
    until(lambda: clinic.house.count(JobRun, JobRun.status == "done") == 1)
    assert "2 day sheets written" in words(row(browser, SHEETS))
    assert (clinic.house.settings.day_sheets / "2026-05-06.html").is_file()


@pytest.mark.parametrize("job", ["nothing", "send_daily_reminders%00", "..", "tick", "x" * 300])
def test_a_job_that_is_none_is_no_page(clinic: Clinic, job: str) -> None:
    assert clinic.browser("admin").post(f"/jobs/{job}/runs").status_code == 404
    assert clinic.house.count(JobRun) == 0


def test_when_each_job_runs_next(clinic: Clinic) -> None:
    browser = clinic.browser("admin")
    for job, words_of, moment in (
        (SHEETS, "every day at 07:00", "2026-05-07T07:00:00+02:00"),
        (REMINDERS, "every day at 08:00", "2026-05-07T08:00:00+02:00"),
        (REPORTS, "of the month at 00:00", "2026-06-01T00:00:00+02:00"),
    ):
        line = row(browser, job)
        assert words_of in words(line)
        assert attribute(line, "time", "datetime") == moment


TODAY = at("2026-05-06 06:00")
OK, LATE, DOWN, NEVER = "pill-ok", "pill-late", "pill-down", "pill-never"


@pytest.mark.parametrize(
    ("run", "pill", "said"),
    [
        (None, DOWN, "the scheduler is not running"),
        ({"outcome": {"total": {"sent": 3, "failed": 1, "unknown": 2, "queued": 4, "skipped": {"no_address": 5}}}},
         OK, "3 sent · 1 failed · delivery unknown: 2 · 4 queued · 5 skipped"),
        ({"outcome": {"total": {"sent": 0, "failed": 0, "unknown": 0, "queued": 0, "skipped": {}}}},
         OK, "no one to remind"),
        ({"trigger": "catchup"}, OK, "the computer was off"),
        ({"status": "running", "started_at": TODAY}, LATE, "not finished"),
        ({"status": "failed", "last_error": "OSError: full"}, DOWN, "failed: OSError: full"),
        ({"status": "queued", "last_error": "OSError: full"}, LATE, "failed: OSError: full"),
        ({"status": "skipped", "outcome": {"reason": "day_is_over"}}, LATE, RunSkip.DAY_IS_OVER.words),
        ({"status": "skipped", "outcome": {"reason": "before_start"}}, NEVER, RunSkip.BEFORE_START.words),
        ({"status": "skipped", "outcome": {"reason": "restored"}}, LATE, RunSkip.RESTORED.words),
    ],
)  # fmt: skip
def test_the_state_of_a_job_in_words(clinic: Clinic, run: dict[str, object] | None, pill: str, said: str) -> None:
    if run is not None:
        ran(clinic, REMINDERS, **run)
    browser = clinic.browser("admin")
    for page in ("/jobs", "/dashboard"):
        line = row(browser, REMINDERS, page)
        found = line.select_one(".pill")
        assert found is not None
        assert pill in found["class"], page
        assert said in words(line), page


@pytest.mark.parametrize(("minutes", "pill"), [(-1, OK), (1, OK), (4, OK), (6, DOWN)])
def test_a_missing_run_is_down_after_five_minutes(clinic: Clinic, minutes: int, pill: str) -> None:
    ran(clinic, REMINDERS, slot="2026-05-05")
    clinic.clock.move_to(TODAY + timedelta(minutes=minutes))
    browser = clinic.house.browser("admin@clinic.example")
    found = row(browser, REMINDERS).select_one(".pill")
    assert found is not None
    assert pill in found["class"]


def test_what_is_missing_stands_on_the_admins_home(clinic: Clinic) -> None:
    page = parsed(clinic.browser("admin").get("/dashboard"))
    health = [words(item) for item in page.select("ul.health li")]
    missing = [item for item in health if "the scheduler is not running" in item]
    titles = [row.title for row in schedule.table(clinic.house.settings)]
    assert [item.split("was due")[0] for item in missing] == [f"Failing {title} " for title in titles]


def test_the_latest_runs_are_paged_newest_first(clinic: Clinic) -> None:
    for number in range(65):
        ran(clinic, REMINDERS, slot=f"2026-{number:03}", created_at=NOW - timedelta(days=65 - number))
    browser, path, seen = clinic.browser("admin"), "/jobs", list[str]()
    while path:
        page = parsed(browser.get(path))
        older = page.find("a", class_="older")
        seen += [words(cell) for cell in page.select("section:last-of-type tbody td.keep")]
        path = str(older["href"]) if older else ""
        assert len(seen) <= 65
    assert seen == [f"2026-{number:03}" for number in reversed(range(65))]


def test_a_run_by_hand_is_told_apart_from_the_schedules(clinic: Clinic) -> None:
    ran(clinic, REMINDERS)
    opened(clinic.house, REMINDERS)
    page = parsed(clinic.browser("admin").get("/jobs"))
    lines = [words(line) for line in page.select("section:last-of-type tbody tr")]
    assert "started manually" in lines[0]
    assert "scheduled" in lines[1]
    assert all("Wed, 6 May 2026" in line for line in lines)
