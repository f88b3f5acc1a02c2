"""Behind nginx and Caddy as docs/operations.md sets them up, with TLS and HTTP/2: nobody forges who asks."""

import signal
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from service import clock
from service.domain.imports.import_tables import MOST_BYTES
from tests.faults.clinic import big_history
from tests.house import House
from tests.patience import until
from tests.process.launching import Client, Service, configure, rows, serving
from tests.server.fronts import PATIENCE_OF_FRONT, URL, Front, Kind

pytestmark = [pytest.mark.foreign, pytest.mark.timeout(1200)]

EVE, ADMIN, RITA = "eve@clinic.example", "admin@clinic.example", "rita@clinic.example"
TREATMENTS = 20_000
LINKS = 30
"""So many links that do not exist may be opened from an address."""
FORGED = (
    *("--header", "X-Forwarded-For: 203.0.113.9", "--header", "Forwarded: for=203.0.113.9"),
    *("--header", "X-Forwarded-Proto: http", "--header", "X-Forwarded-Host: evil.example"),
    *("--header", "X-Real-IP: 203.0.113.9"),
)


@pytest.fixture
def service(house: House, tmp_path: Path) -> Iterator[Service]:
    """A clinic with a long history, behind a proxy."""
    big_history(house, EVE, TREATMENTS)
    house.user("admin", ADMIN, "Ines")
    house.user("receptionist", RITA, "Rita")
    house.hours(1)
    configure(tmp_path, f'[clinic]\npublic_url = "{URL}"\n[server]\nport = 0\ntrusted_proxy = "127.0.0.1"')
    with serving(tmp_path) as running:
        yield running


@pytest.mark.parametrize("kind", Kind)
def test_p6_behind_a_front_people_work_as_without_and_are_known_by_their_own_address(
    house: House, service: Service, tmp_path: Path, kind: Kind
) -> None:
    front = Front(tmp_path / "front", service.port)
    front.folder.mkdir()
    with front.running(kind):
        signs_in(front, tmp_path)
        books(front, house)
        downloads(front)
        uploads(front, tmp_path)
        guesses_are_counted_where_they_come_from(front)
        outlasts_a_service_that_stands_still(front, service)
    believes_nobody_else(service, tmp_path)


def signs_in(front: Front, folder: Path) -> None:
    """Over HTTP/2, with a cookie that only travels closed, whatever the browser says of itself."""
    eve = front.visitor("127.0.0.2")
    page = eve.get("/sign-in")
    assert (page.status, page.headers["version"]) == (200, "2")
    assert eve.sign_in(EVE, "wrong").status == 422
    welcome = eve.sign_in(EVE, options=FORGED)
    assert welcome.status == 303
    assert "evil" not in welcome.headers["location"]
    cookies = [line for line in eve.jar.read_text(encoding="utf-8").splitlines() if "\t" in line]
    assert any("__Host-rounds-" in line for line in cookies)
    assert all("#HttpOnly_" in line and line.split("\t")[3] == "TRUE" for line in cookies)  # TRUE: over TLS only
    assert eve.get("/", "--location").headers["version"] == "2"
    addresses = rows(folder, "SELECT DISTINCT address FROM audit WHERE act LIKE 'session.%'")
    assert addresses == [("127.0.0.2",)]


def books(front: Front, house: House) -> None:
    """A form leads on by a redirect that works behind the front."""
    rita, otto = front.visitor("127.0.0.3"), house.patient("Otto")
    assert rita.sign_in(RITA).status == 303
    day = (clock.now() + timedelta(days=9)).date()
    form = {"patient_id": str(otto), "doctor_id": "1", "starts_at": f"{day}T10:00"}
    booked = rita.post("/appointments", form)
    assert booked.status == 303
    assert "Otto" in rita.get(booked.location).text


def downloads(front: Front) -> None:
    """A long file comes whole."""
    eve = front.visitor("127.0.0.2")
    page = eve.post("/exports", {}).location
    until(lambda: 'data-state="available"' in eve.get(page).text)
    file = eve.get(f"{page}/file")
    assert (file.status, file.headers["version"]) == (200, "2")
    assert file.body.count(b"\r\n") == TREATMENTS + 1
    assert int(file.headers.get("content-length", len(file.body))) == len(file.body)


def uploads(front: Front, folder: Path) -> None:
    """The largest file that can be imported passes; larger ones are refused, by the service and by the front."""
    ines, file = front.visitor("127.0.0.4"), folder / "people.csv"
    assert ines.sign_in(ADMIN).status == 303
    head, line = b"name,birth_date,note\n", b"Nora Neumann,1990-01-01," + b"x" * 600 + b"\n"
    whole = head + line * ((MOST_BYTES - len(head)) // len(line))
    file.write_bytes(whole.ljust(MOST_BYTES, b"\n"))
    taken = ines.upload("/imports", {"kind": "patients"}, file)
    assert taken.status == 303, taken.text
    file.write_bytes(whole + bytes(2 << 20))
    assert ines.upload("/imports", {"kind": "patients"}, file).status == 413
    file.write_bytes(whole + bytes(14 << 20))
    refused = ines.upload("/imports", {"kind": "patients"}, file)
    assert refused.status in (413, 0)  # Caddy may close the stream before curl has read why
    assert ines.get("/imports").status == 200


def guesses_are_counted_where_they_come_from(front: Front) -> None:
    """A client that guesses is refused, others aren't, and forged headers don't help."""
    guesser = front.visitor("127.0.0.5")
    answers = [guesser.get(f"/visit/{turn:043}", *FORGED).status for turn in range(LINKS + 1)]
    assert answers == [404] * LINKS + [429]
    assert front.visitor("127.0.0.6").get(f"/visit/{0:043}", *FORGED).status == 404
    assert front.visitor("127.0.0.6").sign_in(RITA).status == 303


def outlasts_a_service_that_stands_still(front: Front, service: Service) -> None:
    """nginx says so, Caddy waits as long as the visitor; all is well once the service goes on."""
    rita = front.visitor("127.0.0.3")
    service.process.send_signal(signal.SIGSTOP)
    try:
        answer = rita.get("/today", "--max-time", str(PATIENCE_OF_FRONT + 10))
    finally:
        service.process.send_signal(signal.SIGCONT)
    assert answer.status in (0, 504)
    until(lambda: rita.get("/today").status == 200)


def believes_nobody_else(service: Service, folder: Path) -> None:
    """Past the front nobody is believed who says that they come from elsewhere."""
    headers = {"X-Forwarded-For": "203.0.113.9", "X-Forwarded-Proto": "https", "Forwarded": "for=203.0.113.9"}
    direct = Client(service.url, headers=headers, source="127.0.0.7")
    assert direct.sign_in(RITA).status == 303
    assert not any(name.startswith("__Host-") for name in direct.cookies)
    said = {address for (address,) in rows(folder, "SELECT DISTINCT address FROM audit WHERE address IS NOT NULL")}
    assert "127.0.0.7" in said
    assert not any("203.0.113" in address for address in said)
