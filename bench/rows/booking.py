"""A race for one time: 64 patients press again and again, beside bare inserts through the same server."""

from collections import Counter
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, time, timedelta
from http.client import HTTPConnection
from statistics import median, quantiles
from time import perf_counter
from urllib.parse import urlencode

from bench.data.clinics import Bench, Clinic
from bench.service.process import RUN, Service, serving
from bench.service.visitor import COOKIE, Visitor
from bench.table import Row
from service import clock
from service.config.settings import load
from service.domain.accounts import sessions
from service.domain.accounts.sessions import Place
from service.storage.database import Database

CLIENTS = 64
BARE = ("-m", "bench.twins.booking_service", "serve")


def rows(bench: Bench) -> Iterator[Row]:
    """Presses on one free time of the first doctor's, in turn with as many bare inserts."""
    clinic, presses = bench.usual.copied(bench.folder / "race"), bench.size(1000, 128)
    rounds = bench.size(10, 2)
    people = _signed_in(clinic)
    slot = _slot(clinic)
    statuses: Counter[int] = Counter()
    late: list[float] = []
    pairs: list[tuple[float, float]] = []
    with serving(clinic, RUN) as ours, serving(clinic.copied(bench.folder / "bare"), BARE) as bare:
        for _round in range(rounds):
            mine = _race(ours, people, presses, slot)
            theirs = _race(bare, people, presses, slot)
            statuses.update(status for status, _seconds in mine[1])
            late += [seconds for _status, seconds in mine[1]]
            pairs.append((presses / mine[0], presses / theirs[0]))
    made = clinic.ask(
        "SELECT count(*) FROM appointments WHERE starts_at = ? AND status = 'booked'",
        f"{slot.astimezone(UTC):%F %T.%f}",
    )
    p99, ratio = quantiles(late, n=100)[-1], median(one / other for one, other in pairs)
    words = ", ".join(f"{count:,} x {status}" for status, count in sorted(statuses.items()))
    right = statuses.keys() <= {303, 409} and made == 1
    yield Row(
        f"Race for one time, {CLIENTS} clients", words, f"{made} booked", None, "1 booked, the rest 409, no 5xx", right
    )
    speeds = [median(each) for each in zip(*pairs, strict=True)]
    beside = f"{speeds[1]:.0f}/s, bare inserts"
    yield Row("… presses a second", f"{speeds[0]:.0f}/s", beside, ratio, ">= 1.0", ratio >= 1)
    yield Row("… p99", f"{p99:.2f} s", "", None, "<= 2 s", p99 <= 2)


def _signed_in(clinic: Clinic) -> list[str]:
    """A session's token for each of the patients."""
    settings = load(clinic.config)
    database = Database(settings.database_url)
    with database.transaction() as session:
        users = [
            clinic.ask("SELECT id FROM users WHERE email = ?", f"patient{number}@demo.example")
            for number in range(1, CLIENTS + 1)
        ]
        tokens = [sessions.begin(session, user, Place("127.0.0.1"), settings.security).token for user in users]
    database.close()
    return tokens


def _slot(clinic: Clinic) -> datetime:
    """A quarter of an hour in which no one has an appointment, on the clinic's wall clock."""
    zone = load(clinic.config).clinic.zone
    day = clock.today(zone) + timedelta(days=60)
    for quarter in range(40):
        at = clock.instant(day, time(8 + quarter // 4, quarter % 4 * 15), zone)
        query = "SELECT count(*) FROM appointments WHERE starts_at = ?"
        if not clinic.ask(query, f"{at:%F %T.%f}"):
            return at.astimezone(zone)
    raise SystemExit("no free time for the race")


def _race(
    service: Service, people: Sequence[str], presses: int, slot: datetime
) -> tuple[float, list[tuple[int, float]]]:
    """How long all presses take together, and each one's status and seconds."""
    with ThreadPoolExecutor(CLIENTS) as pool:
        forms = list(pool.map(lambda token: form(service.port, token), people))
        share = presses // CLIENTS
        start = perf_counter()
        answers = list(pool.map(lambda both: press(service.port, both[0], both[1], slot, share), forms))
        seconds = perf_counter() - start
    return seconds * presses / (share * CLIENTS), [one for several in answers for one in several]


def form(port: int, token: str) -> tuple[str, str]:
    """Someone's token and that of their forms."""
    visitor = Visitor(port, token=token)
    form_token = visitor.form_token("/appointments")
    visitor.close()
    return token, form_token


def press(port: int, token: str, form_token: str, slot: datetime, times: int) -> list[tuple[int, float]]:
    """One patient presses so many times over one connection."""
    body = urlencode({"csrf_token": form_token, "doctor_id": "1", "starts_at": f"{slot:%Y-%m-%dT%H:%M}"})
    headers = {"Cookie": f"{COOKIE}={token}", "Content-Type": "application/x-www-form-urlencoded"}
    connection, found = HTTPConnection("127.0.0.1", port, timeout=60), []
    for _turn in range(times):
        start = perf_counter()
        connection.request("POST", "/appointments", body, headers)
        answer = connection.getresponse()
        answer.read()
        found.append((answer.status, perf_counter() - start))
    connection.close()
    return found
