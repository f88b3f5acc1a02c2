"""`install-service`: a unit that systemd understands, and the steps where there is no systemd."""

import plistlib
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from service.config.settings import ROOT, Settings
from service.process import system_service
from tests.faults.disks import missing
from tests.process.launching import configure, run, sentence


def unit_of(folder: Path, **sections: dict[str, object]) -> dict[str, str]:
    """The settings of the unit of a clinic in `folder`."""
    text = system_service.text(Settings.model_validate({**sections, "base": folder}), "rounds", "linux")
    return dict(re.findall(r"^(\w+)=(.*)$", text, re.MULTILINE))


def test_the_unit_starts_this_program_for_this_clinic_and_lets_it_write_there_alone(tmp_path: Path) -> None:
    unit = unit_of(tmp_path)
    line = [sys.executable, str(ROOT / "run.py"), "serve", "--config", str(tmp_path / "config.toml")]
    assert shlex.split(unit["ExecStart"]) == line
    assert unit["User"] == "rounds"
    assert unit["ReadWritePaths"] == f'"{tmp_path}"'
    assert f'"{ROOT / "service"}"' in unit["ReadOnlyPaths"]
    assert (unit["ProtectSystem"], unit["PrivateTmp"], unit["KillMode"]) == ("strict", "yes", "mixed")
    assert unit["CapabilityBoundingSet"] == unit["AmbientCapabilities"] == ""


def test_folders_elsewhere_and_a_low_port_are_allowed_and_nothing_more(tmp_path: Path) -> None:
    unit = unit_of(
        tmp_path,
        backup={"second_folder": "/media/stick"},
        database={"url": "sqlite:////var/lib/rounds/rounds.db"},
        server={"port": 443},
    )
    assert unit["ReadWritePaths"] == f'"{tmp_path}" "-/media/stick" "-/var/lib/rounds"'
    assert unit["CapabilityBoundingSet"] == unit["AmbientCapabilities"] == "CAP_NET_BIND_SERVICE"


@pytest.mark.parametrize(("folder", "home"), [("/home/anna/clinic", "read-only"), ("/opt/rounds", "yes")])
def test_homes_are_hidden_unless_the_clinic_is_in_one(folder: str, home: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "executable", "/opt/rounds/rounds")
    assert unit_of(Path(folder))["ProtectHome"] == home


@pytest.mark.foreign
@pytest.mark.parametrize("name", ["clinic", "our $clinic 100%", "with'quote"])
def test_systemd_understands_the_unit(tmp_path: Path, name: str) -> None:
    if shutil.which("systemd-analyze") is None:
        missing("systemd-analyze")
    folder = tmp_path / name
    folder.mkdir()
    configure(folder, '[clinic]\nname = "100% well\\nUser=root"')
    unit = tmp_path / "rounds.service"
    done = run(folder, "install-service", "--output", str(unit))
    assert (done.returncode, done.stderr) == (0, "")
    assert "sudo systemctl enable --now rounds\n" in done.stdout
    assert len(re.findall(r"^User=", unit.read_text(), re.MULTILINE)) == 1
    judged = subprocess.run(["systemd-analyze", "verify", unit], capture_output=True, text=True, check=False)
    assert (judged.returncode, judged.stderr) == (0, "")


def test_print_writes_nothing_and_a_missing_folder_is_refused(tmp_path: Path) -> None:
    configure(tmp_path)
    shown = run(tmp_path, "install-service", "--print", "--user", "anna")
    assert "\nUser=anna\n" in shown.stdout
    assert "There is no folder" in sentence(run(tmp_path, "install-service", "--output", str(tmp_path / "a" / "b")))
    assert [file.name for file in tmp_path.iterdir()] == ["config.toml"]


def test_macos_gets_a_list_that_launchd_reads(tmp_path: Path) -> None:
    text = system_service.text(Settings(base=tmp_path / "Müller & Co"), "rounds", "darwin")
    listed = plistlib.loads(text[text.index("<?xml") : text.index("</plist>") + 8].encode())
    assert listed["ProgramArguments"][-1] == f"{tmp_path / 'Müller & Co' / 'config.toml'}"
    assert listed["WorkingDirectory"] == str(tmp_path / "Müller & Co")


def test_windows_gets_commands_with_their_paths_in_quotes(tmp_path: Path) -> None:
    text = system_service.text(Settings(base=tmp_path / "Our clinic"), "rounds", "win32")
    assert f'nssm set Rounds AppDirectory "{tmp_path / "Our clinic"}"' in text
    assert f'serve --config "{tmp_path / "Our clinic" / "config.toml"}"' in text
