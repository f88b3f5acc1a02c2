"""The table of channels: which address each uses, what a patient agreed to, and what it can carry."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from sqlalchemy.orm import InstrumentedAttribute

from service.config.settings import Settings
from service.language.translation import lazy_gettext as _l
from service.mail_addresses import address_key
from service.storage.models import Channel, Patient


@dataclass(frozen=True)
class Kind:
    """One channel."""

    name: Channel
    title: str
    word: str
    """The title inside a sentence."""
    wish: str
    """What a patient agrees to."""
    carries: str
    """What comes by it, for someone whose address is not shown."""
    nowhere: str
    """What is said where there is no address for it."""
    address: InstrumentedAttribute[str | None]
    compared: InstrumentedAttribute[str | None]
    """The column that two patients share when one message reaches both."""
    allowed: InstrumentedAttribute[bool]
    is_mail: bool
    """Whether it carries a page, attachments and a subject; any other takes the short texts."""
    way: Channel
    """The channel whose address and consent it uses: its own, unless it stands in for another."""
    is_on: Callable[[Settings], bool]
    """Whether the clinic can tell patients by it; what stands in for another is never chosen for its own sake."""

    def address_of(self, patient: Patient) -> str | None:
        """Where a patient is reached by it, if they can be."""
        found: str | None = getattr(patient, self.address.key)
        return found

    def compared_form(self, address: str | None) -> str | None:
        """The form of an address in which it is compared with others."""
        return address_key(address) if address and self.is_mail else address

    def are_together(self, one: Patient, other: Patient) -> bool:
        """Whether one message by it reaches both patients."""
        return bool(getattr(one, self.compared.key) == getattr(other, self.compared.key))

    def is_allowed_by(self, patient: Patient) -> bool:
        """Whether a patient agreed to it."""
        return bool(getattr(patient, self.allowed.key))

    @property
    def sharing(self) -> tuple[Channel, ...]:
        """All channels to the same address; this one among them."""
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
            is_on=lambda settings: True,  # until it is set up the console stands in
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
"""The channels a patient chooses among, the one that is tried first in front."""


def of(name: str) -> Kind:
    """The channel of a name. Raises KeyError for one that is none."""
    return CHANNELS[Channel(name)]


def ways(settings: Settings) -> tuple[Channel, ...]:
    """The channels by which the clinic tells patients."""
    return tuple(way for way in WAYS if CHANNELS[way].is_on(settings))
