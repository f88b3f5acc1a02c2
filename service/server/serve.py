"""Run the service: waitress in the main thread, beside the scheduler and the thread pools."""

import gc
import os
import signal
import sys
from collections.abc import Callable
from contextlib import closing
from dataclasses import replace
from datetime import timedelta
from functools import partial
from socket import socket
from time import monotonic, sleep
from types import FrameType

import structlog
from sqlalchemy.exc import DBAPIError

from service.backups import missing_database, salvage, upgrading
from service.config import keys
from service.config.settings import Settings, SettingsError, again
from service.demo import wipe
from service.domain.accounts import sessions, users
from service.domain.clinic import zone_changes
from service.domain.exports import export_files
from service.domain.foundation import installation
from service.domain.foundation.errors import DomainError
from service.jobs.tick import release_dead
from service.process import streams
from service.process.known_clients import LASTS
from service.process.listening import Listening
from service.process.restart import Restart
from service.process.single_instance import Claim
from service.server import event_loop, http_server
from service.storage import database
from service.storage.database import DatabaseError
from service.wiring import Wiring, connect

log = structlog.get_logger()
DOWNLOADS_GET_SECONDS = 6.0
EXPORTS_GET_SECONDS = 8.0
"""Counted from the signal; waitress uses up to five of them for open requests."""
TRIES = 30
"""How often a running service tries to restart, once per second, while the database is locked or full."""
THREAD_TURN_SECONDS = 0.0005
"""How long a busy thread keeps Python's lock while others wait for it.

A page gives the lock up with every query. At Python's 5 ms, it waits that long after each one whenever another thread
is busy: measured with floods, pages of staff took twice as long.
"""


class Stopping:
    """When the stop signal came, so that everything after it shares one deadline."""

    at: float | None = None
    is_awaited = False
    """Whether the signal is handled later, because a restart must not be interrupted while it releases resources."""

    def __init__(self) -> None:
        self.listeners: list[socket] = []
        """Closed at the signal, so that new requests are refused right away instead of waiting."""

    def install(self) -> None:
        """Stop on SIGTERM and Ctrl-C, on Ctrl-Break on Windows, and when the terminal closes, unless under `nohup`.

        waitress's loop then ends and lets running requests finish.
        """
        signal.signal(signal.SIGTERM, self._stop)
        signal.signal(signal.SIGINT, self._stop)
        for name in ("SIGBREAK", "SIGHUP"):
            number = getattr(signal, name, None)
            if number is not None and signal.getsignal(number) != signal.SIG_IGN:
                signal.signal(number, self._stop)

    def left(self) -> float:
        """Return how many seconds exports still get."""
        return EXPORTS_GET_SECONDS - (monotonic() - self.at) if self.at is not None else EXPORTS_GET_SECONDS

    def _stop(self, _number: int, _frame: FrameType | None) -> None:
        if self.at is None:
            self.at = monotonic()
            for listener in self.listeners:
                listener.close()
            if not self.is_awaited:
                raise SystemExit(0)


def serve(
    settings: Settings,
    host: str | None = None,
    port: int | None = None,
    when_ready: Callable[[str], object] | None = None,
) -> bool:
    """Serve until stopped, with restarts in between; return False if a thread didn't end in time.

    `host` and `port` win over the settings. `when_ready` is called once with the URL.
    Raises SettingsError, DatabaseError, AlreadyRunning, and DatabaseLost when the database went away meanwhile.
    """
    stopping, restart, listening, claim = Stopping(), Restart(), Listening(), Claim()
    stopping.install()
    all_ended, failures = True, 0
    try:
        while stopping.at is None:
            reload = partial(_reloaded, settings, listening, restart, host, port)
            try:
                fixed = _with_fixed(settings, host, port)
                ended, settings = _round(fixed, listening, claim, stopping, restart, reload, when_ready)
            except (SettingsError, DatabaseError, DBAPIError, OSError) as error:
                if isinstance(error, SettingsError) and restart.take_back(str(error)):
                    log.warning("the new settings don't work: using the previous ones", why=str(error))
                    settings = again(settings)
                elif (
                    restart.is_asked and restart.lost is None and failures < TRIES
                ):  # it was running before, so the problem may pass
                    log.warning("cannot restart yet", why=type(error).__name__)
                    failures += 1
                    sleep(1)
                else:
                    raise
            else:
                all_ended, failures, when_ready = ended and all_ended, 0, None
    finally:
        listening.close()
        claim.release()
    log.info("stopped", all_ended=all_ended)
    return all_ended


def _with_fixed(settings: Settings, host: str | None, port: int | None) -> Settings:
    """Return the settings with the overrides of the command line."""
    said = {key: value for key, value in (("host", host), ("port", port)) if value is not None}
    server = settings.server.model_copy(update=said)
    fixed = settings.fixed | {f"server.{key}" for key in said}
    return settings.model_copy(update={"server": server, "fixed": fixed})


def _reloaded(
    settings: Settings, listening: Listening, restart: Restart, host: str | None, port: int | None
) -> Settings:
    """Reload the settings and listen on their port; return the current settings if that fails."""
    try:
        upcoming = again(settings)
        server = _with_fixed(upcoming, host, port).server
        listening.open(server.host, server.port)
    except SettingsError as error:
        log.warning("the new settings cannot be served: the former ones stay", why=str(error))
        if not restart.take_back(str(error)):
            restart.trouble = str(error)
        return settings
    return upcoming


def _round(
    settings: Settings,
    listening: Listening,
    claim: Claim,
    stopping: Stopping,
    restart: Restart,
    reload: Callable[[], Settings],
    when_ready: Callable[[str], object] | None,
) -> tuple[bool, Settings]:
    """Serve until a signal or a restart.

    Returns whether every thread ended in time, and the settings to continue with, from `reload`.
    """
    upcoming = settings
    stopping.is_awaited = False
    _check_exports(settings)
    key_is_lost = keys.is_lost(settings)
    wiring = connect(settings, "serve", restart)
    wiring.database.when_lost = restart.give_up
    with closing(wiring.database):
        claim.hold(settings)
        _make_ready(wiring)
        if key_is_lost:
            log.warning("secret.key was gone: a new one is made, authenticator apps have to be set up again")
        listening.open(settings.server.host, settings.server.port)
        server = http_server.create(_at_port(wiring, listening.port), listening)
        stopping.listeners = [*listening.sockets, *server.listening_sockets]
        restart.stop_accepting = partial(event_loop.stop_accepting, server)
        url = _address(settings.server.host, listening.port)
        is_first = _note_start(wiring, url)
        try:
            wiring.queue.start()
            sys.setswitchinterval(THREAD_TURN_SECONDS)
            gc.freeze()  # modules stay loaded; scanning them in every collection would slow pages down
            _announce(wiring, url, is_first)
            if when_ready is not None:
                when_ready(url)
            restart.done()
            event_loop.run(server, restart)
            upcoming = reload() if restart.lost is None else settings
        except SystemExit:
            pass
        finally:
            stopping.is_awaited = True
            event_loop.finish_downloads(server, stopping.left() - EXPORTS_GET_SECONDS + DOWNLOADS_GET_SECONDS)
            server.close()
            ended = wiring.queue.stop(stopping.left())
        if restart.lost is not None:
            raise salvage.salvaged(wiring.database, settings, restart.lost)
        if restart.wipes_demo and stopping.at is None:
            _wipe_demo(wiring, restart)
    return ended, upcoming


def _make_ready(wiring: Wiring) -> None:
    """Prepare the database and folders. Raises DatabaseError."""
    upgrading.migrate(wiring.database, wiring.settings)
    missing_database.note(wiring.database, wiring.settings)
    try:
        database.require_structure(wiring.database)
    except DatabaseError as error:  # better to run without a trigger than not at all
        log.error("the database is not whole", why=str(error))
    with wiring.database.transaction() as session:
        zone_changes.complete(session, wiring.settings.clinic.zone)
    wiring.database.analyse()
    if not wiring.database.index_names():
        log.warning("no index of names: an administrator may CREATE EXTENSION pg_trgm")
    export_files.close_folder(wiring.settings)
    if wiring.database.file is not None:
        wiring.database.file.mark()


def _note_start(wiring: Wiring, url: str) -> bool:
    """Record the URL and release what a dead process held; return whether no user exists yet."""
    with wiring.database.transaction() as session:
        wiring.known_clients.note_addresses(sessions.staff_addresses(session, timedelta(seconds=LASTS)))
        installation.note_served_at(session, url)
        is_first = users.none_exist(session)
    if wiring.database.is_sqlite:
        release_dead(wiring.jobs, "serve-")
    return is_first


def _announce(wiring: Wiring, url: str, is_first: bool) -> None:
    """Print the URL on the console, flushed for scripts that wait for the last line."""
    if is_first:
        streams.say(f"No user exists yet: open {url}/setup (setup code from another computer: {wiring.setup_code})")
    streams.say(f"Everything is kept in {wiring.settings.base}")
    streams.say(f"Rounds is ready on {url}")


def _at_port(wiring: Wiring, port: int) -> Wiring:
    """Return the wiring with the actual port, for settings that leave it open."""
    settings = wiring.settings
    server = settings.server.model_copy(update={"port": port})
    return replace(wiring, settings=settings.model_copy(update={"server": server}))


def _wipe_demo(wiring: Wiring, restart: Restart) -> None:
    """Wipe an unused demo clinic, while nothing else runs."""
    try:
        wipe.wipe(wiring.database, wiring.settings)
    except (DatabaseError, DomainError, OSError) as error:
        log.warning("the demo clinic was not wiped", why=str(error))
        restart.trouble = str(error)


def _check_exports(settings: Settings) -> None:
    """Raise SettingsError if the exports folder can't be created or written. Creates nothing."""
    folder = settings.histories
    while not folder.exists():
        folder = folder.parent
    if not os.access(folder, os.W_OK):
        raise SettingsError(f"The folder {folder} cannot be written: set [exports] folder to another one.")


def _address(host: str, port: int) -> str:
    name = {"0.0.0.0": "127.0.0.1", "::": "[::1]"}.get(host, f"[{host}]" if ":" in host else host)  # noqa: S104
    return f"http://{name}:{port}"
