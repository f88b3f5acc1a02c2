"""One process, PostgreSQL, workers of their own, side by side; then more of each, from 10,000 to a million
appointments.

The last part also draws docs/pictures/scale-out.svg, unless it runs with --quick.
"""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import datetime, time, timedelta
from itertools import count, cycle
from statistics import median
from time import perf_counter, sleep

from sqlalchemy import func, insert, select, text, update

from bench.data.clinics import ROOT, Bench, Clinic
from bench.plot import Panel, drawn
from bench.rows import booking
from bench.rows.messages import mail_server
from bench.service import site
from bench.service.site import Shape, Site
from bench.service.visitor import Visitor
from bench.table import Row, in_ms
from service import clock
from service.config.settings import load
from service.domain.accounts import sessions
from service.domain.accounts.sessions import Place
from service.domain.outbox import reminders
from service.storage.models import Appointment, Channel, Export, Installation, Message, Patient, User
from tests.services import postgres, redis

ADMIN = "admin@demo.example"
SHAPES = (
    Shape("local, SQLite", postgres=False),
    Shape("local, PostgreSQL"),
    Shape("Celery, PostgreSQL", workers=1),
)
GROWTH = (
    Shape("1 web, 1 worker", workers=1),
    Shape("2 webs, 1 worker", webs=2, workers=1),
    Shape("4 webs, 1 worker", webs=4, workers=1),
    Shape("1 web, 2 workers", workers=2),
    Shape("4 webs, 2 workers", webs=4, workers=2),
)
PICTURE = ROOT / "docs" / "pictures" / "scale-out.svg"
PATIENCE = 600.0
_days = count(1)
"""How many days ahead the next morning of reminders lies: each has patients of its own."""


@dataclass(frozen=True)
class Figures:
    """What was measured of one clinic in one shape."""

    press: float
    exports: float
    mails: float
    cold: float
    cached: float
    presses: float
    processes: int
    memory: float


def rows(bench: Bench) -> Iterator[Row]:
    """The three shapes at one size, then the growth."""
    with ExitStack() as stack:
        try:
            server = stack.enter_context(postgres.running(durable=True))
            broker = stack.enter_context(redis.alone()).address
        except (postgres.NotFound, redis.NotFound) as reason:
            yield Row("Scaling out", f"not measured: {reason}", "", None, "", None)
            return
        mail = stack.enter_context(mail_server(bench.folder))
        yield from _side_by_side(bench, server, broker, mail.toml)
        yield from _growth(bench, server, broker, mail.toml)


def _side_by_side(bench: Bench, server: postgres.Postgres, broker: str, more: str) -> Iterator[Row]:
    visits = bench.size(10_000, 600)
    found: list[Figures] = []
    for number, shape in enumerate(SHAPES):
        url = server.empty() if shape.postgres else "sqlite:///rounds.db"
        clinic = site.furnish(bench.new(f"shape-{number}"), url, visits, more)
        found.append(_measured(bench, clinic, shape, broker, mails=bench.size(10_000, 100)))
    for figures, shape in zip(found, SHAPES, strict=True):
        yield from _as_rows(figures, found[0], shape.name)


def _as_rows(figures: Figures, first: Figures, name: str) -> Iterator[Row]:
    beside = SHAPES[0].name

    def row(what: str, words: str, mine: float, theirs: float) -> Row:
        return Row(f"{name}: {what}", words, beside, mine / theirs, "", None)

    yield row("press to file, p50", in_ms(figures.press), figures.press, first.press)
    yield row("exports a second", f"{figures.exports:.1f}/s", figures.exports, first.exports)
    yield row("reminders sent with TLS", f"{figures.mails:.0f}/s", figures.mails, first.mails)
    yield row("dashboard, cold", in_ms(figures.cold), figures.cold, first.cold)
    yield row("dashboard, cached", in_ms(figures.cached), figures.cached, first.cached)
    yield row("64 clients booking", f"{figures.presses:.0f} presses/s", figures.presses, first.presses)
    words = f"{figures.memory:.0f} MiB in {figures.processes} processes"
    yield row("memory afterwards", words, figures.memory, first.memory)


def _growth(bench: Bench, server: postgres.Postgres, broker: str, more: str) -> Iterator[Row]:
    """Each shape at each size, beside the smallest shape of that size."""
    sizes = (600, 1200) if bench.quick else (10_000, 100_000, 1_000_000)
    by_size: dict[int, list[Figures]] = {}
    for visits in sizes:
        clinic = site.furnish(bench.new(f"growth-{visits}"), server.empty(), visits, more)
        by_size[visits] = [_measured(bench, clinic, shape, broker, mails=bench.size(1000, 100)) for shape in GROWTH]
        first = by_size[visits][0]
        for shape, figures in zip(GROWTH, by_size[visits], strict=True):
            words = (
                f"{figures.presses:.0f} presses/s, {figures.exports:.1f} exports/s, {figures.mails:.0f} mails/s, "
                f"cold dashboard {in_ms(figures.cold)}, {figures.memory:.0f} MiB"
            )
            ratio = figures.presses / first.presses
            yield Row(f"{visits:,} visits, {shape.name}", words, GROWTH[0].name, ratio, "", None)
    if not bench.quick:
        PICTURE.parent.mkdir(exist_ok=True)
        PICTURE.write_text(_picture(by_size), encoding="utf-8")


def _picture(by_size: dict[int, list[Figures]]) -> str:
    names = [shape.name.replace(", ", "\n") for shape in GROWTH]

    def panel(title: str, of: str) -> Panel:
        return Panel(
            title, names, {f"{size:,} visits": [getattr(one, of) for one in by_size[size]] for size in by_size}
        )

    return drawn(
        "What more processes bring",
        [
            panel("Presses a second, 64 clients", "presses"),
            panel("Exports a second", "exports"),
            panel("Reminders a second", "mails"),
            panel("Memory, MiB", "memory"),
        ],
    )


def _measured(bench: Bench, clinic: Clinic, shape: Shape, broker: str, *, mails: int) -> Figures:
    with site.running(clinic, shape, broker) as here:
        people = _signed_in(here, booking.CLIENTS)
        cold, cached = _dashboard(here, bench.size(7, 3))
        return Figures(
            press=_press_to_file(here, people, bench.size(30, 5)),
            exports=_exports(here, people),
            mails=_reminders(here, mails),
            cold=cold,
            cached=cached,
            presses=_race(here, people, bench.size(20, 4)),
            processes=len(here.processes()),
            memory=here.memory(),
        )


def _signed_in(here: Site, number: int) -> list[str]:
    """Tokens of so many patients' sessions."""
    security = load(here.clinic.config).security
    emails = [f"patient{one}@demo.example" for one in range(1, number + 1)]
    with here.database.transaction() as session:
        users = session.scalars(select(User.id).where(User.email.in_(emails)))
        return [sessions.begin(session, user, Place("127.0.0.1"), security).token for user in users]


def _dashboard(here: Site, looks: int) -> tuple[float, float]:
    """Seconds of the page when the figures are counted, after the first, and when they are kept."""
    admin = Visitor(here.ports[0], ADMIN)
    admin.get("/dashboard")
    token = admin.form_token("/dashboard")
    cold = []
    for _look in range(looks):
        start = perf_counter()
        admin.press("/dashboard", {"csrf_token": token})
        cold.append(perf_counter() - start)
    cached = median(admin.timed("/dashboard") for _look in range(looks))
    admin.close()
    return median(cold), cached


def _press_to_file(here: Site, people: list[str], presses: int) -> float:
    """The median from the press of a patient until the row says that the file is there."""
    took = []
    for token, port, _turn in zip(people, cycle(here.ports), range(presses), strict=False):
        visitor = Visitor(port, token=token)
        form = visitor.form_token("/treatments")
        start = perf_counter()
        export = visitor.press("/exports", {"csrf_token": form}).rpartition("/")[2]
        _wait_until(here, select(Export.status == "available").where(Export.id == export))
        took.append(perf_counter() - start)
        visitor.close()
    return median(took)


def _exports(here: Site, people: list[str]) -> float:
    """How many exports a second are finished when all patients press at once, ten seconds after their last one."""
    sleep(10.5)  # until then a press leads to the export just made
    visitors = [Visitor(port, token=token) for token, port in zip(people, cycle(here.ports), strict=False)]
    forms = [visitor.form_token("/treatments") for visitor in visitors]
    start = perf_counter()
    with ThreadPoolExecutor(len(people)) as pool:
        pressed = pool.map(lambda one, form: one.press("/exports", {"csrf_token": form}), visitors, forms)
        made = [where.rpartition("/")[2] for where in pressed]
    unfinished = select(func.count() == 0).where(Export.id.in_(made), Export.status != "available")
    _wait_until(here, unfinished)
    seconds = perf_counter() - start
    for visitor in visitors:
        visitor.close()
    return len(made) / seconds


def _reminders(here: Site, number: int) -> float:
    """How many reminders a second leave, from the first to the last of a morning."""
    settings = load(here.clinic.config)
    day = clock.today(settings.clinic.zone) + timedelta(days=next(_days))
    first = _morning(here, datetime.combine(day, time(9), settings.clinic.zone), number)
    mine = Message.patient_id >= first
    with here.database.transaction() as session:
        session.execute(update(Installation).values(messages_paused_at=clock.now()))
        reminders.plan(session, reminders.of_day(day, settings.clinic.zone), (Channel.EMAIL,))
    with here.database.transaction() as session:
        session.execute(update(Installation).values(messages_paused_at=None))
    sent = select(func.count()).where(mine, Message.status == "sent")
    _wait_until(here, select(sent.scalar_subquery() > 0))
    start = perf_counter()
    _wait_until(here, select(sent.scalar_subquery() == number))
    return number / (perf_counter() - start)


def _morning(here: Site, begins: datetime, number: int) -> int:
    """So many new patients with an appointment each on a day; returns the first one's id."""
    booked = begins - timedelta(days=30)
    with here.database.transaction() as session:
        first = (session.scalar(select(func.max(Patient.id))) or 0) + 1
        people = [
            {"id": first + one, "name": f"Patient {one}", "email": f"m{first + one}@demo.example", "created_at": booked}
            for one in range(number)
        ]
        session.execute(insert(Patient), people)
        if not here.database.is_sqlite:
            session.execute(text("SELECT setval('patients_id_seq', (SELECT max(id) FROM patients))"))
        visits = []
        for one in range(number):
            at = begins + timedelta(minutes=one % 480)
            times = {"starts_at": at, "ends_at": at + timedelta(minutes=15), "created_at": booked}
            visits.append({"doctor_id": 1, "patient_id": first + one, "status": "booked", "overbooked": True, **times})
        session.execute(insert(Appointment), visits)
    return first


def _race(here: Site, people: list[str], times: int) -> float:
    """Presses a second of 64 patients for one free time, each at one of the web processes."""
    slot = _slot(here)
    with ThreadPoolExecutor(booking.CLIENTS) as pool:
        seats = list(zip(people, cycle(here.ports), strict=False))
        forms = list(pool.map(lambda seat: booking.form(seat[1], seat[0]), seats))
        start = perf_counter()
        pressed = [
            pool.submit(booking.press, seat[1], token, form, slot, times)
            for seat, (token, form) in zip(seats, forms, strict=True)
        ]
        answers = [status for one in pressed for status, _seconds in one.result()]
        seconds = perf_counter() - start
    assert set(answers) <= {303, 409}, set(answers)
    return len(answers) / seconds


def _slot(here: Site) -> datetime:
    """A quarter of an hour in which the first doctor has no appointment."""
    zone = load(here.clinic.config).clinic.zone
    for days in range(60, 80):
        for quarter in range(40):
            at = clock.instant(clock.today(zone) + timedelta(days=days), time(8 + quarter // 4, quarter % 4 * 15), zone)
            around = Appointment.starts_at < at + timedelta(minutes=15), Appointment.ends_at > at
            with here.database.reading() as session:
                if not session.scalar(select(func.count()).where(Appointment.doctor_id == 1, *around)):
                    return at.astimezone(zone)
    raise SystemExit("no free time for the race")


def _wait_until(here: Site, query: object) -> None:
    """Wait until a query answers true."""
    deadline = perf_counter() + PATIENCE
    while True:
        with here.database.reading() as session:
            if session.scalar(query):  # type: ignore[call-overload]
                return
        if perf_counter() > deadline:
            raise SystemExit("it does not come about")
        sleep(0.001)
