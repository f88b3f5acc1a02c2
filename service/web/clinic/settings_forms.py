"""The forms that answer settings: at the first start, and later on the admin's pages."""

import unicodedata
from collections.abc import Mapping
from ipaddress import ip_address
from typing import Any, ClassVar
from urllib.parse import urlsplit
from zoneinfo import available_timezones

import phonenumbers
import wtforms
from babel import Locale
from wtforms.validators import NumberRange

from service.config import keys
from service.config.settings import Email, Settings, SettingsError, is_address
from service.domain.foundation import contact_details
from service.domain.foundation.errors import Invalid
from service.language import catalogs
from service.language.translation import gettext as _
from service.process import listening
from service.process.listening import is_loopback
from service.web.forms import Form, at_most, required

REGIONS = ("Africa", "America", "Antarctica", "Arctic", "Asia", "Atlantic", "Australia", "Europe", "Indian", "Pacific")
EVERYWHERE = "0.0.0.0"  # noqa: S104 - chosen to let the network in
HERE = "127.0.0.1"
KEEP_LOCAL, KEEP_INSTANT = "local", "instant"


class SettingsForm(Form):
    """A form over some settings; `act` says which of its buttons was pressed."""

    act = wtforms.StringField(default="save")
    setup_code = wtforms.StringField(_("Setup code"))

    KEYS: ClassVar[Mapping[str, str]] = {}
    """Field -> the setting it stands for."""
    has_password = False
    """Whether a password is kept already, so that its field may stay empty."""

    @classmethod
    def over(cls, settings: Settings, typed: Any = None) -> "SettingsForm":
        """The form as it was typed, else with the present settings; without fields that are fixed from outside."""
        form = cls(typed, data=cls.present(settings))
        for field, key in cls.KEYS.items():
            if key in settings.fixed:
                del form[field]
        return form

    @classmethod
    def present(cls, settings: Settings) -> dict[str, Any]:
        """What the fields show at first."""
        return {field: _present(settings, key) for field, key in cls.KEYS.items()}

    def answers(self, settings: Settings) -> dict[str, Any]:
        """The answers by the settings' keys. Raises Invalid for what cannot be; `settings` are the present ones."""
        return {key: self._fields[field].data for field, key in self.KEYS.items() if field in self._fields}

    def secret(self) -> str:
        """A password that goes with the answers; empty when none was typed."""
        return ""


class ClinicForm(SettingsForm):
    name = wtforms.StringField(_("Name of the clinic"), [required(), at_most(100)])
    timezone = wtforms.SelectField(_("Time zone"))
    country = wtforms.SelectField(_("Country"))
    language = wtforms.SelectField(_("Language of messages to patients"))
    phone = wtforms.StringField(_("Telephone"), [at_most(40)])
    appointments = wtforms.RadioField(
        _("Appointments ahead, if you change the time zone"), default=KEEP_LOCAL, validate_choice=False
    )
    ahead = 0
    """How many appointments a change of the time zone concerns."""

    KEYS: ClassVar[Mapping[str, str]] = {
        "name": "clinic.name",
        "timezone": "clinic.timezone",
        "country": "clinic.country",
        "language": "clinic.message_language",
        "phone": "clinic.phone",
    }

    def __init__(self, *args: Any, **more: Any) -> None:
        super().__init__(*args, **more)
        present = more.get("data") or {}
        self.timezone.choices = _zones(present.get("timezone"))
        self.language.choices = list(catalogs.names().items())
        self.appointments.choices = [
            (KEEP_LOCAL, _("Keep their local time: 10:00 stays 10:00")),
            (KEEP_INSTANT, _("Move with the clinic to the other zone: 10:00 may become 9:00")),
        ]
        self.country.choices = _countries(present.get("country"))

    @classmethod
    def present(cls, settings: Settings) -> dict[str, Any]:
        return {**super().present(settings), "language": settings.clinic.tongue}

    def answers(self, settings: Settings) -> dict[str, Any]:
        found = super().answers(settings)
        for key in ("clinic.name", "clinic.phone"):
            found[key] = _one_line(found[key], key.partition(".")[2]) if key in found else None
        if "clinic.name" in found and not found["clinic.name"]:
            raise Invalid(_("Please fill this in."), "name")
        if found.get("clinic.phone"):
            contact_details.checked_phone(found["clinic.phone"], found.get("clinic.country", settings.clinic.country))
        return {key: value for key, value in found.items() if value is not None}


class ReachForm(SettingsForm):
    reach = wtforms.RadioField(_("Who shall reach Rounds?"))
    port = wtforms.IntegerField(
        _("Port"), [NumberRange(1, 65535, message=_("A port is a number from 1 to 65535; 8000 is usual."))]
    )
    address = wtforms.StringField(_("This computer's address in the network"), [at_most(200)])
    public_url = wtforms.StringField(_("Address that patients open"), [at_most(200)])
    trusted_proxy = wtforms.StringField(_("Address of the proxy"), [at_most(45)])

    KEYS: ClassVar[Mapping[str, str]] = {"port": "server.port"}

    def __init__(self, *args: Any, **more: Any) -> None:
        super().__init__(*args, **more)
        self.reach.choices = list(ways().items())

    @classmethod
    def present(cls, settings: Settings) -> dict[str, Any]:
        server, url = settings.server, settings.clinic.public_url
        if server.trusted_proxy or url.startswith("https:"):
            reach = "internet"
        else:
            reach = "computer" if is_loopback(server.host) else "network"
        named = urlsplit(url).hostname or ""
        return {
            "reach": reach,
            "port": server.port or 8000,
            "address": named if reach == "network" and not is_loopback(named) else listening.network_address(),
            "public_url": url if reach == "internet" else "https://",
            "trusted_proxy": server.trusted_proxy or HERE,
        }

    def answers(self, settings: Settings) -> dict[str, Any]:
        port = (self.port.data or 0) if "port" in self._fields else settings.server.port
        make = {"computer": self._computer, "network": self._network, "internet": self._internet}[self.reach.data]
        found = make(port)
        _check_port(settings, found["server.host"], port)
        return found

    def _computer(self, port: int) -> dict[str, Any]:
        return _reached(HERE, port, _url(HERE, port))

    def _network(self, port: int) -> dict[str, Any]:
        name = (self.address.data or "").strip().casefold()
        if not name:
            raise Invalid(_("No network was found: plug the cable in, or type the address."), "address")
        if is_loopback(name) or not listening.is_ours(name):
            raise Invalid(_("Other computers do not find this one by that address."), "address")
        return _reached(EVERYWHERE, port, _url(name, port))

    def _internet(self, port: int) -> dict[str, Any]:
        url = (self.public_url.data or "").strip().rstrip("/")
        if not url.startswith("https://") or not is_address(url):
            words = _("Write it like https://rounds.example: with https, because patients' data must not be readable.")
            raise Invalid(words, "public_url")
        try:
            proxy = ip_address((self.trusted_proxy.data or "").strip())
            if proxy.is_unspecified:
                raise ValueError
        except ValueError:
            raise Invalid(
                _("Write the proxy's address in numbers; 127.0.0.1 is this computer."), "trusted_proxy"
            ) from None
        return _reached(HERE if proxy.is_loopback else EVERYWHERE, port, url, str(proxy))


class MailForm(SettingsForm):
    host = wtforms.StringField(_("Mail server"), [required(), at_most(255)])
    port = wtforms.IntegerField(_("Port"), [NumberRange(1, 65535, message=_("A port is a number from 1 to 65535."))])
    security = wtforms.SelectField(_("Security"))
    username = wtforms.StringField(_("User name"), [at_most(200)])
    password = wtforms.PasswordField(_("Password"), [at_most(500)])
    sender = wtforms.StringField(_("Sender"), [required(), at_most(300)])
    test_to = wtforms.StringField(_("Send a test message to"), [at_most(254)])

    KEYS: ClassVar[Mapping[str, str]] = {
        name: f"email.{name}" for name in ("host", "port", "security", "username", "sender")
    }

    def __init__(self, *args: Any, **more: Any) -> None:
        super().__init__(*args, **more)
        words = {"starttls": _("STARTTLS (usually port 587)"), "tls": _("TLS (port 465)"), "none": _("None")}
        self.security.choices = list(words.items())

    def answers(self, settings: Settings) -> dict[str, Any]:
        found = super().answers(settings)
        for name in ("host", "username", "sender"):
            if f"email.{name}" in found:
                found[f"email.{name}"] = _one_line(found[f"email.{name}"], name)
        said = {key.partition(".")[2]: value for key, value in found.items()}
        section = settings.email.model_copy(update={**said, "enabled": True})
        if " " in section.host or "/" in section.host:
            raise Invalid(_("This is not the name of a server: write it like smtp.clinic.example."), "host")
        _check_complete(section)
        if section.username and not (self.secret() or self.has_password):
            raise Invalid(_("A user name needs its password."), "password")
        return {**found, "email.enabled": True}

    def secret(self) -> str:
        return (self.password.data or "").strip("\r\n") if "password" in self._fields else ""

    @classmethod
    def over(cls, settings: Settings, typed: Any = None) -> "MailForm":
        form = super().over(settings, typed)
        assert isinstance(form, MailForm)
        form.has_password = bool(keys.email_password(settings))
        if keys.email_password_is_fixed():
            del form["password"]
        elif "host" in form._fields and form["host"].data != settings.email.host:
            form.has_password = False  # it was given for one server, and no other learns it
        return form


FORMS: dict[str, type[SettingsForm]] = {"clinic": ClinicForm, "reach": ReachForm, "mail": MailForm}
"""The pages of settings, by their names in addresses."""


def _present(settings: Settings, key: str) -> Any:
    section, _dot, field = key.partition(".")
    return getattr(getattr(settings, section), field)


def ways() -> dict[str, str]:
    """Describe who can use the service, in words."""
    return {
        "computer": _("Only this computer"),
        "network": _("The computers of our network"),
        "internet": _("Patients at home, by the internet"),
    }


def country_name(code: str) -> str:
    """A country as people call it; a code no one knows stays as it is."""
    return str(Locale("en").territories.get(code, code))


def _countries(present: str | None) -> list[tuple[str, str]]:
    """All that have phone numbers of their own, by name, and the present one whatever its code."""
    codes = phonenumbers.SUPPORTED_REGIONS | ({present} if present else set())
    return sorted(((code, country_name(code)) for code in codes), key=lambda country: country[1])


def _zones(present: str | None) -> list[tuple[str, str]]:
    """All zones that are named after a place, and the present one whatever its name."""
    named = {name for name in available_timezones() if name.partition("/")[0] in REGIONS} | {"UTC"}
    return [(name, name.replace("_", " ")) for name in sorted(named | ({present} if present else set()))]


def _one_line(text: str | None, field: str) -> str:
    words = (text or "").strip()
    if any(unicodedata.category(letter) in ("Cc", "Cs", "Zl", "Zp") for letter in words):
        raise Invalid(_("Write it in one line, without control characters."), field)
    return words


def _reached(host: str, port: int, public_url: str, trusted_proxy: str = "") -> dict[str, Any]:
    values = {"server.host": host, "server.port": port, "server.trusted_proxy": trusted_proxy}
    return {**values, "clinic.public_url": public_url}


def _url(name: str, port: int) -> str:
    shown = f"[{name}]" if ":" in name else name
    return f"http://{shown}" if port == 80 else f"http://{shown}:{port}"


def _check_port(settings: Settings, host: str, port: int) -> None:
    """Raise Invalid for a port that cannot be had; the one that answers this very page is ours already."""
    if port == settings.server.port or "server.port" in settings.fixed:
        return
    try:
        listening.try_out(host, port)
    except SettingsError:
        words = _(
            "Port %(port)s cannot be used on this computer: another program has it, or it is kept for the system."
        )
        raise Invalid(words % {"port": port} + " " + _("8080 is often free."), "port") from None


def _check_complete(section: Email) -> None:
    """Raise Invalid, at its field, for what e-mail still lacks."""
    missing = section.missing()
    if missing is None:
        return
    if missing.startswith("email.sender"):
        raise Invalid(_("Write an address, such as Our clinic <desk@clinic.example>."), "sender")
    if missing.startswith("email.security"):
        words = _("Without security the password could be read on its way: choose STARTTLS or TLS, or no user name.")
        raise Invalid(words, "security")
    raise Invalid(missing, "host")
