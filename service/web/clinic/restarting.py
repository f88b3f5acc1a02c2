"""Puts answers in place and restarts the service; tries mail out before."""

from ipaddress import ip_address

from flask import redirect, render_template, request
from flask.typing import ResponseReturnValue

from service.config import keys
from service.config.settings import Settings, SettingsError
from service.config.settings_file import Answers, Change, prepare
from service.domain.foundation import contact_details
from service.domain.foundation.errors import Invalid
from service.health import checkup
from service.http import context, origins
from service.language.translation import gettext as _
from service.notifications.email import Email
from service.notifications.message import DeliveryError, Unsure


def prepared(answers: Answers, password: str = "") -> Change:
    """The change that answers make, tried out as a start would. Raises Invalid with what stands against it."""
    try:
        return prepare(context.wiring().settings, answers, {keys.OF_EMAIL: password} if password else None)
    except SettingsError as error:
        raise Invalid(str(error)) from None


def put_in_place(change: Change) -> None:
    """Write the files and ask for the restart, as the last act of a transaction: what it posts is sent afterwards.

    Raises Invalid with everything as it was.
    """
    if not change.files:
        return
    try:
        change.write()
    except SettingsError as error:
        raise Invalid(str(error)) from None
    context.wiring().restart.ask(change)


def lead_to(path: str, change: Change) -> ResponseReturnValue:
    """To a page of the service as it is after the change, wherever that may be."""
    settings, after = context.wiring().settings, change.settings.server
    before = settings.server
    host = before.host if "server.host" in settings.fixed else after.host
    port = before.port if "server.port" in settings.fixed or after.port == 0 else after.port
    stays = (host, port) == (before.host, before.port) or request.is_secure  # a proxy keeps its own address
    if stays or not change.files:
        return redirect(path, 303)
    return render_template("clinic/settings/moved.html", url=f"http://{_name(host)}:{port}{path}")


def send_test(change: Change, password: str, to: str) -> tuple[bool, str]:
    """Whether a test message left by settings that are not in place yet, and the sentence about it. Raises Invalid."""
    try:
        recipient = contact_details.checked_email(to)
    except Invalid as error:
        raise Invalid(str(error), "test_to") from None
    settings: Settings = change.settings
    channel = Email(settings.email, password or keys.email_password(settings), settings.clinic)
    try:
        checkup.send_test(channel, settings, recipient)
    except (DeliveryError, Unsure) as error:
        why = str(error).replace("[email] ", "")  # the section of the file; on the page they are fields
        return False, _("The test message couldn't be sent: %(why)s") % {"why": why}
    return True, _("The mail server accepted the message. Check the inbox of %(to)s.") % {"to": recipient}


def _name(host: str) -> str:
    """By which name this visitor finds the service once it listens at a host."""
    here = origins.host_name(request.host) or host
    try:
        name = here if ip_address(host).is_unspecified or here == "localhost" else host
    except ValueError:
        name = here
    return f"[{name}]" if ":" in name else name
