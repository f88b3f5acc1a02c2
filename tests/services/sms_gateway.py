"""A real HTTP server that plays an SMS gateway: it knows repeated requests by their key, and refuses as it is told."""

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Event, Thread
from time import sleep
from typing import Any

from tests import patience


@dataclass(frozen=True)
class Answer:
    """What the gateway says; `drop` closes the line instead."""

    status: int = 201
    headers: dict[str, str] = field(default_factory=dict)
    drop: bool = False


@dataclass
class Gateway:
    """What was asked of it, and which SMS it sent: one for each key."""

    port: int = 0
    requests: list[tuple[str, dict[str, str], str]] = field(default_factory=list)
    sent: dict[str, dict[str, Any]] = field(default_factory=dict)
    answers: Callable[[int], Answer] = lambda _turn: Answer()
    """The answer to the first, the second request …"""
    hangs: Event = field(default_factory=Event)
    """While this is set it takes requests and does not answer."""

    def settings(self, **more: Any) -> dict[str, Any]:
        """The `[sms]` of a clinic whose gateway this is."""
        return {
            "enabled": True,
            "url": f"http://127.0.0.1:{self.port}/accounts/{{username}}/messages?from={{sender}}",
            "headers": {
                "Content-Type": "application/json",
                "Authorization": "Bearer {secret}",
                "Idempotency-Key": "{key}",
            },
            "body": '{"to": "{to}", "text": "{text}"}',
            "id_field": "messages.0.id",
            "username": "AC 1",
            "sender": "Praxis & Co",
            **more,
        }


@contextmanager
def running(gateway: Gateway) -> Iterator[None]:
    """The gateway answers as long as the block lasts."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length", 0))).decode()
            gateway.requests.append((self.path, dict(self.headers), body))
            answer = gateway.answers(len(gateway.requests))
            key = self.headers["Idempotency-Key"]
            if answer.status < 300 or answer.drop:
                gateway.sent.setdefault(key, json.loads(body))
            while gateway.hangs.is_set():
                sleep(0.02)
            if answer.drop:
                self.close_connection = True
                return
            content = json.dumps({"messages": [{"id": f"SM{len(gateway.sent)}"}]}).encode()
            self.send_response(answer.status)
            for name, value in {**answer.headers, "Content-Length": str(len(content))}.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, *_args: Any) -> None:
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    thread = Thread(target=server.serve_forever, args=(0.02,))
    thread.start()
    gateway.port = server.server_address[1]
    try:
        yield
    finally:
        gateway.hangs.clear()
        server.shutdown()
        server.server_close()
        thread.join(patience.SECONDS)
