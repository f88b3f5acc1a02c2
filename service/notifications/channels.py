"""The channels that the settings enable."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import assert_never

from service.config import keys
from service.config.settings import Settings, SettingsError
from service.notifications.console import Console
from service.notifications.email import Email
from service.notifications.message import Transport
from service.notifications.sms import Sms
from service.storage.models import Channel


@dataclass(frozen=True)
class Channels:
    """The transports for e-mail addresses and phone numbers."""

    email: Transport
    sms: Transport | None = None
    """None: SMS is off."""
    console: Transport | None = None
    """For messages that must not be sent even if e-mail is set up: those of a demo clinic."""

    def of(self, name: Channel) -> Transport:
        """Return the transport for a claimed message. Raises LookupError if the channel is off."""
        match name:
            case Channel.EMAIL:
                return self.email
            case Channel.CONSOLE:
                return self.console or self.email
            case Channel.SMS if self.sms is not None:
                return self.sms
            case Channel.SMS:
                raise LookupError("the clinic sends no SMS")
            case _:
                assert_never(name)

    def close(self) -> None:
        """Close connections that aren't needed for now."""
        for channel in self:
            channel.close()

    def __iter__(self) -> Iterator[Transport]:
        yield from (channel for channel in (self.email, self.sms, self.console) if channel is not None)


def choose(settings: Settings, *, aside: bool = False) -> Channels:
    """Return the channels for these settings. The console replaces e-mail until that's set up.

    `aside`: print to standard error instead of standard output. Raises SettingsError if a secret is missing.
    """
    clinic = settings.clinic
    return Channels(
        email=Email(settings.email, _password(settings), clinic) if settings.email.enabled else Console(aside=aside),
        sms=Sms(settings.sms, _secret(settings), clinic) if settings.sms.enabled else None,
        console=Console(aside=aside) if settings.email.enabled else None,
    )


def _password(settings: Settings) -> str:
    found = keys.email_password(settings)
    if settings.email.username and not found:
        beside = f"{_missing('email.username is set', 'ROUNDS_EMAIL_PASSWORD').removesuffix('.')}, or into the file "
        raise SettingsError(f"{beside}{settings.base / keys.OF_EMAIL}.")
    return found


def _secret(settings: Settings) -> str:
    found = keys.secret("ROUNDS_SMS_SECRET")
    said = " ".join([settings.sms.url, settings.sms.body, *settings.sms.headers.values()])
    if not found and ("{secret}" in said or "{basic}" in said):
        raise SettingsError(_missing("[sms] needs the gateway's secret", "ROUNDS_SMS_SECRET"))
    return found


def _missing(why: str, name: str) -> str:
    return f"{why}: put it into the environment as {name}, or into a file that {name}_FILE names."
