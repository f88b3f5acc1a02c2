"""The machines of docs/scale-out.md on one computer: its files as they are written, its units, its front.

Names of machines become ports of this computer, folders those of the test, and the front's certificate the test's own.
"""

import re
import shlex
import ssl
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import trustme

from tests import patience
from tests.patience import until
from tests.process.launching import ROOT, Client, environment, rows, zone_of_the_morning
from tests.services.mail_server import MailServer
from tests.services.redis import Redis, free_port
from tests.services.workers import Process

DOCUMENT = (ROOT / "docs" / "scale-out.md").read_text(encoding="utf-8")
FILES = dict(re.findall(r"^(?:or )?`(/etc/[^`]+)`.*?```\w+\n(.*?)```", DOCUMENT, re.MULTILINE | re.DOTALL))
BY_HAND = re.findall(r"^sudo -u rounds (.+)$", DOCUMENT, re.MULTILINE)[0]
NAME = "visits.clinic.example"
WEB, WORKER, BEAT = "rounds", "rounds-worker@", "rounds-beat"


@dataclass
class Site:
    """All machines of the example."""

    folder: Path
    url: str
    broker: Redis
    mail: MailServer
    ports: dict[str, int] = field(default_factory=lambda: {name: free_port() for name in ("web1", "web2", "front")})
    processes: list[Process] = field(default_factory=list)
    zone: str = field(default_factory=zone_of_the_morning)
    _authority: trustme.CA = field(default_factory=trustme.CA)

    def local(self, text: str, machine: str) -> str:
        """A text of the document as it is on a machine."""
        example, pem = r"redis://:PASSWORD@db\.clinic\.example:6379", str(self.folder / "front.pem")
        replaced: dict[str, str | Callable[[re.Match[str]], str]] = {
            "/opt/rounds/?.venv/bin/|(?<= ).venv/bin/": f"{Path(sys.executable).parent}/",
            "/opt/rounds": str(ROOT),
            "/etc/rounds": str(self.folder / machine),
            "/srv/rounds": str(self.folder / "shared"),
            "PUT-64-RANDOM-CHARACTERS-HERE": "0123456789abcdef" * 4,
            example: self.broker.address,
            r"postgresql\+psycopg://rounds@db.clinic.example/rounds": self.url,
            r"10\.0\.0\.5": "127.0.0.1",
            r'host = "0\.0\.0\.0"': f'host = "127.0.0.1"\nport = {self.ports.get(machine, 0)}',
            "(web[12]):8000": lambda found: f"127.0.0.1:{self.ports[found[1]]}",
            "listen 443": f"listen 127.0.0.1:{self.ports['front']}",
            r"/etc/letsencrypt/\S+\.pem": pem,
            r"^visits\.clinic\.example \{": f"https://{NAME}:{self.ports['front']} {{\n tls {pem} {pem}",
        }
        for pattern, here in replaced.items():
            text = re.sub(pattern, here, text, flags=re.MULTILINE)
        return text

    def furnish(self, machine: str) -> None:
        """Write the two files of `/etc/rounds`."""
        (self.folder / machine).mkdir()
        config = self.local(FILES["/etc/rounds/config.toml"], machine)
        config = config.replace("[clinic]\n", f'[clinic]\ntimezone = "{self.zone}"\n')
        (self.folder / machine / "config.toml").write_text(f"{config}\n{self.mail.toml()}\n", encoding="utf-8")
        env = self.local(FILES["/etc/rounds/rounds.env"], machine)
        (self.folder / machine / "rounds.env").write_text(env, encoding="utf-8")

    def start(self, unit: str, machine: str, instance: str = "") -> Process:
        """Start a unit as systemd does."""
        text = self.local(FILES[f"/etc/systemd/system/{unit}.service"], machine).replace("%i", instance)
        settings = re.findall(r"^(\w+)=(.*)$", text.replace("%H", machine), re.MULTILINE)
        env = environment(self.folder / machine)
        for file in [value for key, value in settings if key == "EnvironmentFile"]:
            env |= dict(line.split("=", 1) for line in Path(file).read_text(encoding="utf-8").splitlines())
        env |= dict(value.split("=", 1) for key, value in settings if key == "Environment")
        unit_of = dict(settings)
        log = self.folder / machine / f"{unit}-{len(self.processes)}.log"
        with log.open("wb") as out:
            line = shlex.split(unit_of["ExecStart"])
            process = subprocess.Popen(
                line, env=env, cwd=unit_of["WorkingDirectory"], stdout=out, stderr=out, start_new_session=True
            )
        self.processes.append(Process(process, log))
        ready = {WEB: "Rounds is ready", WORKER: "worker ready", BEAT: "beat ready"}[unit]
        until(lambda: ready in log.read_text(encoding="utf-8") or process.poll() is not None)
        assert process.poll() is None, log.read_text(encoding="utf-8")
        return self.processes[-1]

    def by_hand(self, words: str, machine: str = "worker1") -> str:
        """What a command of run.py prints, given as the document says."""
        line = self.local(BY_HAND, machine).replace("run.py check", f"run.py {words}")
        done = subprocess.run(
            line, shell=True, capture_output=True, text=True, check=False, env=environment(self.folder)
        )
        assert done.returncode == 0, done.stderr
        return done.stdout

    @contextmanager
    def nginx(self) -> Iterator[None]:
        """nginx in front, with the document's file."""
        own = f"pid {self.folder}/nginx.pid; error_log stderr; daemon off; events {{}}"
        temporary = "".join(f"{name}_temp_path {self.folder}/nginx; " for name in ("client_body", "proxy"))
        server = self.local(FILES["/etc/nginx/conf.d/rounds.conf"], "front")
        with self._front(f"{own}\nhttp {{ access_log off; {temporary}\n{server}\n}}\n", "nginx", "-c"):
            yield

    @contextmanager
    def caddy(self) -> Iterator[None]:
        """Caddy in front, with the document's file."""
        server = self.local(FILES["/etc/caddy/Caddyfile"], "front")
        with self._front(
            f"{{\n admin off\n auto_https disable_redirects\n}}\n{server}",
            *("caddy", "run", "--adapter", "caddyfile", "--config"),
        ):
            yield

    @contextmanager
    def _front(self, text: str, *line: str) -> Iterator[None]:
        file = self.folder / f"{line[0]}.conf"
        file.write_text(text, encoding="utf-8")
        self._authority.issue_cert(NAME, "127.0.0.1").private_key_and_cert_chain_pem.write_to_path(
            str(self.folder / "front.pem")
        )
        home = {"XDG_DATA_HOME": str(self.folder), "XDG_CONFIG_HOME": str(self.folder)}
        with (self.folder / f"{line[0]}.log").open("wb") as log:
            process = subprocess.Popen([*line, str(file)], stdout=log, stderr=log, env=environment(self.folder) | home)
        try:
            until(self._answers)
            yield
        finally:
            process.terminate()
            process.wait(patience.SECONDS)

    def _answers(self) -> bool:
        try:
            return self.client("front").get("/livez").status == 200
        except OSError:
            return False

    def client(self, machine: str, like: Client | None = None) -> Client:
        """A browser, at a machine or with the cookie it got at another."""
        kept = like.cookies.items() if like else ()
        cookies = {name.removeprefix("__Host-"): value for name, value in kept if "notice" not in name}
        token = like._token if like else ""
        address = f"127.0.0.1:{self.ports[machine]}"
        if machine != "front":
            return Client(f"http://{address}", cookies=cookies, _token=token)
        context = ssl.create_default_context()
        self._authority.configure_trust(context)
        cookie = {f"__Host-{name}": value for name, value in cookies.items()}
        said = {"Host": NAME, "Referer": f"https://{NAME}/"}
        return Client(f"https://{address}", cookies=cookie, _token=token, context=context, headers=said)

    def rows(self, query: str, *values: object) -> list[tuple[Any, ...]]:
        return rows(self.folder, query, *values)
