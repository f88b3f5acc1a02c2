"""The service's output can't be written or read: it starts, works, and stops as usual (H22)."""

import signal
import socket
import subprocess
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests import patience
from tests.faults.disks import disk, fill
from tests.house import House
from tests.patience import until
from tests.process.launching import Client, command, configure, environment

HOW: dict[str, str] = {
    "output on a full disk": ">/dev/full",
    "output closed": ">&-",
    "errors on a full disk": "2>/dev/full",
    "errors closed": "2>&-",
    "both on a full disk": ">/dev/full 2>&1",
    "all closed": "<&- >&- 2>&-",
}


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def answers(client: Client) -> bool:
    try:
        return client.get("/livez").status == 200
    except OSError:
        return False


@pytest.mark.parametrize("how", HOW.values(), ids=HOW)
def test_h22_whatever_becomes_of_what_it_prints_the_service_starts_works_and_ends(
    house: House, tmp_path: Path, how: str
) -> None:
    house.user("doctor", "ada@clinic.example", "Dr Ada")
    port = free_port()
    configure(tmp_path, f"[server]\nport = {port}\n")
    line = ["sh", "-c", f'exec "$@" {how}', "sh", *command(tmp_path, "serve")]
    with subprocess.Popen(line, env=environment(tmp_path), cwd=tmp_path) as process:
        try:
            client = Client(f"http://127.0.0.1:{port}")
            until(lambda: answers(client) or process.poll() is not None)
            assert client.sign_in("ada@clinic.example").status == 303
            assert client.get("/today").status == 200
            assert client.post("/password-reset", {"email": "ada@clinic.example"}).status in (200, 303)
            process.send_signal(signal.SIGTERM)
            assert process.wait(patience.SECONDS) == 0
        finally:
            process.kill()


@pytest.mark.parametrize("how", [">/dev/full", "2>/dev/full", ">/dev/full 2>&1", "2>&-"])
def test_h22_a_command_says_by_its_exit_code_whether_its_result_was_written(
    house: House, tmp_path: Path, how: str
) -> None:
    configure(tmp_path)
    line = ["sh", "-c", f'exec "$@" {how}', "sh", *command(tmp_path, "migrate")]
    done = subprocess.run(line, env=environment(tmp_path), cwd=tmp_path, check=False, timeout=patience.SECONDS)
    assert done.returncode == (1 if how.startswith(">") else 0)


def test_h22_a_full_disk_under_the_log_stops_nothing_and_the_log_goes_on_with_room(
    house: House, tmp_path: Path
) -> None:
    house.user("doctor", "ada@clinic.example", "Dr Ada")
    port = free_port()
    configure(tmp_path, f"[server]\nport = {port}\n")
    with disk(tmp_path / "disk", "1m") as small, ExitStack() as open_now:
        film, log = fill(small), small / "log"
        written = open_now.enter_context(log.open("wb"))
        process = subprocess.Popen(
            command(tmp_path, "serve"), env=environment(tmp_path), cwd=tmp_path, stdout=written, stderr=written
        )
        open_now.callback(process.wait)
        open_now.callback(process.kill)
        client = Client(f"http://127.0.0.1:{port}")
        until(lambda: answers(client) or process.poll() is not None)
        assert client.sign_in("ada@clinic.example").status == 303
        assert log.stat().st_size == 0
        film.unlink()
        process.send_signal(signal.SIGTERM)
        assert process.wait(patience.SECONDS) == 0
        assert "stopped" in log.read_text()
