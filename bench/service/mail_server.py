"""A mail server with TLS: `python -m bench.service.mail_server CERTIFICATE` prints its port, and counts when asked."""

import json
import ssl
import sys
from typing import Any

from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP, Envelope, Session


class Counting(Controller):
    """Takes every mail and forgets it."""

    connections = mails = 0

    def factory(self) -> SMTP:
        """One protocol a connection."""
        self.connections += 1
        made: SMTP = super().factory()  # type: ignore[no-untyped-call]
        return made

    async def handle_DATA(self, _server: SMTP, _session: Session, _envelope: Envelope) -> str:  # noqa: N802
        """A mail has arrived."""
        self.mails += 1
        return "250 OK"

    def _trigger_server(self) -> Any:
        self.port = self.server.sockets[0].getsockname()[1]  # type: ignore[union-attr]
        return super()._trigger_server()  # type: ignore[no-untyped-call]


def main(certificate: str) -> None:
    """Serve until standard input ends; each line asks for the counts so far and begins to count again."""
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(certificate)
    server = Counting(None, "127.0.0.1", 0, ssl_context=context)
    server.handler = server
    server.start()
    server.connections = 0
    print(server.port, flush=True)
    for _line in sys.stdin:
        print(json.dumps({"connections": server.connections, "mails": server.mails}), flush=True)
        server.connections = server.mails = 0
    server.stop()


if __name__ == "__main__":
    main(sys.argv[1])
