"""Load config.toml and the environment into frozen, typed Settings, or fail with one clear message."""

import os
import re
import shlex
import sys
import tomllib
from collections.abc import Mapping
from email.utils import getaddresses
from importlib.util import find_spec
from ipaddress import ip_address
from pathlib import Path
from typing import Annotated, Any, Literal
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError, field_validator
from sqlalchemy import URL, make_url
from sqlalchemy.exc import ArgumentError

from service import mail_addresses
from service.config import languages

FROZEN: bool = getattr(sys, "frozen", False)
"""Whether this is the executable (packaging/rounds.spec) and not run.py."""
ROOT = Path(__file__).resolve().parents[2]
"""The folder of the program's own files, static/ and service/. The executable extracts them to a new one each time."""
HOME = Path(sys.executable).resolve().parent if FROZEN else ROOT
"""The clinic's folder unless --config names another one: that of the executable or of run.py."""
PROGRAM = "rounds" if FROZEN else "python run.py"
"""The start of a command. Settings.command() returns complete ones."""
SQLITE = "sqlite:///"
"""The start of a SQLite database's URL."""
TimeOfDay = Annotated[str, Field(pattern=r"^([01]\d|2[0-3]):[0-5]\d$")]


def is_address(url: str) -> bool:
    """Return whether a URL has only a scheme, a host name or IP address, and optionally a port."""
    if not re.fullmatch(r"https?://([A-Za-z0-9._-]+|\[[0-9A-Fa-f:.]+\])(:\d+)?", url):
        return False
    try:
        return urlsplit(url).port != 0
    except ValueError:
        return False


def _is_mail_address(text: str) -> bool:
    """Return whether an e-mail address has one local part and a valid domain."""
    try:
        return re.fullmatch(r"[^@\s]+@[^@\s]+", text) is not None and bool(mail_addresses.as_sent(text))
    except ValueError:
        return False


def _checked_address(url: str) -> str:
    if not is_address(url):
        raise ValueError("expected an address such as https://rounds.example, without a path")
    return url


def _checked_proxy(address: str) -> str:
    """Check that a proxy is an IP address, because a trusted proxy can claim any client address."""
    try:
        if address and ip_address(address).is_unspecified:
            raise ValueError
    except ValueError:
        raise ValueError("expected the proxy's own address in numbers, such as 127.0.0.1, or nothing") from None
    return address


def _checked_locale(code: str) -> str:
    if code:
        from babel import Locale, UnknownLocaleError  # imported here: only needed if it's set

        try:
            return str(Locale.parse(code))
        except (UnknownLocaleError, ValueError):
            raise ValueError("expected a language and a country such as en_US") from None
    return code


def _checked_path(path: str) -> str:
    """Refuse `~` in a path: it depends on the user, and the service may run as another user than the administrator."""
    if path.startswith("~"):
        try:
            meant = f"such as {Path(path).expanduser()}"
        except RuntimeError:
            meant = "from the root on"
        raise ValueError(f"expected the whole path, {meant}, because ~ stands for another folder for each account")
    return path


def _checked_database(url: str) -> str:
    try:
        parts = make_url(url)
    except ArgumentError:
        raise ValueError("expected an address such as postgresql+psycopg://user@host/name") from None
    if url.startswith(SQLITE):
        if "?" in url:
            raise ValueError("expected a file's name, with %3F for a question mark in it")
        _checked_path(parts.database or "")
    return url


def file_url(file: Path) -> str:
    """Return the URL of a SQLite file, with special characters quoted."""
    return URL.create("sqlite", database=str(file)).render_as_string()


def hidden(url: str) -> str:
    """Return a database URL for messages, without anything that could be a password."""
    return re.sub(r"(?<=://).*@", "***@", url)


PathText = Annotated[str, AfterValidator(_checked_path)]
Address = Annotated[str, AfterValidator(_checked_address)]
ProxyAddress = Annotated[str, AfterValidator(_checked_proxy)]


def quoted(path: Path) -> str:
    """Quote a path for a command line."""
    if os.name == "nt":
        return f'"{path}"'
    text = str(path)
    return f'"{text}"' if not re.search(r'["$`\\!]', text) else shlex.quote(text)


class SettingsError(Exception):
    """A setting is wrong. The message is one line: the key, the value, and what was expected."""


class Section(BaseModel):
    """A table of config.toml: frozen, without unknown keys or silent type conversions."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)


class Clinic(Section):
    name: Annotated[str, Field(min_length=1, max_length=100)] = "Our clinic"
    timezone: str = "Europe/Berlin"
    country: Annotated[str, Field(pattern=r"^[A-Z]{2}$")] = "DE"
    public_url: Address = "http://127.0.0.1:8000"
    phone: str = ""
    language: Annotated[str, Field(min_length=2)] = languages.SOURCE
    message_language: str = ""
    languages_folder: PathText = ""
    """The folder of the clinic's own translations."""
    locale: Annotated[str, AfterValidator(_checked_locale)] = ""
    """The locale of dates and numbers, such as en_US; empty: derived from language and country."""
    clock: Literal[0, 12, 24] = 0
    """12 or 24 hours; 0: as usual in the country."""
    first_weekday: Literal["", "monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday"] = ""
    """Empty: as usual in the country."""

    @field_validator("timezone")
    @classmethod
    def _known_zone(cls, name: str) -> str:
        try:
            ZoneInfo(name)
        except (ZoneInfoNotFoundError, ValueError, OSError):
            raise ValueError("expected a zone name such as Europe/Berlin") from None
        return name

    @property
    def zone(self) -> ZoneInfo:
        """The clinic's time zone."""
        return ZoneInfo(self.timezone)

    @property
    def tongue(self) -> str:
        """The language of messages to people who haven't chosen one."""
        return self.message_language or self.language


class Server(Section):
    host: Annotated[str, Field(min_length=1)] = "127.0.0.1"
    port: Annotated[int, Field(ge=0, le=65535)] = 8000
    threads: Annotated[int, Field(ge=1, le=64)] = 8
    trusted_proxy: ProxyAddress = ""


class DatabaseSection(Section):
    url: Annotated[
        str, Field(pattern=r"^(sqlite:///.+|postgresql\+psycopg://.+)$"), AfterValidator(_checked_database)
    ] = "sqlite:///rounds.db"


def _without_redis(key: str, url: str) -> str | None:
    """Say what is wrong with a Redis URL, without quoting it, because it may contain a password."""
    if not re.fullmatch(r"(rediss?|unix)://\S+", url):
        return f"{key} {'is no such address' if url else 'is empty'}: expected one such as redis://127.0.0.1:6379/0."
    return None


def _without(package: str, setting: str) -> str | None:
    """Say that a package isn't installed. The executable doesn't include all of them."""
    if find_spec(package) is None:
        return f"{setting} needs the package {package}, which is not installed here: install Rounds from its source."
    return None


class CacheSection(Section):
    type: Literal["SimpleCache", "RedisCache"] = "SimpleCache"
    redis_url: str = ""
    statistics_seconds: Annotated[int, Field(ge=1, le=86400)] = 300

    def missing(self) -> str | None:
        """Say what has to be set before figures can be shared; None if nothing."""
        if self.type == "SimpleCache":
            return None
        return _without_redis("cache.redis_url", self.redis_url) or _without("redis", "cache.type = 'RedisCache'")


class Jobs(Section):
    backend: Literal["local", "celery"] = "local"
    broker_url: str = ""
    sheets_at: TimeOfDay = "07:00"
    reminders_at: TimeOfDay = "08:00"
    reports_day: Annotated[int, Field(ge=1, le=28)] = 1
    reports_at: TimeOfDay = "00:00"
    export_workers: Annotated[int, Field(ge=1, le=16)] = 2

    def missing(self) -> str | None:
        """Say what has to be set before workers can be used; None if nothing."""
        if self.backend == "local":
            return None
        return _without_redis("jobs.broker_url", self.broker_url) or _without("celery", "jobs.backend = 'celery'")


class Exports(Section):
    folder: Annotated[PathText, Field(min_length=1)] = "exports"
    keep_hours: Annotated[int, Field(ge=1, le=24 * 365)] = 24
    most_waiting: Annotated[int, Field(ge=1, le=10_000)] = 100


class Booking(Section):
    max_open: Annotated[int, Field(ge=1, le=100)] = 3
    cancel_cutoff_hours: Annotated[int, Field(ge=0, le=24 * 14)] = 4
    self_registration: bool = False


class Messages(Section):
    hold: bool = False
    daily_cap: Annotated[int, Field(ge=1, le=1000)] = 5
    keep_text_months: Annotated[int, Field(ge=1, le=1200)] = 6
    keep_rows_months: Annotated[int, Field(ge=1, le=1200)] = 24
    templates: PathText = ""
    morning_sheet_to: Annotated[str, Field(pattern=r"^([^@\s]+@[^@\s]+)?$")] = ""
    advance_hours: Literal[0, 24, 48, 72] = 0


class Email(Section):
    enabled: bool = False
    host: str = ""
    port: Annotated[int, Field(ge=1, le=65535)] = 587
    security: Literal["starttls", "tls", "none"] = "starttls"
    username: str = ""
    sender: str = ""
    ca_file: PathText = ""
    retry_unknown: bool = False

    def missing(self) -> str | None:
        """Say what has to be set before e-mail can be sent; None if nothing."""
        if not self.enabled:
            return None
        if not self.host:
            return "email.host is empty: name the mail server, or set email.enabled = false."
        addresses = [address for _name, address in getaddresses([self.sender])]
        if len(addresses) != 1 or not _is_mail_address(addresses[0]):
            return f"email.sender = {self.sender!r}: expected an address such as Our clinic <desk@clinic.example>."
        if self.username and self.security == "none" and self.host not in ("localhost", "127.0.0.1", "::1"):
            return "email.security = 'none' would send the password readable: use starttls or tls, or no username."
        return None


class Sms(Section):
    enabled: bool = False
    url: Annotated[str, Field(pattern=r"^(https?://[^/\s]+(/\S*)?)?$")] = ""
    method: Literal["POST", "PUT", "GET"] = "POST"
    headers: dict[str, str] = {}
    body: str = ""
    success: list[Annotated[int, Field(ge=200, le=299)]] = [200, 201, 202]
    id_field: str = ""
    username: str = ""
    sender: str = ""
    countries: list[Annotated[str, Field(pattern=r"^[A-Z]{2}$")]] = []

    def missing(self) -> str | None:
        """Say what has to be set before SMS can be sent; None if nothing."""
        if not self.enabled:
            return None
        if not self.url:
            return "sms.url is empty: name the gateway's address, or set sms.enabled = false."
        said = " ".join([self.url, self.body, *self.headers.values()])
        for name in ("to", "text"):
            if f"{{{name}}}" not in said:
                return f"sms.body has no {{{name}}}: the gateway would not learn it."
        unknown = set(re.findall(r"\{(\w+)\}", said)) - SMS_NAMES
        return f"sms: {{{min(unknown)}}} is no name: expected {', '.join(sorted(SMS_NAMES))}." if unknown else None


SMS_NAMES = frozenset({"to", "text", "sender", "username", "secret", "basic", "key"})
"""The placeholders allowed in the gateway's URL, headers, and body."""


class Backup(Section):
    folder: PathText = "backups"
    at: TimeOfDay = "03:00"
    second_folder: PathText = ""


class Security(Section):
    idle_minutes: Annotated[int, Field(ge=1, le=24 * 60)] = 15
    session_hours: Annotated[int, Field(ge=1, le=24 * 30)] = 12
    patient_idle_minutes: Annotated[int, Field(ge=1, le=24 * 60)] = 15
    patient_session_hours: Annotated[int, Field(ge=1, le=24 * 30)] = 12
    require_second_factor: bool = False
    sign_in_links: bool = False

    def idle_minutes_of(self, *, patient: bool) -> int:
        """After how many minutes without a click a patient or a staff member is signed out."""
        return self.patient_idle_minutes if patient else self.idle_minutes

    def session_hours_of(self, *, patient: bool) -> int:
        """After how many hours they are signed out in any case."""
        return self.patient_session_hours if patient else self.session_hours


class Privacy(Section):
    emergency_hours: Annotated[int, Field(ge=1, le=72)] = 8
    new_guardian_hours: Annotated[int, Field(ge=1, le=720)] = 24
    records_years: Annotated[int, Field(ge=0, le=100)] = 10
    job_runs_days: Annotated[int, Field(ge=31, le=3650)] = 400


class Logs(Section):
    format: Literal["text", "json"] = "text"


class Settings(Section):
    """All settings, and where they come from.

    `base` is the folder where relative paths start, `file` the settings file (which may not exist), and `fixed` are
    the keys, such as `server.port`, that the environment or the command line sets.
    """

    clinic: Clinic = Clinic()
    server: Server = Server()
    database: DatabaseSection = DatabaseSection()
    cache: CacheSection = CacheSection()
    jobs: Jobs = Jobs()
    exports: Exports = Exports()
    booking: Booking = Booking()
    messages: Messages = Messages()
    email: Email = Email()
    sms: Sms = Sms()
    backup: Backup = Backup()
    security: Security = Security()
    privacy: Privacy = Privacy()
    logs: Logs = Logs()
    base: Path = Field(default=HOME, exclude=True)
    file: Path | None = Field(default=None, exclude=True)
    fixed: frozenset[str] = Field(default=frozenset(), exclude=True)

    @property
    def database_file(self) -> Path | None:
        """The file of a SQLite database, relative to the clinic's folder; None for a database on a server."""
        if not self.database.url.startswith(SQLITE):
            return None
        return self.base / (make_url(self.database.url).database or "")

    @property
    def database_url(self) -> str:
        """The database URL. For SQLite, make_url() gets the same file from it, whatever the folder's name."""
        file = self.database_file
        return self.database.url if file is None else file_url(file)

    def with_database(self, url: str) -> "Settings":
        """Return these settings with another database. Raises SettingsError."""
        if not url.startswith((SQLITE, "postgresql+psycopg://", "postgresql://")):
            raise SettingsError("FROM_URL and TO_URL are sqlite:///FILE or postgresql+psycopg://user@host/name.")
        try:
            return self.model_copy(update={"database": DatabaseSection.model_construct(url=_checked_database(url))})
        except ValueError as error:
            raise SettingsError(f"{hidden(url)}: {error}.") from None

    @property
    def clinic_id(self) -> Path:
        """The file next to the key that shows that there is a clinic here."""
        return self.base / "clinic.id"

    @property
    def histories(self) -> Path:
        """The folder of finished exports, outside of every folder that is served."""
        return self.base / self.exports.folder / "histories"

    @property
    def day_sheets(self) -> Path:
        """The folder of day sheets, which are written every morning."""
        return self.base / self.exports.folder / "day"

    @property
    def languages_folder(self) -> Path | None:
        """The folder of the clinic's own translations, if it has one."""
        return self.base / self.clinic.languages_folder if self.clinic.languages_folder else None

    @property
    def message_templates(self) -> Path | None:
        """The folder of the clinic's own message texts, if it has one."""
        return self.base / self.messages.templates if self.messages.templates else None

    @property
    def backups(self) -> Path:
        """The folder of backups. If the setting is empty, only backups before a restore are stored there."""
        return self.base / (self.backup.folder or "backups")

    @property
    def second_backups(self) -> Path | None:
        """The second folder for backups, such as a USB drive or a network share."""
        return self.base / self.backup.second_folder if self.backup.second_folder else None

    def command(self, words: str) -> str:
        """Return a complete command for this clinic, for example `rounds restore FILE`."""
        by_default = self.file in (None, HOME / "config.toml") and self.base == HOME
        return f"{PROGRAM} {words}" + (
            "" if by_default else f" --config {quoted(self.file or self.base / 'config.toml')}"
        )

    @property
    def imports(self) -> Path:
        """The folder of uploads waiting to be imported, in the exports folder, which processes share."""
        return self.base / self.exports.folder / "imports"


def load(path: Path | None = None, environ: Mapping[str, str] = os.environ) -> Settings:
    """Read settings from `path`. Only the default, config.toml in HOME, may be missing.

    Environment variables `ROUNDS_<SECTION>_<KEY>` override the file. Raises SettingsError.
    """
    file = (path or HOME / "config.toml").absolute()
    if path is not None and not file.is_file():
        raise SettingsError(f"There is no settings file {file}.")
    return parse(_read(file) if file.is_file() else "", file, environ)


def again(settings: Settings) -> Settings:
    """Read the same settings file again. Raises SettingsError."""
    file = settings.file
    return settings if file is None else parse(_read(file) if file.is_file() else "", file)


def parse(text: str, file: Path, environ: Mapping[str, str] = os.environ) -> Settings:
    """Parse the text of a settings file, which may not be written yet. Raises SettingsError."""
    try:
        tables, fixed = _override(tomllib.loads(text), environ)
    except tomllib.TOMLDecodeError as error:
        raise SettingsError(f"{file.name} is not valid TOML: {error}.") from None
    unknown = sorted(ABOUT_THE_FILE & set(tables))
    if unknown:
        raise SettingsError(f"{file.name}: {unknown[0]}: unknown section.")
    try:
        settings = Settings(**tables, base=file.parent, file=file, fixed=fixed)
    except ValidationError as error:
        raise SettingsError(f"{file.name}: {_first_mistake(error)}") from None
    return _only_what_works(settings, file.name)


ABOUT_THE_FILE = frozenset({"base", "file", "fixed"})
"""Fields of Settings that aren't sections."""


def _read(file: Path) -> str:
    try:
        return file.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise SettingsError(f"{file} cannot be read: {error}.") from None


def _override(tables: dict[str, Any], environ: Mapping[str, str]) -> tuple[dict[str, Any], frozenset[str]]:
    """Apply `ROUNDS_<SECTION>_<KEY>` to the tables, and return which keys it sets. Other names are ignored."""
    sections = set(Settings.model_fields) - ABOUT_THE_FILE
    merged = {name: dict(table) if isinstance(table, dict) else table for name, table in tables.items()}
    fixed = set()
    for variable, value in sorted(environ.items()):
        section, _, key = variable.removeprefix("ROUNDS_").lower().partition("_")
        if not variable.startswith("ROUNDS_") or section not in sections or not key or _is_secret(key):
            continue
        table = merged.setdefault(section, {})
        if isinstance(table, dict):
            table[key] = _value(section, key, value)
            fixed.add(f"{section}.{key}")
    return merged, frozenset(fixed)


def _is_secret(key: str) -> bool:
    """Return whether a variable has a password or names its file: secrets are never settings."""
    return key in {"password", "password_file", "secret", "secret_file", "passphrase", "passphrase_file"}


def _value(section: str, key: str, text: str) -> Any:
    """Parse an environment value as TOML or else as a string. Text keys always stay text."""
    fields = Settings.model_fields[section].default.__class__.model_fields
    wants_text = key in fields and isinstance(fields[key].default, str)
    try:
        value = tomllib.loads(f"value = {text}")["value"]
    except tomllib.TOMLDecodeError:
        return text
    return text if wants_text and not isinstance(value, str) else value


def _first_mistake(error: ValidationError) -> str:
    mistake = error.errors()[0]
    key = ".".join(str(part) for part in mistake["loc"])
    if mistake["type"] == "extra_forbidden":
        kind = "section" if len(mistake["loc"]) == 1 else "key"
        return f"{key}: unknown {kind}."
    expected = {
        "string_pattern_mismatch": _PATTERNS.get(key) or _PATTERNS.get(mistake["loc"][-1], "another form"),
        "model_type": "a table with keys",
    }.get(mistake["type"], mistake["msg"].removeprefix("Value error, expected ").removeprefix("Input should be "))
    value = (
        hidden(mistake["input"]) if key == "database.url" and isinstance(mistake["input"], str) else mistake["input"]
    )
    return f"{key} = {value!r}: expected {expected}."


_PATTERNS: dict[int | str, str] = {
    "sheets_at": "a time of day such as 07:00",
    "reminders_at": "a time of day such as 08:00",
    "reports_at": "a time of day such as 00:00",
    "at": "a time of day such as 03:00",
    "morning_sheet_to": "an address such as desk@clinic.example, or none",
    "country": "a country code of two capitals such as DE",
    "sms.url": "an address such as https://sms.example/send",
    "url": "sqlite:///FILE or postgresql+psycopg://USER@HOST/NAME",
}


def _check_languages(settings: Settings, file: str) -> None:
    folder = settings.languages_folder
    if folder is not None and not folder.is_dir():
        raise SettingsError(f"{file}: clinic.languages_folder: there is no folder {folder}.")
    there_are = sorted({*languages.shipped(), *languages.own_files(folder)})
    for key in ("language", "message_language"):
        code = getattr(settings.clinic, key)
        if code and code not in (*there_are, *languages.PSEUDO):
            raise SettingsError(f"{file}: clinic.{key} = {code!r}: expected one of {', '.join(there_are)}.")


def _only_what_works(settings: Settings, file: str) -> Settings:
    """Refuse incomplete settings instead of silently ignoring them."""
    parts = (settings.email, settings.sms, settings.cache, settings.jobs)
    for incomplete in (part.missing() for part in parts):
        if incomplete:
            raise SettingsError(f"{file}: {incomplete}")
    _check_languages(settings, file)
    for key, folder in (("folder", settings.backups), ("second_folder", settings.second_backups)):
        if folder is not None and (ROOT / "static") in (folder.resolve(), *folder.resolve().parents):
            value = getattr(settings.backup, key)
            raise SettingsError(
                f"backup.{key} = {value!r}: expected a folder outside of static, which everybody can read."
            )
    return settings
