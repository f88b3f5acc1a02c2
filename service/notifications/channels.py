"""Which channels a clinic has, by its settings."""

from collections.abc import Iterator
from dataclasses import dataclass

from service.config import keys
from service.config.settings import Settings, SettingsError
from service.notifications.console import Console
from service.notifications.email import Email
from service.notifications.message import Channel
from service.notifications.sms import Sms


@dataclass(frozen=True)
class Channels:
    """What takes messages to e-mail addresses and to telephone numbers."""

    email: Channel
    sms: Channel | None = None
    """None: the clinic sends no SMS."""
    console: Channel | None = None
    """Beside e-mail that is set up, for what may not leave the house: the demo clinic's."""

    def of(self, name: str) -> Channel:
        """The channel of a claimed message."""
        named = {"sms": self.sms, "console": self.console}.get(name)
        return self.email if named is None else named

    def close(self) -> None:
        """There is nothing more to send for now."""
        for channel in self:
            channel.close()

    def __iter__(self) -> Iterator[Channel]:
        yield from (channel for channel in (self.email, self.sms, self.console) if channel is not None)


def choose(settings: Settings) -> Channels:
    """The console stands in for e-mail until that is set up. Raises SettingsError when a secret is missing."""
    clinic = settings.clinic
    return Channels(
        email=Email(settings.email, _password(settings), clinic) if settings.email.enabled else Console(),
        sms=Sms(settings.sms, _secret(settings), clinic) if settings.sms.enabled else None,
        console=Console() if settings.email.enabled else None,
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
