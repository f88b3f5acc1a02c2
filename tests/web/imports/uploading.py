"""A browser that uploads files to be imported."""

from io import BytesIO

from werkzeug.datastructures import FileStorage
from werkzeug.test import TestResponse, encode_multipart

from tests.house import Browser
from tests.web.frozen_clinic import Clinic

PATIENTS = "Vorname;Name;Geburtsdatum;Handy;E-Mail\nLena;Vogt;02.07.1985;0170 5550132;lena@mail.example\n"


def send(browser: Browser, data: bytes | str, kind: str = "patients", name: str = "old program.csv") -> TestResponse:
    """Upload a file."""
    return send_to(browser, "/imports", data, name, kind=kind)


def send_to(browser: Browser, path: str, data: bytes | str, name: str, **fields: str) -> TestResponse:
    """Post a form with a file, whole from memory: werkzeug's own client leaves a large one open on the disk."""
    content = BytesIO(data.encode() if isinstance(data, str) else data)
    parts = {"csrf_token": browser.token(), **fields, "file": FileStorage(content, name, "file")}
    boundary, body = encode_multipart(parts)
    return browser.client.post(path, data=body, content_type=f"multipart/form-data; boundary={boundary}")


def step(browser: Browser, path: str, act: str, **chosen: str) -> TestResponse:
    """Press a button of the page of an upload."""
    return browser.post(path, {"act": act, **chosen})


def rests(clinic: Clinic) -> list[str]:
    """The files that lie in the folder of uploads, those of the furnished clinic left out."""
    return sorted(file.name for file in clinic.house.settings.imports.iterdir() if file.stem != clinic.upload)
