"""nginx and Caddy in front of a service with the files of docs/operations.md, and curl as the browser behind them.

Ports and folders are the test's, the certificate is of an authority of its own. Each visitor of curl comes from an
address of their own, since a front tells them apart by it.
"""

import re
import shutil
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from textwrap import dedent
from typing import assert_never

import trustme

from tests import patience
from tests.faults.disks import missing
from tests.house import PASSWORD
from tests.patience import until
from tests.process.launching import ROOT, Answer, environment
from tests.services.redis import free_port

DOCUMENT = (ROOT / "docs" / "operations.md").read_text(encoding="utf-8")
NAME = "rounds.clinic.example"
URL = f"https://{NAME}"
PATIENCE_OF_FRONT = 30
"""Seconds after which nginx gives a service up, instead of the document's minute."""


class Kind(StrEnum):
    """Which program stands in front, and whether it keeps bodies and answers until they are whole."""

    NGINX = "nginx"
    NGINX_UNBUFFERED = "nginx, unbuffered"
    CADDY = "caddy"
    CADDY_UNBUFFERED = "caddy, unbuffered"


@dataclass
class Front:
    """A running front; `port` is where it listens."""

    folder: Path
    service: int
    port: int = field(default_factory=free_port)
    authority: trustme.CA = field(default_factory=trustme.CA)

    @contextmanager
    def running(self, kind: Kind) -> Iterator[None]:
        """The front for the length of a block."""
        pem = self.folder / "front.pem"
        self.authority.issue_cert(NAME).private_key_and_cert_chain_pem.write_to_path(str(pem))
        self.authority.cert_pem.write_to_path(str(self.folder / "authority.pem"))
        file = self.folder / "front.conf"
        file.write_text(self._text(kind, pem), encoding="utf-8")
        home = {"XDG_DATA_HOME": str(self.folder), "XDG_CONFIG_HOME": str(self.folder)}
        with (self.folder / "front.log").open("wb") as log:
            process = subprocess.Popen(
                [*_line(kind), str(file)], stdout=log, stderr=log, env=environment(self.folder) | home
            )
        try:
            until(lambda: self.visitor("127.0.0.9").get("/livez").status == 200 or process.poll() is not None)
            assert process.poll() is None, (self.folder / "front.log").read_text(encoding="utf-8")
            yield
        finally:
            process.terminate()
            process.wait(patience.SECONDS)

    def visitor(self, address: str) -> "Visitor":
        """A browser at an address of this computer."""
        jar = self.folder / f"cookies-{address}"
        return Visitor(self, address, jar)

    def _text(self, kind: Kind, pem: Path) -> str:
        """The document's file as it is here."""
        match kind:
            case Kind.NGINX | Kind.NGINX_UNBUFFERED:
                return self._nginx(pem, buffers=kind is Kind.NGINX)
            case Kind.CADDY | Kind.CADDY_UNBUFFERED:
                return self._caddy(pem, buffers=kind is Kind.CADDY)
            case _:
                assert_never(kind)

    def _nginx(self, pem: Path, *, buffers: bool) -> str:
        server = _written("**nginx**", "    server {\n        listen 443").partition("\nserver {\n    listen 80")[0]
        server = re.sub(r"/etc/letsencrypt/\S+\.pem", str(pem), server)
        server = server.replace("listen 443 ssl", f"listen 127.0.0.1:{self.port} ssl http2")
        server = server.replace("127.0.0.1:8000", f"127.0.0.1:{self.service}").replace("60s", f"{PATIENCE_OF_FRONT}s")
        if not buffers:
            server = server.replace("proxy_pass", "proxy_buffering off; proxy_request_buffering off; proxy_pass")
        own = f"user root; pid {self.folder}/nginx.pid; error_log stderr; daemon off; events {{}}"
        temporary = "".join(f"{name}_temp_path {self.folder}/nginx; " for name in ("client_body", "proxy"))
        return f"{own}\nhttp {{ access_log off; {temporary}\n{server}\n}}\n"

    def _caddy(self, pem: Path, *, buffers: bool) -> str:
        server = _written("**Caddy**", f"    {NAME} {{")
        server = server.replace(f"{NAME} {{", f"{URL}:{self.port} {{\n bind 127.0.0.1\n tls {pem} {pem}")
        service = f"reverse_proxy 127.0.0.1:{self.service}"
        how = "buffer_requests\n buffer_responses" if buffers else "flush_interval -1"
        server = server.replace("reverse_proxy 127.0.0.1:8000", f"{service} {{\n {how}\n }}")
        return f"{{\n admin off\n auto_https disable_redirects\n}}\n{server}"


def _line(kind: Kind) -> tuple[str, ...]:
    match kind:
        case Kind.NGINX | Kind.NGINX_UNBUFFERED:
            line: tuple[str, ...] = ("nginx", "-c")
        case Kind.CADDY | Kind.CADDY_UNBUFFERED:
            line = ("caddy", "run", "--adapter", "caddyfile", "--config")
        case _:
            assert_never(kind)
    for program in (line[0], "curl"):
        if shutil.which(program) is None:
            missing(program)
    return line


def _written(after: str, begins: str) -> str:
    """A file as the document has it: the indented lines from `begins` on."""
    text = DOCUMENT[DOCUMENT.index(after) :]
    text = text[text.index(begins) :]
    lines = []
    for line in text.splitlines():
        if line and not line.startswith("    "):
            break
        lines.append(line)
    return dedent("\n".join(lines))


@dataclass
class Visitor:
    """curl with a jar of cookies of its own."""

    front: Front
    address: str
    jar: Path
    token: str = ""

    def get(self, path: str, *options: str) -> Answer:
        return self._ask(path, *options)

    def post(self, path: str, fields: dict[str, str], *options: str) -> Answer:
        """Send a form as a browser does that stands on one of our pages."""
        given = {"csrf_token": self.token or self._found_token(), **fields}
        data = [part for name, value in given.items() for part in ("--data-urlencode", f"{name}={value}")]
        return self._ask(path, *data, *options)

    def upload(self, path: str, fields: dict[str, str], file: Path, *options: str) -> Answer:
        """Send a form with a file."""
        given = {"csrf_token": self.token or self._found_token(), **fields}
        parts = [part for name, value in given.items() for part in ("--form-string", f"{name}={value}")]
        return self._ask(path, *parts, "--form", f"file=@{file}", *options)

    def sign_in(self, email: str, password: str = PASSWORD, options: Sequence[str] = ()) -> Answer:
        answer = self.post("/sign-in", {"email": email, "password": password}, *options)
        self.token = ""
        return answer

    def _found_token(self) -> str:
        """The form token of the page this visitor is led to."""
        page = self._ask("/", "--location")
        found = re.search(r'name="csrf_token" value="([^"]+)"', page.text)
        assert found is not None, page
        self.token = found[1]
        return self.token

    def _ask(self, path: str, *options: str) -> Answer:
        """The answer; status 0 when there is none."""
        folder, name = self.front.folder, self.jar.name
        said, body = folder / f"{name}.headers", folder / f"{name}.body"
        body.unlink(missing_ok=True)
        line = [
            *("curl", "--silent", "--http2", "--interface", self.address, "--max-time", str(int(patience.SECONDS))),
            *("--cacert", str(folder / "authority.pem"), "--resolve", f"{NAME}:{self.front.port}:127.0.0.1"),
            *("--header", f"Host: {NAME}", "--referer", f"{URL}/", "--cookie-jar", str(self.jar)),
            *("--cookie", str(self.jar), "--dump-header", str(said), "--output", str(body)),
            *("--write-out", "%{http_version}", *options, f"{URL}:{self.front.port}{path}"),
        ]
        done = subprocess.run(line, capture_output=True, text=True, check=False)
        if not done.stdout or done.stdout == "0":
            return Answer(0, {}, done.stderr.encode())
        last = said.read_text(encoding="latin-1").strip().split("\n\n")[-1].replace("\r", "").split("\n\n")[-1]
        status, *headers = last.splitlines()
        pairs = {key.strip().lower(): value.strip() for key, _, value in (line.partition(":") for line in headers)}
        pairs["version"] = done.stdout
        return Answer(int(status.split()[1]), pairs, body.read_bytes() if body.exists() else b"")
