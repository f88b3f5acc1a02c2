"""Plain Jinja for pages, messages and reports, with escaping always on; how times are written; no Flask."""

from datetime import date, datetime
from functools import cache, lru_cache
from pathlib import Path
from zoneinfo import ZoneInfo

from babel.dates import format_date
from jinja2 import Environment, FileSystemLoader, StrictUndefined

from service import clock
from service.config.languages import Language
from service.language.languages import LANGUAGES, Speech
from service.language.translation import gettext, ngettext, npgettext, pgettext

TEMPLATES = Path(__file__).resolve().parents[1] / "templates"


@cache
def environment(zone: ZoneInfo, language: str) -> Environment:
    """A Jinja environment of our templates with our filters; an unknown variable is an error."""
    jinja = Environment(loader=FileSystemLoader(TEMPLATES), autoescape=True, undefined=StrictUndefined)
    install(jinja, zone, language)
    return jinja


@cache
def plain_environment() -> Environment:
    """A Jinja environment of our templates for what has no zone and no language of its own."""
    return Environment(loader=FileSystemLoader(TEMPLATES), autoescape=True, undefined=StrictUndefined, trim_blocks=True)


def install(jinja: Environment, zone: ZoneInfo, language: str) -> None:
    """Give a Jinja environment, ours or Flask's, our filters and gettext."""
    jinja.autoescape = True
    jinja.undefined = StrictUndefined
    jinja.trim_blocks = jinja.lstrip_blocks = True
    jinja.add_extension("jinja2.ext.i18n")
    jinja.policies["ext.i18n.trimmed"] = True
    jinja.install_gettext_callables(  # type: ignore[attr-defined]
        gettext, ngettext, newstyle=True, pgettext=pgettext, npgettext=npgettext
    )
    words = Wording(zone, language)
    jinja.filters.update(
        when=words.when,
        clock=words.clock,
        day=words.day,
        long_day=words.long_day,
        long_date=words.long_date,
        long_when=words.long_when,
        month=words.month,
        birth_date=words.birth_date,
        iso=words.iso,
        hours=hours,
        one_line=one_line,
        phone=phone,
    )


def one_line(text: str) -> str:
    """The text with every run of blanks and line breaks made one blank."""
    return " ".join(text.split())


def hours(minutes: int) -> str:
    """Minutes as hours: `7.5`, `8`."""
    return f"{minutes / 60:.1f}".removesuffix(".0")


@lru_cache(maxsize=4096)
def phone(number: str) -> str:
    """A number in E.164 as it is read aloud: `+49 170 5550132`."""
    import phonenumbers  # takes 30 ms: only pages with numbers on them pay

    try:
        parsed = phonenumbers.parse(number)
    except phonenumbers.NumberParseException:
        return number
    return str(phonenumbers.format_number(parsed, phonenumbers.PhoneNumberFormat.INTERNATIONAL))


class Wording:
    """How instants and days are written for people, in the clinic's zone and language."""

    def __init__(self, zone: ZoneInfo, language: str) -> None:
        self._zone = zone
        self._language = language

    @property
    def speech(self) -> Speech:
        """How things are said in this language."""
        return LANGUAGES[Language(self._language)]

    def when(self, at: datetime) -> str:
        """`Mon 23 Nov, 10:30`, with the year when it is not this one."""
        return f"{self.local_day(at)}, {self.clock(at)}"

    def clock(self, at: datetime) -> str:
        """`10:30`."""
        return f"{at.astimezone(self._zone):%H:%M}"

    def local_day(self, at: datetime) -> str:
        """`Mon 23 Nov`: the day of an instant at the clinic."""
        return self.day(at.astimezone(self._zone).date())

    def day(self, on: date) -> str:
        """`Mon 23 Nov`, with the year when it is not this one."""
        this_year = on.year == clock.today(self._zone).year
        pattern = self.speech.short_day
        return _written(on, pattern if this_year else f"{pattern} y", self._language)

    def long_day(self, on: date) -> str:
        """`Monday 23 November`."""
        return _written(on, "EEEE d MMMM", self._language)

    def long_date(self, on: date) -> str:
        """`Mon 23 Nov 2026`: for what is read in another year."""
        return _written(on, "EEE d MMM y", self._language)

    def long_when(self, at: datetime) -> str:
        """`Mon 23 Nov 2026, 10:30`."""
        local = at.astimezone(self._zone)
        return f"{self.long_date(local.date())}, {local:%H:%M}"

    def month(self, on: date) -> str:
        """`October 2026`."""
        return _written(on, "MMMM y", self._language)

    def birth_date(self, on: date) -> str:
        """`2 July 1985`."""
        return _written(on, "d MMMM y", self._language)

    def iso(self, at: datetime) -> str:
        """The instant for `<time datetime>`, with the clinic's offset."""
        return at.astimezone(self._zone).isoformat(timespec="seconds")


@lru_cache(maxsize=4096)
def _written(on: date, pattern: str, language: str) -> str:
    return format_date(on, pattern, locale=language)
