"""The table of channels: their address, consent, and capabilities."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from sqlalchemy.orm import InstrumentedAttribute

from service.config.settings import Settings
from service.language.translation import lazy_gettext as _l
from service.mail_addresses import address_key
from service.storage.models import Channel, Patient


@dataclass(frozen=True)
class Kind:
    """A channel."""

    name: Channel
    title: str
    word: str
    """The title within a sentence."""
    wish: str
    """What the patient agrees to."""
    carries: str
    """What is sent, for people who may not see the address."""
    nowhere: str
    """The text if there is no address."""
    address: InstrumentedAttribute[str | None]
    compared: InstrumentedAttribute[str | None]
    """The column that is equal for two patients who are reached with one message."""
    allowed: InstrumentedAttribute[bool]
    is_mail: bool
    """Whether it has HTML, attachments, and a subject. Other channels use the short texts."""
    way: Channel
    """The channel whose address and consent it uses: itself, unless it replaces another one."""
    is_on: Callable[[Settings], bool]
    """Returns whether the clinic uses it. A channel that replaces another one is never chosen itself."""

    def address_of(self, patient: Patient) -> str | None:
        """Return the patient's address for it, if any."""
        found: str | None = getattr(patient, self.address.key)
        return found

    def compared_form(self, address: str | None) -> str | None:
        """Return the form of an address for comparing."""
        return address_key(address) if address and self.is_mail else address

    def are_together(self, one: Patient, other: Patient) -> bool:
        """Return whether one message reaches both patients."""
        return bool(getattr(one, self.compared.key) == getattr(other, self.compared.key))

    def is_allowed_by(self, patient: Patient) -> bool:
        """Return whether a patient has agreed to it."""
        return bool(getattr(patient, self.allowed.key))

    @property
    def sharing(self) -> tuple[Channel, ...]:
        """Return all channels to the same address, including this one."""
        return tuple(kind.name for kind in CHANNELS.values() if kind.way == self.way)


CHANNELS: Mapping[Channel, Kind] = {
    kind.name: kind
    for kind in (
        Kind(
            name=Channel.EMAIL,
            title=_l("E-mail"),
            word=_l("e-mail"),
            wish=_l("By e-mail"),
            carries=_l("Confirmations, changes, reminders"),
            nowhere=_l("no e-mail address on file"),
            address=Patient.email,
            compared=Patient.email_key,
            allowed=Patient.email_allowed,
            is_mail=True,
            way=Channel.EMAIL,
            is_on=lambda settings: True,  # until it's set up, the console replaces it
        ),
        Kind(
            name=Channel.CONSOLE,
            title=_l("Console"),
            word=_l("console"),
            wish=_l("By e-mail"),
            carries=_l("Confirmations, changes, reminders"),
            nowhere=_l("no e-mail address on file"),
            address=Patient.email,
            compared=Patient.email_key,
            allowed=Patient.email_allowed,
            is_mail=True,
            way=Channel.EMAIL,
            is_on=lambda settings: False,
        ),
        Kind(
            name=Channel.SMS,
            title=_l("SMS"),
            word=_l("SMS"),
            wish=_l("By SMS"),
            carries=_l("The same, as short text messages"),
            nowhere=_l("no phone number on file"),
            address=Patient.phone,
            compared=Patient.phone,
            allowed=Patient.sms_allowed,
            is_mail=False,
            way=Channel.SMS,
            is_on=lambda settings: settings.sms.enabled,
        ),
    )
}
WAYS = tuple(kind.name for kind in CHANNELS.values() if kind.way == kind.name)
"""The channels a patient can choose from, in the order in which they're tried."""


def of(name: str) -> Kind:
    """Return a channel by its name. Raises KeyError if there is none."""
    return CHANNELS[Channel(name)]


def ways(settings: Settings) -> tuple[Channel, ...]:
    """Return the channels that the clinic uses for patients."""
    return tuple(way for way in WAYS if CHANNELS[way].is_on(settings))
