"""A file of 20,000 patients of another program: uploaded, looked at and imported."""

import re
from collections.abc import Iterator
from http.client import HTTPConnection
from time import perf_counter

from bench.data.clinics import Bench, Clinic
from bench.service.process import serving
from bench.service.visitor import COOKIE, Visitor
from bench.table import Row

BOUNDARY = "a-line-that-no-file-has"
ADMIN = "admin@demo.example"


def rows(bench: Bench) -> Iterator[Row]:
    """From the upload to the answer of the import."""
    count = bench.size(20_000, 1000)
    clinic = bench.usual.copied(bench.folder / "importing")
    there = _patients(clinic)
    with serving(clinic) as service:
        admin = Visitor(service.port, ADMIN)
        token = admin.form_token("/imports")
        file = "\n".join(["Vorname,Name,DOB,Phone,E-mail", *map(_line, range(count))]).encode()
        began = perf_counter()
        page = _uploaded(service.port, admin.token, token, file)
        assert re.search(rf"{count}\s+new", re.sub(r"<[^>]*>", "", admin.get(page))), "it is not understood"
        admin.post(page, form=page, act="import")
        seconds = perf_counter() - began
    right = seconds < 20 and _patients(clinic) == there + count
    yield Row(f"Import of {count:,} patients", f"{seconds:.1f} s", "", None, "< 20 s", right)


def _line(number: int) -> str:
    born = f"{1940 + number % 70}-{1 + number % 12:02}-{1 + number % 28:02}"
    return f"Jürgen {number},Müller,{born},030 12{number:05},p{number}@mail.example"


def _patients(clinic: Clinic) -> int:
    return int(clinic.ask("SELECT count(*) FROM patients"))


def _uploaded(port: int, session: str, token: str, file: bytes) -> str:
    """Send the file; returns where the answer leads."""
    fields = "".join(
        f'--{BOUNDARY}\r\nContent-Disposition: form-data; name="{name}"\r\n\r\n{value}\r\n'
        for name, value in (("csrf_token", token), ("kind", "patients"))
    )
    head = f'--{BOUNDARY}\r\nContent-Disposition: form-data; name="file"; filename="old.csv"\r\n\r\n'
    body = (fields + head).encode() + file + f"\r\n--{BOUNDARY}--\r\n".encode()
    headers = {"Cookie": f"{COOKIE}={session}", "Content-Type": f"multipart/form-data; boundary={BOUNDARY}"}
    connection = HTTPConnection("127.0.0.1", port, timeout=60)
    connection.request("POST", "/imports", body, headers)
    answer = connection.getresponse()
    answer.read()
    assert answer.status == 303, f"the upload answered {answer.status}"
    return answer.headers["Location"]
