"""Dates, times, numbers and phone numbers are written as CLDR has them for the language and the country."""

from datetime import UTC, date, datetime, time
from typing import Any

import pytest
from babel import Locale
from babel.dates import format_date, format_skeleton, format_time, get_day_names
from babel.numbers import format_decimal, format_percent

from service.clock import DayTime
from service.config.settings import Clinic
from service.language.formats import Formats, locale_of
from service.language.translation import speaking
from service.language.typed_dates import Order

AT = datetime(2027, 3, 4, 16, 5, 9, tzinfo=UTC)
PLACES = [
    ("en", "US", "America/Chicago", "en_US"),
    ("en", "DE", "Europe/Berlin", "en_DE"),
    ("en", "GB", "Europe/London", "en_GB"),
    ("en_GB", "US", "America/Chicago", "en_GB"),
    ("de", "AT", "Europe/Vienna", "de_AT"),
    ("de", "US", "America/Chicago", "de"),
    ("hi", "IN", "Asia/Kolkata", "hi_IN"),
    ("ar", "EG", "Africa/Cairo", "ar_EG"),
]


def formats(language: str, country: str, zone: str = "Europe/Berlin", **more: Any) -> Formats:
    return Formats(Clinic(country=country, timezone=zone, **more), language)


@pytest.mark.parametrize(("language", "country", "zone", "code"), PLACES)
def test_formats_are_those_of_cldr(language: str, country: str, zone: str, code: str) -> None:
    shown, locale = formats(language, country, zone), Locale.parse(code)
    local = AT.astimezone(Clinic(timezone=zone).zone)
    clock = format_time(local, "short", locale=locale)
    assert shown.locale == locale
    assert shown.clock(AT) == clock
    assert shown.long_date(local.date()) == format_skeleton("yMMMEd", local, locale=locale)
    assert shown.month(local.date()) == format_skeleton("yMMMM", local, locale=locale)
    assert shown.birth_date(date(1985, 7, 2)) == format_date(date(1985, 7, 2), "long", locale=locale)
    assert shown.full_date(local.date()) == format_date(local, "full", locale=locale)
    assert shown.long_when(AT).endswith(clock)
    assert shown.number(1234567.25, 1) == format_decimal(1234567.2, locale=locale)
    assert shown.percent(12) == format_percent(0.12, locale=locale)
    assert shown.week[0] == (locale if locale.territory else Locale("en", country)).first_week_day
    assert shown.weekday(6) == get_day_names("wide", "stand-alone", locale)[6]


def test_a_day_without_its_year_is_the_one_of_this_year() -> None:
    shown = formats("en", "US", "America/Chicago")
    assert (shown.day(date(2031, 3, 4)), shown.long_day(date(2031, 3, 4))) == ("Tue, Mar 4, 2031", "Tuesday, March 4")
    assert formats("de", "DE").long_day(date(2031, 3, 4)) == "Dienstag, 4. März"
    assert formats("en_GB", "GB").long_day(date(2031, 3, 4)) == "Tuesday 4 March"


def test_a_clinic_may_choose_hours_first_day_and_locale() -> None:
    assert formats("en", "US", clock=24).time(time(16, 5)) == "16:05"
    assert formats("de", "DE", clock=12).time(time(16, 5)).split() == ["4:05", "PM"]
    assert formats("de", "DE", first_weekday="sunday").week == [6, 0, 1, 2, 3, 4, 5]
    assert formats("en", "DE", locale="en_US").long_day(date(2031, 3, 4)) == "Tuesday, March 4"
    assert formats("de", "DE", locale="en_US").locale == Locale("de", "DE")


def test_the_midnight_that_ends_a_day() -> None:
    end, after = DayTime.at(24), DayTime.at(26)
    assert [formats("en", "DE").time(one) for one in (end, after, "08:30")] == ["24:00", "02:00", "08:30"]
    assert [formats("en", "FI").time(one) for one in (end, DayTime.at(0), after)] == ["24.00", "0.00", "2.00"]
    assert formats("en", "US").time(end) == format_time(time(), "short", locale="en_US")


def test_the_day_comes_first_where_it_is_written_first() -> None:
    order = {country: formats("en", country).order for country in ("US", "GB", "DE", "AT")}
    assert order == {"US": Order.MONTH, "GB": Order.DAY, "DE": Order.DAY, "AT": Order.DAY}


def test_a_number_of_the_clinics_country_is_written_without_its_code() -> None:
    assert formats("en", "DE").phone("+491705550132") == "0170 5550132"
    assert formats("en", "US").phone("+491705550132") == "+49 170 5550132"
    assert formats("en", "US").phone("+13125550132") == "(312) 555-0132"
    assert formats("en", "CA").phone("+13125550132") == "+1 312-555-0132"
    assert formats("en", "DE").phone("not a number") == "not a number"


def test_formats_follow_the_language_of_the_moment() -> None:
    shown = Formats(Clinic(country="DE"))
    with speaking("de"):
        assert shown.number(1234.5, 1) == "1.234,5"
    assert shown.number(1234.5, 1) == format_decimal(1234.5, locale="en_DE")


@pytest.mark.parametrize("language", ["tlh", "", "../etc", "en_XA", "xx_YY"])
def test_a_language_cldr_does_not_know_is_written_as_english(language: str) -> None:
    assert locale_of(language, "US").language == "en"
