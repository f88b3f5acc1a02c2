"""Commands for the service: start it, upgrade its database, check its health."""

import os
from contextlib import closing

import click

from service.backups import upgrading
from service.commands.frame import command, say_mistake
from service.config.settings import Settings
from service.health import checkup
from service.process import desktop, streams
from service.process.single_instance import AlreadyRunning, instance_lock
from service.storage import database
from service.storage.database import DatabaseLost
from service.wiring import connect

BROWSER_SECONDS = 10


@command("serve")
@click.option("--host", help="The address to listen at; default: [server] host.")
@click.option("--port", type=click.IntRange(0, 65535), help="The port; 0 picks a free one; default: [server] port.")
@click.option("--new", is_flag=True, help="Start with an empty clinic where another one has lost its database.")
def serve(settings: Settings, host: str | None, port: int | None, new: bool) -> None:
    """Start the service (the default command)."""
    from service.server import serve

    if new:
        with instance_lock(settings):
            upgrading.begin_empty(settings)
    clicked = desktop.double_clicked()
    try:
        ended = serve.serve(settings, host, port, when_ready=desktop.show if clicked else None)
    except AlreadyRunning as other:
        if not clicked:
            raise
        if other.address is not None:  # otherwise, the first one is about to open the browser itself
            desktop.show(other.address).join(BROWSER_SECONDS)
        return
    except DatabaseLost as lost:
        # Python's own end would close the connections, and SQLite the log of whatever lies in the file's place now
        say_mistake(str(lost))
        streams.let_go()
        os._exit(1)
    if not ended:
        # a thread hangs in something that cannot be asked to stop: what it did is picked up at the next start
        streams.let_go()
        os._exit(0)


@command("migrate")
def migrate(settings: Settings) -> None:
    """Upgrade the database to this version of Rounds, and check its structure."""
    with closing(connect(settings, "command").database) as db:
        revision = upgrading.migrate(db, settings)
        database.require_structure(db)
    click.echo(f"The database is at revision {revision}.")


@command("check")
@click.option("--send-to", metavar="ADDRESS", help="Send a test message to an e-mail address or a telephone number.")
def check(settings: Settings, send_to: str | None) -> None:
    """Check settings, database, folders, clock, e-mail, and SMS: one line each, ok or what to do."""
    wiring = connect(settings, "command")
    lines = list(checkup.of_all(wiring))
    if send_to is not None:
        lines.append(checkup.send(wiring.channels, settings, send_to))
    wiring.database.close()
    for _well, words in lines:
        click.echo(words)
    if not all(well for well, _words in lines):
        raise checkup.Trouble("Not all is well: the lines that do not begin with ok say what to do.")
