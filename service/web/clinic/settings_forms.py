"""The forms for who can use Rounds and for e-mail, and the table of all pages of settings."""

from collections.abc import Mapping
from ipaddress import ip_address
from typing import Any, ClassVar
from urllib.parse import urlsplit

import wtforms
from wtforms.validators import NumberRange

from service.config import keys
from service.config.settings import Email, Settings, SettingsError, is_address
from service.domain.foundation.errors import Invalid
from service.language.translation import gettext as _
from service.language.translation import lazy_gettext as _l
from service.process import listening
from service.process.listening import is_loopback
from service.web.clinic.clinic_form import ClinicForm
from service.web.clinic.settings_form import SettingsForm, one_line
from service.web.forms import at_most, required

EVERYWHERE = "0.0.0.0"  # noqa: S104 - chosen to let the network in
HERE = "127.0.0.1"


class ReachForm(SettingsForm):
    reach = wtforms.RadioField(_l("Who can use Rounds?"))
    port = wtforms.IntegerField(
        _l("Port"), [NumberRange(1, 65535, message=_l("Enter a number from 1 to 65535. Most clinics use 8000."))]
    )
    address = wtforms.StringField(_l("This computer's address on the network"), [at_most(200)])
    public_url = wtforms.StringField(_l("Web address for patients"), [at_most(200)])
    trusted_proxy = wtforms.StringField(_l("Proxy address"), [at_most(45)])

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
            raise Invalid(_("No network was found. Connect to the network, or enter the address."), "address")
        if is_loopback(name) or not listening.is_ours(name):
            raise Invalid(_("Other computers can't reach this one at that address."), "address")
        return _reached(EVERYWHERE, port, _url(name, port))

    def _internet(self, port: int) -> dict[str, Any]:
        url = (self.public_url.data or "").strip().rstrip("/")
        if not url.startswith("https://") or not is_address(url):
            raise Invalid(_("Enter an address such as https://rounds.example. It must start with https."), "public_url")
        try:
            proxy = ip_address((self.trusted_proxy.data or "").strip())
            if proxy.is_unspecified:
                raise ValueError
        except ValueError:
            raise Invalid(_("Enter the proxy's IP address. 127.0.0.1 is this computer."), "trusted_proxy") from None
        return _reached(HERE if proxy.is_loopback else EVERYWHERE, port, url, str(proxy))


class MailForm(SettingsForm):
    host = wtforms.StringField(_l("Mail server"), [required(), at_most(255)])
    port = wtforms.IntegerField(_l("Port"), [NumberRange(1, 65535, message=_l("Enter a number from 1 to 65535."))])
    security = wtforms.SelectField(_l("Encryption"))
    username = wtforms.StringField(_l("User name"), [at_most(200)])
    password = wtforms.PasswordField(_l("Password"), [at_most(500)])
    sender = wtforms.StringField(_l("Sender"), [required(), at_most(300)])
    test_to = wtforms.StringField(_l("Send a test message to"), [at_most(254)])

    KEYS: ClassVar[Mapping[str, str]] = {
        name: f"email.{name}" for name in ("host", "port", "security", "username", "sender")
    }

    def __init__(self, *args: Any, **more: Any) -> None:
        super().__init__(*args, **more)
        words = {"starttls": _("STARTTLS (usually port 587)"), "tls": _("TLS (port 465)"), "none": _("No encryption")}
        self.security.choices = list(words.items())

    def answers(self, settings: Settings) -> dict[str, Any]:
        found = super().answers(settings)
        for name in ("host", "username", "sender"):
            if f"email.{name}" in found:
                found[f"email.{name}"] = one_line(found[f"email.{name}"], name)
        said = {key.partition(".")[2]: value for key, value in found.items()}
        section = settings.email.model_copy(update={**said, "enabled": True})
        if " " in section.host or "/" in section.host:
            raise Invalid(_("Enter a server name such as smtp.clinic.example."), "host")
        _check_complete(section)
        if section.username and not (self.secret() or self.has_password):
            raise Invalid(_("Enter the password for this user name."), "password")
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


def ways() -> dict[str, str]:
    """Describe who can use the service, in words."""
    return {
        "computer": _("Only this computer"),
        "network": _("Computers on our network"),
        "internet": _("Patients, over the internet"),
    }


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
        words = _("Port %(port)s can't be used here. Another program or the system needs it. Try 8080.")
        raise Invalid(words % {"port": port}, "port") from None


def _check_complete(section: Email) -> None:
    """Raise Invalid, at its field, for what e-mail still lacks."""
    missing = section.missing()
    if missing is None:
        return
    if missing.startswith("email.sender"):
        raise Invalid(_("Enter an address such as Our clinic <desk@clinic.example>."), "sender")
    if missing.startswith("email.security"):
        words = _("Without encryption, others could read the password. Use STARTTLS or TLS, or remove the user name.")
        raise Invalid(words, "security")
    raise Invalid(missing, "host")
