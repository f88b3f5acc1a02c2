"""A Postfix for the tests: Debian's own, in a folder of its own on a free port, delivering to files there."""

import os
import shutil
import socket
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from email import message_from_bytes
from email.message import EmailMessage
from email.policy import default
from pathlib import Path
from typing import Any

from tests import patience

POSTFIX = "/usr/sbin/postfix"
MAIN = """
compatibility_level = 3.6
queue_directory = {folder}/queue
data_directory = {folder}/data
inet_interfaces = 127.0.0.1
inet_protocols = ipv4
myhostname = mail.clinic.example
mydestination =
local_recipient_maps =
mynetworks = 127.0.0.0/8
maillog_file = {folder}/log/mail.log
maillog_file_prefixes = {folder}
virtual_mailbox_domains = static:all
virtual_mailbox_maps = static:all/
virtual_mailbox_base = {folder}/mail
virtual_uid_maps = static:{uid}
virtual_gid_maps = static:{gid}
smtputf8_enable = {smtputf8}
"""
MASTER = """
127.0.0.1:{port} inet n - n - - smtpd
cleanup unix n - n - 0 cleanup
qmgr unix n - n 300 1 qmgr
rewrite unix - - n - - trivial-rewrite
bounce unix - - n - 0 bounce
defer unix - - n - 0 bounce
trace unix - - n - 0 bounce
error unix - - n - - error
retry unix - - n - - error
virtual unix - n n - - virtual
proxymap unix - - n - - proxymap
anvil unix - - n - 1 anvil
postlog unix-dgram n - n - 1 postlogd
"""


class Postfix:
    """A running server, and what it has delivered."""

    def __init__(self, folder: Path, port: int) -> None:
        self._folder = folder
        self.port = port

    def settings(self) -> dict[str, Any]:
        """The `[email]` of a clinic whose mail server this is."""
        return {
            "enabled": True,
            "host": "127.0.0.1",
            "port": self.port,
            "security": "none",
            "sender": "Practice at the Park <desk@clinic.example>",
        }

    def delivered(self, count: int) -> list[EmailMessage]:
        """So many mails, once they are in the mailbox, oldest first."""
        mailbox = self._folder / "mail" / "all" / "new"
        patience.until(lambda: mailbox.is_dir() and len(list(mailbox.iterdir())) >= count)
        files = sorted(mailbox.iterdir(), key=lambda file: file.stat().st_mtime_ns)
        return [message_from_bytes(file.read_bytes(), policy=default) for file in files]


def is_here() -> bool:
    """Whether Postfix is installed and may be started, which only root may."""
    return os.path.exists(POSTFIX) and os.geteuid() == 0


@contextmanager
def running(*, smtputf8: bool) -> Iterator[Postfix]:
    """Postfix answers as long as the block lasts."""
    import pwd

    owner = pwd.getpwnam("postfix")
    folder = Path(tempfile.mkdtemp(prefix="rounds-postfix-"))
    folder.chmod(0o755)  # its daemons give up root
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    for name in ("etc", "queue", "data", "mail", "log"):
        (folder / name).mkdir()
    for name in ("data", "mail"):
        os.chown(folder / name, owner.pw_uid, owner.pw_gid)
    words = {"folder": folder, "port": port, "uid": owner.pw_uid, "gid": owner.pw_gid}
    (folder / "etc/main.cf").write_text(MAIN.format(**words, smtputf8="yes" if smtputf8 else "no"))
    (folder / "etc/master.cf").write_text(MASTER.format(**words))
    order = [POSTFIX, "-c", str(folder / "etc")]
    subprocess.run([*order, "start"], check=True, capture_output=True, timeout=patience.SECONDS)
    try:
        yield Postfix(folder, port)
    finally:
        subprocess.run([*order, "stop"], check=True, capture_output=True, timeout=patience.SECONDS)
        shutil.rmtree(folder)
