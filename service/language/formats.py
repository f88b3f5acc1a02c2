"""Formats of dates, times, numbers, and phone numbers, from CLDR for the language and country."""

import re
from collections.abc import Sequence
from datetime import date, datetime, time
from functools import lru_cache

from babel import Locale, UnknownLocaleError
from babel.dates import format_date, format_time, get_day_names, get_month_names
from babel.lists import format_list
from babel.numbers import format_decimal, format_percent

from service import clock
from service.clock import MINUTES_OF_A_DAY, DayTime
from service.config.settings import Clinic
from service.language import translation, typed_dates
from service.language.typed_dates import Order, Unreadable

WEEKDAYS = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
"""The names used in settings."""
_WEEKDAY, _MONTH = re.compile(r"E+|c+"), re.compile(r"M+|L+")
_MIDNIGHT = re.compile(r"^00?(?=\D)")
"""Matches midnight where hours start at 0: `00:00`, or `0.00` as in Finland."""


class Formats:
    """The formats of a clinic, in the given language or (None) the current one."""

    def __init__(self, clinic: Clinic, language: str | None = None) -> None:
        self._zone, self._country, self._hours = clinic.zone, clinic.country, clinic.clock
        self._first_weekday, self._locale = clinic.first_weekday, clinic.locale
        self._language = language

    @property
    def locale(self) -> Locale:
        """The locale, such as `de_AT`."""
        return locale_of(self._language or translation.language(), self._country, self._locale)

    def when(self, at: datetime) -> str:
        """Format an instant: `Mon, Nov 23, 10:30 AM`, with the year if it isn't this one."""
        return self._joined(self.local_day(at), self.clock(at))

    def when_in_year(self, at: datetime) -> str:
        """Format an instant without the year: `Mon, Nov 23, 10:30 AM`."""
        return self._joined(_day(at.astimezone(self._zone).date(), "MMMEd", self.locale), self.clock(at))

    def clock(self, at: datetime) -> str:
        """Format an instant as a time in the clinic's zone: `10:30 AM`."""
        return self.time(at.astimezone(self._zone).time())

    def time(self, of_day: time | DayTime | str) -> str:
        """Format a time of day, which may be a text `HH:MM`: `10:30 AM`. 24:00 stays 24:00 with a 24-hour clock."""
        if isinstance(of_day, str):
            of_day = time.fromisoformat(of_day)
        if isinstance(of_day, DayTime):
            text = self.time(time(*divmod(of_day.minutes % MINUTES_OF_A_DAY, 60)))
            return _MIDNIGHT.sub("24", text) if of_day.minutes == MINUTES_OF_A_DAY else text
        return _time(of_day.replace(second=0, microsecond=0, tzinfo=None), "short", self.locale, self._clock)

    def hour(self, of_day: int) -> str:
        """Format an hour for the heading of a narrow column: `10 AM` or `10`."""
        if not self.counts_to_twelve:
            return str(of_day)
        return format_time(time(of_day), str(self.locale.datetime_skeletons["h"].pattern), locale=self.locale)

    @property
    def counts_to_twelve(self) -> bool:
        """Return whether hours are shown with AM and PM."""
        return self._hours == 12 if self._hours else typed_dates.is_twelve_hours(self._home)

    @property
    def _home(self) -> Locale:
        """The locale that decides clock and date order: the country's main one, where CLDR has no English for it."""
        locale = self.locale
        return home_of(self._country) or locale if locale.language == "en" and _is_of_nowhere(locale) else locale

    @property
    def _clock(self) -> int:
        """12 or 24 where the locale alone doesn't decide it, otherwise 0."""
        return self._hours or (0 if self._home == self.locale else 12 if self.counts_to_twelve else 24)

    def to_the_second(self, at: datetime) -> str:
        """Format an instant with seconds: `Mon, Nov 23, 10:30:05 AM`."""
        local = at.astimezone(self._zone).time()
        time = _time(local.replace(microsecond=0, tzinfo=None), "medium", self.locale, self._clock)
        return self._joined(self.local_day(at), time)

    def local_day(self, at: datetime) -> str:
        """Format the day of an instant in the clinic's zone: `Mon, Nov 23`."""
        return self.day(at.astimezone(self._zone).date())

    def day(self, on: date) -> str:
        """Format a date: `Mon, Nov 23`, with the year if it isn't this one."""
        this_year = on.year == clock.today(self._zone).year
        return _day(on, "MMMEd" if this_year else "yMMMEd", self.locale)

    def long_day(self, on: date) -> str:
        """Format a date: `Monday, November 23`."""
        return _day(on, "MMMMEEEEd", self.locale)

    def long_date(self, on: date) -> str:
        """Format a date with the year: `Mon, Nov 23, 2026`."""
        return _day(on, "yMMMEd", self.locale)

    def long_when(self, at: datetime) -> str:
        """Format an instant with the year: `Mon, Nov 23, 2026, 10:30 AM`."""
        return self._joined(self.long_date(at.astimezone(self._zone).date()), self.clock(at))

    def full_date(self, on: date) -> str:
        """Format a date: `Monday, November 23, 2026`."""
        return format_date(on, "full", locale=self.locale)

    def month(self, on: date) -> str:
        """Format a month: `October 2026`."""
        return _day(on, "yMMMM", self.locale)

    def birth_date(self, on: date) -> str:
        """Format a birth date: `July 2, 1985`."""
        return _day(on, "yMMMMd", self.locale)

    def iso(self, at: datetime) -> str:
        """Format an instant for `<time datetime>`, with the clinic's offset."""
        return at.astimezone(self._zone).isoformat(timespec="seconds")

    def weekday(self, number: int, *, short: bool = False) -> str:
        """Return the name of a day of the week; 0 is Monday."""
        names = get_day_names("abbreviated" if short else "wide", context="stand-alone", locale=self.locale)
        return str(names[number])

    @property
    def months(self) -> Sequence[str]:
        """Return the names of the months, January first."""
        names = get_month_names("wide", context="stand-alone", locale=self.locale)
        return [str(names[number]) for number in range(1, 13)]

    @property
    def week(self) -> Sequence[int]:
        """Return the days of the week in local order; 0 is Monday."""
        where = (home_of(self._country) or self.locale) if _is_of_nowhere(self.locale) else self.locale
        first = WEEKDAYS.index(self._first_weekday) if self._first_weekday else where.first_week_day
        return [(first + number) % 7 for number in range(7)]

    @property
    def order(self) -> Order:
        """Return which part of a typed date comes first: 03/04/1985 is March 4 in the US and April 3 in Britain."""
        return typed_dates.order_of(self._home)

    @property
    def typed_pattern(self) -> str:
        """Return the CLDR pattern of a typed date: `M/d/y`."""
        return typed_dates.pattern_of(self._home)

    def typed_date(self, on: date) -> str:
        """Format a date for a date field: `11/23/2026`."""
        return format_date(on, self.typed_pattern, locale=self._home)

    def typed_time(self, of_day: DayTime) -> str:
        """Format a time for a time field, using only characters that a keyboard has: `2:30 PM`."""
        text = typed_dates.plain(self.time(of_day))
        try:
            self.read_time(text)
        except Unreadable:
            return of_day.shown
        return text

    def read_date(self, text: str, first: date, last: date) -> date:
        """Read a date that was typed in the local order or as ISO, which may have a time of day behind it.

        A two-digit year means the one between `first` and `last`. Raises Unreadable.
        """
        return typed_dates.read_date(typed_dates.without_time(text), self.order, first, last)

    def read_time(self, text: str) -> DayTime:
        """Read a time of day that was typed with AM or PM, or in 24 hours. Raises Unreadable."""
        hour, minute = typed_dates.read_time(text, self.locale)
        return DayTime.at(hour, minute)

    def year(self, on: date) -> str:
        """Format a year: `2026`."""
        return _day(on, "y", self.locale)

    def number(self, value: float, places: int = 0, least: int = 0) -> str:
        """Format a number with `least` to `places` decimal places: `1,204` or `7.5`."""
        if not least:
            return format_decimal(round(value, places), locale=self.locale)
        whole = self.locale.decimal_formats[None].pattern.partition(".")[0]
        return format_decimal(round(value, places), f"{whole}.{'0' * least}", locale=self.locale)

    def percent(self, value: float, places: int = 0) -> str:
        """Format a percentage with up to `places` decimal places: `12.5%`."""
        pattern = self.locale.percent_formats[None].pattern.replace("0", f"0.{'0' * places}" if places else "0", 1)
        return format_percent(value / 100, pattern if places else None, locale=self.locale)

    def percent_sign(self) -> str:
        """Return the percent sign, with a space before it if the locale has one."""
        return str(self.locale.percent_formats[None].suffix[0])

    def hours(self, minutes: int) -> str:
        """Format minutes as hours: `7.5`, `8`."""
        return self.number(minutes / 60, 1)

    def listed(self, texts: Sequence[str]) -> str:
        """Format a list: `Ann, Ben, and Cy`."""
        return format_list(list(texts), locale=self.locale)

    def phone(self, number: str) -> str:
        """Format an E.164 number: `0170 5550132` in the clinic's country, `+49 170 5550132` elsewhere."""
        return _phone(number, self._country)

    def _joined(self, day: str, time: str) -> str:
        pattern = str(self.locale.datetime_formats["medium"])
        return pattern.replace("'", "").replace("{1}", day).replace("{0}", time)


def language_tag() -> str:
    """Return the current language as an HTML language tag: `en-GB`."""
    return translation.language().replace("_", "-")


def text_direction() -> str:
    """Return the text direction of the current language: `ltr` or `rtl`."""
    return locale_of(translation.language(), "").text_direction


@lru_cache(maxsize=64)
def locale_of(language: str, country: str, preferred: str = "") -> Locale:
    """Return the locale of a language in a country, such as `en_US`; without the country if CLDR has no such locale.

    `preferred` is the clinic's own choice, used if it has the same language.
    """
    spoken = language.partition("_")[0]
    chosen = preferred if preferred.partition("_")[0] == language else language
    elsewhere = ("en_001",) if spoken == "en" and country else ()
    for code in (chosen if "_" in chosen else "", f"{spoken}_{country}", *elsewhere, spoken, f"en_{country}"):
        try:
            return Locale.parse(code)
        except (UnknownLocaleError, ValueError):
            continue
    return Locale("en")


@lru_cache(maxsize=512)
def home_of(country: str) -> Locale | None:
    """Return the locale of a country's main language, or None if CLDR doesn't know it."""
    try:
        return Locale.parse(f"und_{country}")
    except (UnknownLocaleError, ValueError):
        return None


def _is_of_nowhere(locale: Locale) -> bool:
    """Return whether a locale names a language without a country."""
    return locale.territory in (None, "001")


@lru_cache(maxsize=4096)
def _day(on: date, skeleton: str, locale: Locale) -> str:
    return format_date(on, _pattern(skeleton, locale), locale=locale)


@lru_cache(maxsize=256)
def _pattern(skeleton: str, locale: Locale) -> str:
    """Return the pattern of a skeleton. If CLDR doesn't list it, use the abbreviated one with long names."""
    known = locale.datetime_skeletons
    if skeleton in known:
        return str(known[skeleton].pattern)
    if skeleton == "yMMMMd":
        return str(locale.date_formats["long"].pattern)
    short = known["yMMMEd" if skeleton.startswith("y") else "MMMEd"].pattern
    return _MONTH.sub("MMMM", _WEEKDAY.sub("EEEE", short))


@lru_cache(maxsize=4096)
def _time(of_day: time, width: str, locale: Locale, hours: int) -> str:
    if not hours:
        return format_time(of_day, width, locale=locale)
    skeleton = ("H" if hours == 24 else "h") + ("ms" if width == "medium" else "m")
    return format_time(of_day, str(locale.datetime_skeletons[skeleton].pattern), locale=locale)


@lru_cache(maxsize=4096)
def _phone(number: str, country: str) -> str:
    import phonenumbers  # takes 30 ms, and only pages with phone numbers need it

    try:
        parsed = phonenumbers.parse(number)
    except phonenumbers.NumberParseException:
        return number
    at_home = phonenumbers.region_code_for_number(parsed) == country
    form = phonenumbers.PhoneNumberFormat.NATIONAL if at_home else phonenumbers.PhoneNumberFormat.INTERNATIONAL
    return str(phonenumbers.format_number(parsed, form))
