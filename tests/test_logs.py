"""What the log looks like: one line per event, in UTC, as pairs or as JSON; no personal data, no forged lines."""

import csv
import json
import logging
import re
import sqlite3
import threading
from collections.abc import Callable, Iterator
from contextlib import closing, redirect_stderr
from io import StringIO
from pathlib import Path

import pytest
import structlog

from service import logs
from tests.house import PASSWORD
from tests.patience import until
from tests.process.launching import Service, configure, result, run, serving
from tests.web.frozen_clinic import Clinic
from tests.web.frozen_clinic import a_clinic as a_clinic
from tests.web.frozen_clinic import a_furnished_folder as a_furnished_folder
from tests.web.frozen_clinic import a_moved_clock as a_moved_clock
from tests.web.frozen_clinic import the_log as the_log

FORGED = 'x\n2026-05-06T08:00:00Z level=error event=forged\r\n\u2028{"event": "forged"}'


@pytest.fixture(name="as_json")
def json_lines() -> Iterator[Callable[[], list[dict[str, object]]]]:
    """The log so far, line by line."""
    log = StringIO()
    with redirect_stderr(log):
        logs.configure("json")
    yield lambda: [json.loads(line) for line in log.getvalue().split("\n") if line]
    structlog.reset_defaults()
    logging.getLogger().handlers.clear()


def test_l5_every_request_is_one_line_with_an_id(
    clinic: Clinic, as_json: Callable[[], list[dict[str, object]]]
) -> None:
    browser = clinic.browser("doctor")
    answers = [browser.get(path) for path in ("/today", f"/patients/{clinic.pia}", "/nowhere", "/patients/999")]
    lines = [line for line in as_json() if line["event"] == "request"]
    assert [line["request"] for line in lines] == [answer.headers["X-Request-ID"] for answer in answers]
    assert [line["status"] for line in lines] == [200, 200, 404, 404]
    assert len({line["request"] for line in lines}) == 4


def test_l5_whatever_a_request_logs_bears_its_id(
    clinic: Clinic, as_json: Callable[[], list[dict[str, object]]], monkeypatch: pytest.MonkeyPatch
) -> None:
    def say(*_args: object, **_more: object) -> None:
        structlog.get_logger().warning("in the middle")
        logging.getLogger("somebody.else").warning("in the middle of %s", "Pia Ahorn")
        raise RuntimeError("Pia Ahorn")

    monkeypatch.setattr("service.domain.appointments.appointments.day", say)
    answer = clinic.browser("doctor").get("/today")
    assert {line["request"] for line in as_json()} == {answer.headers["X-Request-ID"]}
    assert [line["event"] for line in as_json()] == [
        "in the middle",
        "in the middle of %s",
        "unexpected error",
        "request",
    ]
    assert "Pia" not in json.dumps(as_json())


def test_l6_the_time_is_utc_and_says_so(as_json: Callable[[], list[dict[str, object]]]) -> None:
    structlog.get_logger().info("hello")
    logging.getLogger("library").error("hello")
    for line in as_json():
        assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d+Z", str(line["timestamp"]))
    assert [line["level"] for line in as_json()] == ["info", "error"]


@pytest.mark.parametrize("style", ["text", "json"])
def test_l5_no_value_makes_a_line_of_its_own(style: str) -> None:
    log = StringIO()
    with redirect_stderr(log):
        logs.configure(style)  # type: ignore[arg-type]
    try:
        structlog.get_logger().info("hello", name=FORGED)
        logging.getLogger("library").error(FORGED)
    finally:
        structlog.reset_defaults()
        logging.getLogger().handlers.clear()
    assert log.getvalue().count("\n") == 2
    assert not re.search(r"(^|\n)[^\n]{0,30}level=error event=forged", log.getvalue())


def test_l5_an_error_of_a_library_or_a_thread_is_told_without_its_words(
    as_json: Callable[[], list[dict[str, object]]],
) -> None:
    def fail() -> None:
        raise ValueError("Pia Ahorn has hay fever")

    thread = threading.Thread(target=fail)
    thread.start()
    thread.join()
    try:
        fail()
    except ValueError:
        logging.getLogger("library").exception("went wrong for %s", "Pia Ahorn")
    told = as_json()
    assert [line["error"] for line in told] == ["ValueError", "ValueError"]
    assert all("test_logs.py:" in str(line["trace"]) for line in told)
    assert "Pia" not in json.dumps(told)


HUGE = "Unverwechselbar" * 13_000


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"User-Agent": HUGE},
        {"Referer": HUGE},
        {"Cookie": f"rounds={HUGE}"},
        {"Authorization": f"Bearer {HUGE}"},
        dict.fromkeys(("Content-Type", "Accept-Language", "Range", "Idempotency-Key", "Origin"), HUGE),
        dict.fromkeys(("X-Forwarded-For", "X-Forwarded-Host", "Forwarded", "X-Real-IP", "X-Request-ID"), HUGE),
    ],
)
@pytest.mark.parametrize(("method", "path"), [(HUGE, "/sign-in"), ("GET", f"/{HUGE}?q={HUGE}"), ("POST", "/api/v1/me")])
def test_h21_nothing_that_a_visitor_sends_fills_the_log(
    clinic: Clinic, logged: Callable[[], str], method: str, path: str, headers: dict[str, str]
) -> None:
    for _time in range(5):
        assert 400 <= clinic.house.browser().client.open(path, method=method, headers=headers).status_code < 500
    assert clinic.house.browser().get("/sign-in", headers={"Host": HUGE}).status_code == 400
    assert len(logged()) < 5000
    assert "Unverwechselbar" not in logged()


@pytest.mark.parametrize("style", ["text", "json"])
@pytest.mark.parametrize("value", ["x" * 200_000, ["x"] * 200_000, {"x": "y" * 200_000}, b"x" * 200_000])
def test_h21_every_logged_value_is_cut_off(style: str, value: object) -> None:
    log = StringIO()
    with redirect_stderr(log):
        logs.configure(style)  # type: ignore[arg-type]
    try:
        structlog.get_logger().info("hello", value=value, request="ab12")
        logging.getLogger("library").error("x" * 200_000)
    finally:
        structlog.reset_defaults()
        logging.getLogger().handlers.clear()
    assert len(log.getvalue()) < 2000
    assert "ab12" in log.getvalue()


@pytest.fixture(name="service", scope="module")
def a_busy_service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Service, Path]]:
    """A demo clinic on a running service that logs JSON."""
    folder = tmp_path_factory.mktemp("logged")
    configure(folder, '[logs]\nformat = "json"\n[booking]\nself_registration = true\n')
    demo = ("demo", "--doctors", "3", "--patients", "60", "--appointments", "400", "--password", PASSWORD)
    assert run(folder, *demo).returncode == 0
    with serving(folder) as service:
        yield service, folder


def seeded(folder: Path) -> set[str]:
    """Every name, address, number and text of people in the database, and the words of names that stand out."""
    with closing(sqlite3.connect(folder / "rounds.db")) as connection:
        said = {
            str(value)
            for query in (
                "SELECT name, email, phone, birth_date FROM patients",
                "SELECT name, email, password_hash FROM users",
                "SELECT name, department FROM doctors WHERE department LIKE '% %'",
                "SELECT reason, cancellation_reason FROM appointments",
                "SELECT symptoms, diagnosis, treatment, prescription, notes FROM treatments",
                "SELECT body FROM messages WHERE body IS NOT NULL",
            )
            for row in connection.execute(query)
            for value in row
            if value
        }
        names = [name for (name,) in connection.execute("SELECT name FROM patients UNION SELECT name FROM users")]
    return {text for text in said if len(text) > 3} | {word for name in names for word in name.split() if len(word) > 4}


def links(page: str) -> list[str]:
    return [path.replace("&amp;", "&") for path in re.findall(r'href="(/[^"#]*)"', page)]


def crawl(service: Service, who: str, most: int = 60) -> int:
    """Open what can be reached by links, a few of each kind."""
    client, seen, waiting = service.client(f"{who}@demo.example"), dict[str, int](), ["/"]
    opened = 0
    while waiting and opened < most:
        path = waiting.pop(0)
        kind = re.sub(r"\d+|[0-9a-f]{32}", "N", path.partition("?")[0])
        if seen.get(kind, 0) >= 3 or path.startswith("/static/"):
            continue
        seen[kind] = seen.get(kind, 0) + 1
        answer = client.get(path)
        opened += 1
        assert answer.status < 500, path
        waiting += [answer.location] if answer.status == 303 else []
        if answer.headers.get("content-type", "").startswith("text/html"):
            waiting += links(answer.text)
    return opened


def test_l5_a_day_at_a_running_service_leaves_nobody_in_the_log(service: tuple[Service, Path]) -> None:
    running, folder = service
    opened = sum(crawl(running, who) for who in ("admin", "reception", "doctor1", "patient1"))
    assert opened > 60
    result(run(folder, "run-job", "reminders", "--json"))
    name = "Zoë Unverwechselbar"
    stranger, desk, patient = (
        running.client(),
        running.client("reception@demo.example"),
        running.client("patient1@demo.example"),
    )
    stranger.post("/sign-in", {"email": "patient1@demo.example", "password": "no password of hers"})
    stranger.post("/register", {"name": FORGED, "email": "forged@mail.example", "password": "slow boats drift home"})
    desk.post("/patients/new", {"name": name, "phone": "030 5550123", "email": "zoe@mail.example"})
    desk.get("/patients?q=Unverwechselbar")
    desk.get("/nowhere/Unverwechselbar?name=Unverwechselbar")
    export = patient.post("/exports").location
    until(lambda: 'data-state="available"' in patient.get(export).text)
    rows = list(csv.reader(StringIO(patient.get(f"{export}/file").body.decode("utf-8-sig"))))
    assert len(rows) > 20
    log = running.err.read_text(encoding="utf-8")
    lines = [json.loads(line) for line in log.splitlines()]
    assert sum(line["event"] == "request" for line in lines) > opened
    texts = seeded(folder) | {PASSWORD, name, "Unverwechselbar", "5550123", "zoe@", "forged", "no password of hers"}
    texts |= {value for client in (desk, patient) for name, value in client.cookies.items() if "notice" not in name}
    assert len(texts) > 300
    assert sorted(text for text in texts if text in log or json.dumps(text)[1:-1] in log) == []
