"""How large a body may be is found out before it is read: by the session's cookie, the role and the page."""

import socket
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from werkzeug.test import EnvironBuilder

from service.app import LARGEST_BODY
from service.http.unsent_forms import LARGEST
from service.server import bodies
from service.server.bodies import LARGEST_UPLOAD
from tests import patience
from tests.house import House
from tests.process.launching import Client, Service, configure, serving

MIB = 1024 * 1024
ADMIN, DESK = "admin@clinic.example", "desk@clinic.example"


@pytest.mark.parametrize(
    ("role", "path", "limit"),
    [
        ("admin", "/imports", LARGEST_UPLOAD),
        ("admin", "/today", LARGEST),
        ("admin", "/no/such/page", LARGEST),
        ("receptionist", "/imports", LARGEST),
        ("patient", "/imports", LARGEST),
        (None, "/imports", LARGEST_BODY),
        (None, "/sign-in", LARGEST_BODY),
    ],
)
def test_h19_only_who_may_import_may_send_a_file(house: House, role: str | None, path: str, limit: int) -> None:
    cookie = "rounds=" + "a" * 43
    if role is not None:
        house.user(role, "someone@clinic.example")
        browser = house.browser("someone@clinic.example")
        cookie = f"{browser.cookie_name}={browser.kept()[0]}"
    environ = EnvironBuilder(method="POST", path=path, headers=[("Cookie", cookie)]).get_environ()
    assert bodies.ask(environ, bodies.wrap(house.app)) == limit
    signed_out = EnvironBuilder(method="POST", path=path).get_environ()
    assert bodies.ask(signed_out, bodies.wrap(house.app)) == LARGEST_BODY


@pytest.fixture
def service(house: House, tmp_path: Path) -> Iterator[Service]:
    """A service with an administrator."""
    house.user("admin", ADMIN)
    configure(tmp_path)
    with serving(tmp_path) as running:
        yield running
        assert running.stop() == 0


def head(client: Client, length: str, *more: str) -> bytes:
    """The header of an upload of this visitor."""
    cookies = "; ".join(f"{name}={value}" for name, value in client.cookies.items())
    lines = [
        "POST /imports HTTP/1.1",
        "Host: 127.0.0.1",
        "Content-Type: multipart/form-data; boundary=b",
        length,
        *more,
    ]
    return "\r\n".join([*lines, *([f"Cookie: {cookies}"] if cookies else []), "", ""]).encode()


def upload(token: str, size: int) -> bytes:
    """The body of an upload of a file of so many bytes."""
    fields = {"csrf_token": token, "kind": "patients"}
    texts = [f'--b\r\nContent-Disposition: form-data; name="{key}"\r\n\r\n{value}\r\n' for key, value in fields.items()]
    file = '--b\r\nContent-Disposition: form-data; name="file"; filename="p.csv"\r\n\r\n'
    line = b"Eve,Example,1980-01-02," + b"x" * 1000 + b"\n"
    content = b"first,last,born,notes\n" + line * (size // len(line))
    return "".join(texts).encode() + file.encode() + content + b"\r\n--b--\r\n"


@pytest.mark.flood
def test_h19_an_admin_sends_a_file_by_length_in_chunks_and_after_waiting_for_a_word(service: Service) -> None:
    admin = service.client(ADMIN)
    body = upload(admin.token(), 6 * MIB)
    chunks = b"".join(b"%x\r\n%b\r\n" % (len(piece), piece) for piece in pieces(body)) + b"0\r\n\r\n"
    by_length = f"Content-Length: {len(body)}"
    for begin, rest in (
        (head(admin, by_length), body),
        (head(admin, "Transfer-Encoding: chunked"), chunks),
    ):
        assert sent(service, begin, rest).startswith(b"HTTP/1.1 303 ")
    asking = head(admin, by_length, "Expect: 100-continue")
    with closing(socket.create_connection(("127.0.0.1", service.port), timeout=patience.SECONDS)) as connection:
        connection.sendall(asking)
        assert connection.recv(1024) == b"HTTP/1.1 100 Continue\r\n\r\n"
        connection.sendall(body)
        assert connection.recv(1024).startswith(b"HTTP/1.1 303 ")


@pytest.mark.flood
def test_h19_a_stranger_who_waits_for_a_word_is_refused_without_sending_anything(service: Service) -> None:
    stranger = Client(service.url)
    for length in (2 * MIB, 16 * MIB, 200 * MIB):
        begin = head(stranger, f"Content-Length: {length}", "Expect: 100-continue")
        answer = sent(service, begin, b"")
        assert answer.startswith(b"HTTP/1.1 413 "), length
        assert answer.endswith(b"\r\n\r\nThis is more than you may send here: a file to import needs a sign-in.\n")


@pytest.mark.flood
def test_h19_after_a_refusal_no_part_of_the_body_is_read_as_a_request(service: Service) -> None:
    smuggled = b"GET /livez HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n"
    begin = head(Client(service.url), f"Content-Length: {2 * MIB}")
    answer = sent(service, begin, smuggled * (2 * MIB // len(smuggled)))
    assert answer.startswith(b"HTTP/1.1 413 ")
    assert answer.count(b"HTTP/1.1 ") == 1


def pieces(body: bytes) -> list[bytes]:
    return [body[at : at + 50_000] for at in range(0, len(body), 50_000)]


def sent(service: Service, begin: bytes, body: bytes) -> bytes:
    """The whole answer to a request after which nothing more is sent."""
    with closing(socket.create_connection(("127.0.0.1", service.port), timeout=patience.SECONDS)) as connection:
        connection.sendall(begin)
        connection.sendall(body)
        connection.shutdown(socket.SHUT_WR)
        received = b""
        while piece := connection.recv(65536):
            received += piece
    return received
