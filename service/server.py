"""`serve`: one process with waitress in the main thread, the scheduler and the pools beside it."""

import gc
import os
import signal
import sys
from contextlib import suppress
from socket import socket
from time import monotonic
from types import FrameType
from typing import Any

import click
import structlog
from waitress import wasyncore
from waitress.server import create_server

from service.alone import only_one
from service.app import LARGEST_BODY, create_app
from service.backups import upgrading
from service.domain import installation, users
from service.settings import Settings, SettingsError
from service.wiring import Wiring, connect

log = structlog.get_logger()
DOWNLOADS_GET_SECONDS = 6.0
EXPORTS_GET_SECONDS = 8.0
"""From the signal on; waitress has used up to five of them for requests under way."""


class Stopping:
    """When the signal came, so that everything after it shares one deadline."""

    at: float | None = None

    def __init__(self) -> None:
        self.listeners: list[socket] = []
        """Closed with the signal, so that a new request is refused at once instead of waiting in vain."""

    def install(self) -> None:
        """SIGTERM and Ctrl-C leave waitress's loop, which then lets running requests finish."""
        signal.signal(signal.SIGTERM, self._stop)
        signal.signal(signal.SIGINT, self._stop)

    def left(self) -> float:
        """Seconds until exports are cut off."""
        return EXPORTS_GET_SECONDS - (monotonic() - self.at) if self.at is not None else EXPORTS_GET_SECONDS

    def _stop(self, _number: int, _frame: FrameType | None) -> None:
        if self.at is None:
            self.at = monotonic()
            for listener in self.listeners:
                listener.close()
            raise SystemExit(0)


def serve(settings: Settings, host: str, port: int) -> bool:
    """Run until told to stop; False when a thread would not end in time. Raises SettingsError, DatabaseError."""
    stopping = Stopping()
    stopping.install()
    _check_exports(settings)
    settings = settings.model_copy(update={"server": settings.server.model_copy(update={"host": host})})
    wiring = connect(settings, "serve")
    with only_one(settings):
        upgrading.migrate(wiring.database, settings)
        wiring.database.analyse()
        if not wiring.database.index_names():
            log.warning("no index of names: an administrator may CREATE EXTENSION pg_trgm")
        wiring.tasks.exports.close_folder()
        sockets: dict[int, Any] = {}
        server = _listen(wiring, host, port, sockets)
        stopping.listeners = [one.socket for one in sockets.values() if one.accepting]
        url = _address(
            host, server.effective_listen[0][1] if hasattr(server, "effective_listen") else server.effective_port
        )
        with wiring.database.transaction() as session:
            installation.note_served_at(session, url)
            first = users.none_exist(session)
        if wiring.database.is_sqlite:
            wiring.tasks.release_dead("serve-")
        try:
            wiring.queue.start()
            if first:
                click.echo(
                    f"No user exists yet: open {url}/setup (setup code from another computer: {wiring.setup_code})"
                )
            gc.freeze()  # what is loaded by now stays: collecting it again and again would stall pages
            click.echo(f"Rounds is ready on {url}")
            sys.stdout.flush()
            server.run()
        except SystemExit:
            pass
        finally:
            _finish_downloads(sockets, stopping.left() - EXPORTS_GET_SECONDS + DOWNLOADS_GET_SECONDS)
            with suppress(OSError):
                server.close()
            ended = wiring.queue.stop(stopping.left())
        wiring.database.close()
    log.info("stopped", all_ended=ended)
    return ended


def _check_exports(settings: Settings) -> None:
    """Raises SettingsError, with nothing made, when the exports' folder cannot be made or written."""
    folder = settings.histories
    while not folder.exists():
        folder = folder.parent
    if not os.access(folder, os.W_OK):
        raise SettingsError(f"The folder {folder} cannot be written: set [exports] folder to another one.")


def _listen(wiring: Wiring, host: str, port: int, sockets: dict[int, Any]) -> Any:
    server = wiring.settings.server
    proxy: dict[str, Any] = (
        {
            "trusted_proxy": server.trusted_proxy,
            "trusted_proxy_count": 1,
            "trusted_proxy_headers": {"x-forwarded-for", "x-forwarded-proto", "x-forwarded-host"},
        }
        if server.trusted_proxy
        else {}
    )
    try:
        return create_server(
            create_app(wiring),
            host=host,
            port=port,
            threads=server.threads,
            connection_limit=500,
            channel_timeout=60,
            asyncore_use_poll=True,
            max_request_body_size=16 * LARGEST_BODY,  # an upload's; up to there our own page says that it is too much
            map=sockets,
            ident=None,
            **proxy,
        )
    except OSError as error:
        raise SettingsError(
            f"Port {port} on {host} cannot be used ({error.strerror}): set [server] port, or --port, to another one."
        ) from None
    except ValueError:
        raise SettingsError(f"{host} is not an address of this computer: set [server] host, or --host.") from None
    except OverflowError:
        raise SettingsError(f"server.port = {port}: expected a number from 0 to 65535.") from None


def _finish_downloads(sockets: dict[int, Any], seconds: float) -> None:
    """Go on sending what is already on its way: waitress's own loop ends at once with the signal."""
    deadline = monotonic() + seconds
    for number in [number for number, one in sockets.items() if one.accepting]:
        del sockets[number]  # closed with the signal
    while monotonic() < deadline and any(getattr(one, "total_outbufs_len", 0) for one in sockets.values()):
        wasyncore.loop(timeout=0.1, use_poll=True, map=sockets, count=1)


def _address(host: str, port: int) -> str:
    name = {"0.0.0.0": "127.0.0.1", "::": "[::1]"}.get(host, f"[{host}]" if ":" in host else host)  # noqa: S104
    return f"http://{name}:{port}"
