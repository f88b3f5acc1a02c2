"""What is usual in a country: its name, time zones, clock, week, and phone prefix. Countries are codes such as `US`."""

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from functools import cache, lru_cache
from importlib.resources import files
from typing import Literal
from unicodedata import normalize
from zoneinfo import ZoneInfo

from babel import Locale

from service import clock
from service.language.formats import WEEKDAYS, home_of
from service.language.typed_dates import is_twelve_hours


@cache
def known() -> frozenset[str]:
    """Every country that has phone numbers of its own."""
    import phonenumbers  # takes 30 ms: only pages that ask for a country pay

    return frozenset(phonenumbers.SUPPORTED_REGIONS)


def name(code: str, locale: Locale) -> str:
    """The country's name in a language; a code without a name stays as it is."""
    return str(locale.territories.get(code, code))


def by_name(codes: Iterable[str], locale: Locale) -> list[tuple[str, str]]:
    """Codes with their names, in the order of the alphabet: Österreich stands under O."""
    named = [(code, name(code, locale)) for code in codes]
    return sorted(named, key=lambda country: normalize("NFKD", country[1]).casefold())


def zones(code: str) -> Sequence[str]:
    """The time zones of a country; empty for a country that has none of its own."""
    return _zones().get(code, ())


def usual_zone(code: str) -> str:
    """The time zone of a country whose clocks all agree this year; empty where people have to choose."""
    found = zones(code)
    return found[0] if len({_offsets(zone, clock.now().year) for zone in found}) == 1 else ""


def usual_clock(code: str) -> Literal[12, 24]:
    """Whether clocks in a country count to 12 or to 24."""
    return 12 if is_twelve_hours(_home(code)) else 24


def first_weekday(code: str) -> str:
    """The day a week starts on, as settings name it: `sunday`."""
    return WEEKDAYS[_home(code).first_week_day]


def working_days(code: str) -> list[int]:
    """The days outside the weekend; 0 is Monday."""
    home = _home(code)
    length = (home.weekend_end - home.weekend_start) % 7
    return [day for day in range(7) if (day - home.weekend_start) % 7 > length]


def phone_prefix(code: str) -> str:
    """What phone numbers of a country begin with abroad: `+43`."""
    import phonenumbers

    return f"+{phonenumbers.country_code_for_region(code)}" if code in known() else ""


def of_browser(tags: Iterable[str]) -> str:
    """The country that a browser's languages name first, such as `US` for `en-US`; empty where they name none."""
    regions = (part.upper() for tag in tags for part in tag.replace("_", "-").split("-")[1:])
    return next((region for region in regions if region in known()), "")


def _home(code: str) -> Locale:
    """The locale of the language that most people of a country speak; American English where CLDR knows none."""
    return home_of(code) or Locale("en", "US")


@cache
def _zones() -> dict[str, tuple[str, ...]]:
    found: dict[str, tuple[str, ...]] = {}
    for line in (files("tzdata.zoneinfo") / "zone.tab").read_text(encoding="utf-8").splitlines():
        if not line.startswith("#"):
            code, _place, zone = line.split("\t")[:3]
            found[code] = (*found.get(code, ()), zone)
    return found


@lru_cache(maxsize=1024)
def _offsets(zone: str, year: int) -> tuple[object, ...]:
    """The offsets from UTC on the first of each month."""
    return tuple(datetime(year, month, 1, tzinfo=UTC).astimezone(ZoneInfo(zone)).utcoffset() for month in range(1, 13))
