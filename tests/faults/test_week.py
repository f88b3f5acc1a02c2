"""A week of a small clinic's PC, played with its clock moved: it is switched on and off at odd times, misses a morning
and a day, loses its power, fills its disk and is restored. Afterwards every reminder, report and backup is accounted
for: by the database, and by the mail server, which no one can restore.
"""

import shutil
from collections import Counter
from collections.abc import Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import pytest
import time_machine

from service.domain.foundation.job_runs import BY_HAND
from tests.faults.clinic import wall
from tests.faults.disks import disk, fill
from tests.house import House
from tests.patience import until
from tests.process.launching import Service, configure, jump, rows, run, serving
from tests.services.mail_server import MailServer, running

BACKUP, REMINDERS, REPORTS = "make_backup", "send_daily_reminders", "generate_monthly_report"
DAYS = {
    "mon": "2026-04-27",
    "tue": "2026-04-28",
    "wed": "2026-04-29",
    "thu": "2026-04-30",
    "fri": "2026-05-01",
    "sat": "2026-05-02",
    "sun": "2026-05-03",
}
HOURS = ("08:30", "10:00", "12:00", "15:00", "17:45")
"""Of each day's appointments; the first is told the day before."""


@dataclass
class Week:
    """The clinic's computer, and the mail server somewhere else."""

    home: Path
    disk: Path
    server: MailServer
    starts: int = 0

    def on(self, day: str, time: str) -> AbstractContextManager[Service]:
        """Switched on."""
        self.starts += 1
        return serving(self.home, at=wall(f"{DAYS[day]} {time}"))

    def clock(self, day: str, time: str) -> None:
        """Time passes while it runs."""
        jump(self.home, wall(f"{DAYS[day]} {time}"))

    def ledger(self, job: str) -> dict[str, str]:
        """What each turn of a job came to: `done`, or why it was left out."""
        query = "SELECT slot, status, json_extract(outcome, '$.reason') FROM job_runs WHERE job = ?"
        found = {slot: reason or status for slot, status, reason in rows(self.disk, query, job)}
        return {slot: end for slot, end in found.items() if BY_HAND not in slot}

    def until_done(self, day: str, *jobs: str) -> None:
        """Wait for turns of the day to end."""
        for job in jobs:
            until(partial(self.is_done, day, job))

    def is_done(self, day: str, job: str) -> bool:
        """Whether a turn has ended well."""
        return self.ledger(job).get(DAYS[day]) == "done"

    def ticked_since(self, day: str, utc: str) -> bool:
        """Whether the scheduler has looked since."""
        return bool(rows(self.disk, "SELECT 1 FROM installation WHERE ticked_at >= ?", f"{DAYS[day]} {utc}"))

    def told(self, day: str) -> dict[str, int]:
        """How many reminders have arrived, by the hours of a day's appointments."""
        counts = Counter(
            mail.recipients[0] for mail in self.server.mails if "Your appointment at" in mail.parsed["Subject"]
        )
        return {hour: counts[address(day, hour)] for hour in HOURS}


def address(day: str, hour: str) -> str:
    return f"{day}-{hour.replace(':', '')}@mail.example"


@pytest.fixture
def week(house: House, tmp_path: Path) -> Iterator[Week]:
    """Five appointments a day, each of another patient; the database on a small disk, mail to a real server."""
    with time_machine.travel(wall("2026-04-01 12:00")):
        doctor = house.user("doctor", "ada@clinic.example", "Dr Ada").doctor_id
        house.user("admin", "ines@clinic.example", "Ines")
        assert doctor is not None
        for day, date in DAYS.items():
            for hour in HOURS:
                patient = house.patient(f"{day} {hour}", email=address(day, hour))
                house.visit(doctor, patient, wall(f"{date} {hour}"))
    house.wiring.database.close()
    server = MailServer()
    with running(server), disk(tmp_path / "disk", "16m") as small:
        shutil.copy(tmp_path / "rounds.db", small)
        places = f'[database]\nurl = "sqlite:///{small}/rounds.db"\n[backup]\nfolder = "{small}/backups"\n'
        configure(tmp_path, f"{places}{server.toml()}\n")
        yield Week(tmp_path, small, server)


@pytest.mark.soak
def test_a_week_of_switching_on_and_off_leaves_nothing_unaccounted_for(
    week: Week, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TEST_TICK", "1")
    all_once = dict.fromkeys(HOURS, 1)

    with week.on("mon", "07:30") as pc:  # an ordinary day
        week.until_done("mon", BACKUP)
        week.clock("mon", "08:00")
        week.until_done("mon", REMINDERS)
        week.clock("mon", "19:10")
        assert pc.stop() == 0
    assert week.told("mon") == all_once

    with week.on("tue", "09:17") as pc:  # a missed morning
        week.until_done("tue", BACKUP, REMINDERS)
        assert pc.stop() == 0
    assert week.told("tue") == all_once

    week.server.seconds = 0.4
    with week.on("wed", "07:58") as pc:  # the power goes while reminders leave
        week.until_done("wed", BACKUP)
        week.clock("wed", "08:00")
        until(lambda: sum(week.told("wed").values()) >= 3)
        pc.kill()
    week.server.seconds = 0
    with week.on("wed", "08:12") as pc:
        week.until_done("wed", REMINDERS)
        assert pc.stop() == 0
    unsure = {hour for hour in HOURS if messages(week, "wed")[hour] == ["unknown"]}
    assert len(unsure) <= 1, "at most the one in flight"
    assert {hour: number for hour, number in week.told("wed").items() if number != 1}.keys() <= unsure
    assert max(week.told("wed").values()) == 1, "nobody got two"

    with week.on("thu", "02:50") as pc:  # someone fills the disk before the night's backup
        desk = pc.client("ada@clinic.example")
        film = fill(week.disk)
        week.clock("thu", "03:00")
        until(lambda: pc.client().get("/readyz").status == 503)
        assert "down: Disk: full" in pc.client().get("/readyz").text
        film.unlink()
        week.clock("thu", "08:20")
        week.until_done("thu", BACKUP, REMINDERS)
        assert desk.get("/livez").status == 200
        assert pc.stop() == 0
    assert week.told("thu") == all_once

    with week.on("fri", "06:05") as pc:  # the 1st of the month
        week.until_done("fri", BACKUP)
        until(lambda: week.ledger(REPORTS).get("2026-04") == "done")
        until(lambda: len(rows(week.disk, "SELECT 1 FROM messages WHERE rule = 'report_ready' AND status = 'sent'")))
        saved = Path(run(week.home, "backup", at=wall(f"{DAYS['fri']} 07:00")).stdout.split(": ")[0])
        week.clock("fri", "08:00")
        week.until_done("fri", REMINDERS)
        assert pc.stop() == 0
    assert week.told("fri") == all_once

    restored = run(week.home, "restore", str(saved), "--yes", at=wall(f"{DAYS['fri']} 12:00"))
    assert restored.returncode == 0, restored.stderr
    with week.on("fri", "12:30") as pc:
        until(lambda: week.ticked_since("fri", "10:30"))
        week.clock("fri", "18:00")
        until(lambda: week.ticked_since("fri", "16:00"))
        assert pc.stop() == 0

    with week.on("sun", "11:40") as pc:  # Saturday was off
        week.until_done("sun", BACKUP, REMINDERS)
        page = pc.client("ines@clinic.example").get("/system").text
        assert pc.stop() == 0

    assert week.starts == 8
    assert_accounted_for(week, page)


def messages(week: Week, day: str) -> dict[str, list[str]]:
    """What the database says of the reminders of a day: by hour, the state or the reason of each."""
    query = (
        "SELECT coalesce(skip_reason, m.status) FROM messages m JOIN patients p ON p.id = patient_id WHERE p.name = ?"
    )
    return {hour: [state for (state,) in rows(week.disk, query, f"{day} {hour}")] for hour in HOURS}


def assert_accounted_for(week: Week, page: str) -> None:
    """Each turn of each job has its row; each reminder arrived once, or has its reason; each backup is there."""
    over, all_done = "day_is_over", dict.fromkeys(DAYS.values(), "done")
    assert week.ledger(BACKUP) == {**all_done, DAYS["sat"]: over}
    off = {"2026-04-26": over, DAYS["fri"]: "restored", DAYS["sat"]: over}
    assert week.ledger(REMINDERS) == {**all_done, **off}
    assert week.ledger(REPORTS) == {"2026-03": "done", "2026-04": "done"}
    assert rows(week.disk, "SELECT 1 FROM job_runs WHERE status NOT IN ('done', 'skipped')") == []

    assert week.told("sat") == {**dict.fromkeys(HOURS, 0), "08:30": 1}, "told on Friday; Saturday's run was missed"
    assert week.told("sun") == {**dict.fromkeys(HOURS, 1), "08:30": 0, "10:00": 0}, "those had begun by 11:40"
    sent = {hour: ["sent"] for hour in HOURS}
    for day in ("mon", "tue", "thu"):
        assert messages(week, day) == sent
    assert messages(week, "sat")["08:30"] == ["unknown"], "sent after the backup: the desk decides"
    assert messages(week, "sun") == {**sent, "08:30": ["too_late"], "10:00": ["too_late"]}
    assert rows(week.disk, "SELECT 1 FROM messages WHERE status NOT IN ('sent', 'skipped', 'unknown')") == []

    assert rows(week.disk, "SELECT month FROM reports ORDER BY month") == [("2026-04",)], "the doctor came in April"
    assert week.server.told["ada@clinic.example"] == 1, "a report is told once, also after the restore"

    files = {file.name for file in (week.disk / "backups").iterdir()}
    assert Counter(name[7:17] for name in files if "before" not in name) == {
        **{date: 1 for day, date in DAYS.items() if day != "sat"},
        DAYS["fri"]: 2,
    }
    assert len([name for name in files if name.endswith("-before-restore.zip")]) == 1
    assert all(name in page for name in files)
    assert rows(week.disk, "PRAGMA integrity_check") == [("ok",)]
    ((told, visits),) = rows(
        week.disk,
        "SELECT json_extract(outcome, '$.visits'), (SELECT count(*) FROM appointments) "
        "FROM job_runs WHERE job = 'make_backup' AND status = 'done' ORDER BY id DESC LIMIT 1",
    )
    assert told == visits == len(DAYS) * len(HOURS)
