"""Files that are no tables, too large, or not what they say: refused in a sentence, never an error of ours."""

from io import BytesIO
from pathlib import Path

import pytest

from service.storage.models import Patient
from service.web.imports.imports import LARGEST_UPLOAD
from tests.web.frozen_clinic import Clinic
from tests.web.imports.uploading import PATIENTS, rests, send, send_to, step
from tests.web.reading import attribute, one, parsed, words

BAD = {
    "empty": (b"", "empty"),
    "blanks": (b" \r\n\t\r\n ", "empty"),
    "a mark and nothing": (b"\xef\xbb\xbf", "empty"),
    "only a header": (b"Name,Phone\r\n", "no lines below"),
    "a header and empty lines": (b"Name,Phone\r\n\r\n,\r\n", "no lines below"),
    "a picture": (b"\x89PNG\r\n\x1a\n\x00\x00\x00\rIHDR\x00\x00", "not a text file"),
    "a spreadsheet": (b"PK\x03\x04\x14\x00\x06\x00\x08\x00", "spreadsheet"),
    "NUL": (b"Name,Phone\nLena\x00Vogt,\n", "not a text file"),
    "UTF-16 without its mark": ("Name\nLena\n".encode("utf-16-le"), "not a text file"),
    "UTF-16 cut off": ("\ufeffName\nLena\n".encode("utf-16-le")[:-1], "not a text file"),
    "bytes of no encoding": (b"Name\nLena \x81\x8d\x8f\n", "not a text file"),
    "a quote that stays open": (b'Name,Phone\n"Lena Vogt,\nOtto,\n', "from line 2 on"),
    "words behind a quote": (b'Name,Phone\nOtto,\n"Lena" Vogt,\n', "from line 3 on"),
    "a cell of a mebibyte": (b'Name\n"' + b"x" * 2**20 + b'"\n', "from line 2 on"),
    "200,000 columns": (b"Name" + b",Name" * 200_000 + b"\nLena\n", "more than 100 columns"),
    "no header": (b"Lena Vogt,1985-07-02,lena@mail.example\n" * 3, "must name the columns"),
    "a header of one endless word": (b"x" * 100_000 + b"\nLena\n", "must name the columns"),
    "too many lines": (b"Name\n" + b"Lena\n" * 50_001, "more than 50000 lines"),
}


@pytest.mark.parametrize("what", BAD)
def test_w8_a_file_that_is_no_table_is_refused_beside_the_field(clinic: Clinic, what: str) -> None:
    data, sentence = BAD[what]
    answer = send(clinic.browser("admin"), data, kind="doctors")
    assert answer.status_code == 422
    page = parsed(answer)
    assert sentence in words(page.find(id="file-error"))
    assert attribute(page, "#kind option[selected]", "value") == "doctors"
    assert rests(clinic) == []


def test_no_file_no_kind_or_another_kind_is_refused(clinic: Clinic) -> None:
    browser = clinic.browser("admin")
    assert "Choose a file" in words(parsed(browser.post("/imports", {"kind": "patients"})).find(id="file-error"))
    assert send(browser, PATIENTS, kind="users").status_code == 422
    assert browser.post("/imports", {"file": (BytesIO(PATIENTS.encode()), "x.csv")}).status_code == 422
    assert browser.post("/imports", {"kind": "patients", "file": PATIENTS}).status_code == 422
    assert browser.post("/imports", {"kind": "patients", "file": (BytesIO(b"Name\nLena\n"), "")}).status_code == 422
    assert rests(clinic) == []


def test_w8_a_file_of_ten_mebibytes_comes_in_and_a_larger_one_does_not(clinic: Clinic) -> None:
    browser, line = clinic.browser("admin"), b"Lena Vogt," + b"x" * 989 + b"\n"
    large = b"Name,Notes\n" + line * (10 * 1024 * 1024 // len(line))
    assert send(browser, large).status_code == 303
    assert "larger than 10 MB" in words(parsed(send(browser, large + line * 12)).find(id="file-error"))
    assert send(browser, b"x" * LARGEST_UPLOAD).status_code == 413
    assert len(rests(clinic)) == 2


def test_w8_elsewhere_a_file_is_still_too_much(clinic: Clinic) -> None:
    browser = clinic.browser("admin")
    for path in (f"/imports/{clinic.upload}", "/dashboard", "/sign-out"):
        assert send_to(browser, path, b"x" * 2 * 1024 * 1024, "x.csv", act="map").status_code == 413, path
    assert browser.client.post("/imports", data={"kind": "x" * 2 * 1024 * 1024}).status_code == 413


def test_who_may_not_import_does_not_get_a_file_in(clinic: Clinic) -> None:
    for visitor in ("patient", "doctor", "receptionist"):
        assert send(clinic.browser(visitor), PATIENTS).status_code == 403
    assert rests(clinic) == []


@pytest.mark.parametrize(
    "name", ["=1+1", "@SUM(A1)", "-Lena", "<script>alert(1)</script>", "{{ 7 * 7 }}", "ليلى", "🙂"]
)
def test_w1_a_cell_is_text_whatever_it_looks_like(clinic: Clinic, name: str) -> None:
    browser = clinic.browser("admin")
    answer = send(browser, f"Name\n{name}\n", name=f"{name}.csv")
    page = parsed(browser.get(answer.location))
    assert words(one(page, "tbody th")) == name
    assert words(one(page, "#lead bdi")) == f"{name.rpartition('/')[2]}.csv"
    step(browser, answer.location, "import")
    assert clinic.house.count(Patient, Patient.name == name) == 1


@pytest.mark.parametrize(
    "name", ["../../../etc/passwd", "C:\\Users\\Ada\\patients.csv", "a\nb.csv", "x" * 5000, "\ud800.csv"]
)
def test_e6_the_name_of_a_file_never_becomes_a_path(clinic: Clinic, name: str) -> None:
    browser = clinic.browser("admin")
    part = f'--x\r\nContent-Disposition: form-data; name="file"; filename="{name}"\r\n\r\nName\nLena\n\r\n'
    token = f'--x\r\nContent-Disposition: form-data; name="csrf_token"\r\n\r\n{browser.token()}\r\n'
    kind = '--x\r\nContent-Disposition: form-data; name="kind"\r\n\r\npatients\r\n'
    body = (token + kind + part + "--x--\r\n").encode(errors="surrogatepass")
    answer = browser.client.post("/imports", data=body, content_type="multipart/form-data; boundary=x")
    assert answer.status_code in (303, 400, 422)
    if answer.status_code == 303:
        shown = words(one(parsed(browser.get(answer.location)), "#lead bdi"))
        assert len(shown) <= 100
        assert not set("/\\") & set(shown)
        assert sorted(Path(name).suffix for name in rests(clinic)) == [".csv", ".json"]
