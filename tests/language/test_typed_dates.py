"""Dates and times are read as people type them, in the order of any locale, on either clock, and as ISO writes them."""

import json
import shutil
import subprocess
from datetime import date, time

import pytest
from babel import Locale, localedata
from babel.core import get_global
from babel.dates import format_date, format_time

from service.clock import DayTime
from service.config.settings import Clinic
from service.language.formats import Formats
from service.language.typed_dates import (
    AmbiguousYear,
    Order,
    Unreadable,
    day_and_month,
    find_dates,
    is_either,
    is_twelve_hours,
    order_of,
    pattern_of,
    read_date,
    read_time,
)

FIRST, LAST = date(1927, 1, 1), date(2026, 12, 31)
LOCALES = [Locale.parse(code) for code in sorted(localedata.locale_identifiers())]
TERRITORIES = sorted(code for code in map(str, Locale("en").territories) if code.isalpha() and len(code) == 2)
OTHER_CLOCKS = {"brx", "dz", "ee", "yo"}
"""They write words between the figures of a time; their fields hold ISO."""


def in_country(country: str, language: str = "en") -> Formats:
    return Formats(Clinic(country=country), language)


def read(text: str, country: str, language: str = "en") -> date:
    return in_country(country, language).read_date(text, FIRST, LAST)


def test_every_locale_reads_what_it_writes_and_iso() -> None:
    for locale in LOCALES:
        order = order_of(locale)
        for day in (date(1985, 3, 4), date(2004, 2, 29), date(2024, 12, 31)):
            written = format_date(day, pattern_of(locale), locale=locale)
            assert read_date(written, order, FIRST, LAST) == day, (locale, written)
            assert read_date(day.isoformat(), order, FIRST, LAST) == day, locale


def test_every_locale_reads_the_times_it_writes() -> None:
    for locale in LOCALES:
        for hour in range(24) if locale.language not in OTHER_CLOCKS else ():
            written = format_time(time(hour, 30), "short", locale=locale)
            found = read_time(written, locale)
            assert found == (hour, 30), (locale, written)
        country = locale.territory if locale.territory and locale.territory in TERRITORIES else "US"
        shown = Formats(Clinic(country=country), str(locale))
        for at in (DayTime.at(0, 5), DayTime.at(14, 30)):
            assert shown.read_time(shown.typed_time(at)) == at, locale


def test_the_order_and_the_clock_of_each_country_are_those_of_icu() -> None:
    """Another program with the same data: Node's, where this machine has one."""
    node = shutil.which("node")
    if node is None:
        pytest.skip("needs Node for its ICU")
    script = """
      const day = new Date(Date.UTC(1985, 2, 4)), figures = {year: "numeric", month: "numeric", day: "numeric"};
      const order = format => format.formatToParts(day).map(part => part.type[0]).filter(one => "dmy".includes(one));
      console.log(JSON.stringify(JSON.parse(process.argv[1]).map(code => {
        const short = new Intl.DateTimeFormat(code, {dateStyle: "short", calendar: "gregory", timeZone: "UTC"});
        const clock = new Intl.DateTimeFormat(code, {hour: "numeric"}).resolvedOptions().hourCycle;
        return [order(short).join(""), clock];
      })));"""
    codes = [f"en-{country}" for country in TERRITORIES if localedata.exists(f"en_{country}")]
    codes += [
        "de-DE",
        "fr-FR",
        "es-MX",
        "pt-BR",
        "ja-JP",
        "ko-KR",
        "hi-IN",
        "hu-HU",
        "sv-SE",
        "nl-NL",
        "pl-PL",
        "tr-TR",
    ]
    answer = subprocess.run([node, "-e", script, json.dumps(codes)], capture_output=True, check=True, text=True)
    assert len(codes) > 100
    other = dict(zip(codes, json.loads(answer.stdout), strict=True))
    ours = {}
    for code in codes:
        language, _sep, country = code.partition("-")
        formats = in_country(country, language)
        ours[code] = [formats.order.lower(), "h12" if formats.counts_to_twelve else "h23"]
    assert {code: (ours[code], other[code]) for code in codes if ours[code] != other[code]} == {}


def test_english_where_cldr_has_none_counts_and_orders_as_the_country_does() -> None:
    likely = get_global("likely_subtags")
    countries = [code for code in TERRITORIES if not localedata.exists(f"en_{code}") and f"und_{code}" in likely]
    assert len(countries) > 100
    for country in countries:
        language, script, _country = likely[f"und_{country}"].split("_")
        names = [
            name for name in (f"{language}_{script}_{country}", f"{language}_{country}") if localedata.exists(name)
        ]
        if not names:
            continue
        home, formats = Locale.parse(names[0]), in_country(country)
        assert formats.typed_pattern == pattern_of(home), country
        assert formats.counts_to_twelve == is_twelve_hours(home), country
        assert formats.week[0] == home.first_week_day, country
        assert formats.time(time(16, 5)).startswith("4" if is_twelve_hours(home) else "16"), country
        assert formats.hour(16).startswith("4" if is_twelve_hours(home) else "16"), country


def test_a_word_in_a_pattern_is_no_letter_of_it() -> None:
    assert in_country("CA", "fr").hour(14) == "14"


@pytest.mark.parametrize(
    ("typed", "country", "language", "meant"),
    [
        ("03/04/1985", "US", "en", date(1985, 3, 4)),
        ("3-4-85", "US", "en", date(1985, 3, 4)),
        ("03/04/1985", "GB", "en", date(1985, 4, 3)),
        ("03.04.1985", "DE", "de", date(1985, 4, 3)),
        ("3. 4. 1985", "AT", "de", date(1985, 4, 3)),
        ("1985/04/03", "JP", "en", date(1985, 4, 3)),
        ("85/4/3", "JP", "ja", date(1985, 4, 3)),
        ("1985年4月3日", "JP", "ja", date(1985, 4, 3)),
        ("31/12/1985", "JP", "ja", date(1985, 12, 31)),
        ("٠٣/٠٤/١٩٨٥", "EG", "ar", date(1985, 4, 3)),
        ("۱۹۸۵/۴/۳", "IR", "fa", date(1985, 4, 3)),
        ("३/४/१९८५", "IN", "hi", date(1985, 4, 3)),
        ("３／４／１９８５", "GB", "en", date(1985, 4, 3)),
        ("\u200f3\u200f/4\u200f/1985", "EG", "ar", date(1985, 4, 3)),
        (" 1985-4-3 ", "US", "en", date(1985, 4, 3)),
        ("29/02/24", "GB", "en", date(2024, 2, 29)),
    ],
)
def test_a_date_is_read_in_the_order_of_the_reader(typed: str, country: str, language: str, meant: date) -> None:
    assert read(typed, country, language) == meant


@pytest.mark.parametrize(
    "typed", ["", "soon", "31/04/1985", "04/31/1985", "3/4", "3/4/985", "3/4/19850", "03041985", "1985-13-01",
              "1/2/3/4", "3 + 4 + 1985", "0/1/1985", "29/02/1900", "1985-04-03T22:00Z", "1985-04-03T22:00+02:00",
              "3/4/1985T10:00", "19851304", "850403", "\0", "٣٣/٤/١٩٨٥"],
)  # fmt: skip
def test_what_is_no_date_is_unreadable(typed: str) -> None:
    with pytest.raises(Unreadable):
        read(typed, "GB")


def test_two_digits_of_a_year_stand_for_the_one_year_that_is_meant_or_for_none() -> None:
    assert read_date("3/4/26", Order.DAY, date(1926, 4, 4), date(2026, 4, 3)) == date(2026, 4, 3)
    assert read_date("4/4/26", Order.DAY, date(1926, 4, 4), date(2026, 4, 3)) == date(1926, 4, 4)
    for first, last in ((date(2006, 1, 1), date(2046, 12, 31)), (date(1900, 1, 1), date(2100, 1, 1))):
        with pytest.raises(AmbiguousYear):
            read_date("3/4/85", Order.DAY, first, last)
    with pytest.raises(Unreadable):
        read_date("3/4/1985", Order.YEAR, FIRST, LAST)


def test_a_date_is_found_within_a_text_and_a_phone_number_is_none() -> None:
    assert find_dates("Vogt 3/4/1985", Order.MONTH) == ([date(1985, 3, 4)], "Vogt")
    assert find_dates("25/12/1985 vogt", Order.MONTH) == ([date(1985, 12, 25)], "vogt")
    assert find_dates("31.6.1985", Order.DAY) == ([], "")
    for text in ("030 55 1234", "+49 30 1234-5678", "030/123-4567"):
        assert find_dates(text, Order.DAY) == (None, text)


@pytest.mark.parametrize(
    ("typed", "at"),
    [("2:30 PM", "14:30"), ("2.30pm", "14:30"), ("2:30 p.m.", "14:30"), ("14:30", "14:30"), ("02:30", "02:30"),
     ("14 h 30", "14:30"), ("14.30 Uhr", "14:30"), ("12:00 AM", "00:00"), ("12:15 pm", "12:15"), ("2 pm", "14:00"),
     ("24:00", "24:00"), ("٢:٣٠ PM", "14:30"), ("2:30\u202fPM", "14:30"), ("２：３０ＰＭ", "14:30")],
)  # fmt: skip
@pytest.mark.parametrize("country", ["US", "DE", "EG", "JP"])
def test_a_time_is_read_on_either_clock(typed: str, at: str, country: str) -> None:
    assert str(in_country(country).read_time(typed)) == at


@pytest.mark.parametrize(
    "typed", ["", "14", "25:00", "24:30", "13:00 pm", "0:30 am", "2:60", "noon", "14:30:15", "x 2:30"]
)
def test_what_is_no_time_is_unreadable(typed: str) -> None:
    for country in ("US", "DE"):
        with pytest.raises(Unreadable):
            in_country(country).read_time(typed)


def test_a_time_without_am_or_pm_is_counted_to_24_everywhere() -> None:
    for formats in (in_country("DE"), in_country("US"), Formats(Clinic(country="DE", clock=12), "de")):
        for typed in ("8:30", "08:30", "8h30", "8 h 30", "8.30", "8 Uhr 30", "8:30 Uhr", "8:30:00"):
            assert formats.read_time(typed) == DayTime.at(8, 30), typed
        for typed in ("8 Uhr", "8uhr", "8h", "8:00", "8 AM"):
            assert formats.read_time(typed) == DayTime.at(8), typed


@pytest.mark.parametrize(
    "typed",
    [
        "2026-05-04T00:00",
        "2026-05-04T23:59:59",
        "2026-05-04 10:30:00.000",
        "20260504",
        "20260504T1030",
        "２０２６０５０４",
    ],
)
@pytest.mark.parametrize("country", ["US", "DE", "JP"])
def test_dates_as_iso_writes_them_are_read(typed: str, country: str) -> None:
    assert read(typed, country) == date(2026, 5, 4)


@pytest.mark.parametrize(
    "typed",
    ["03/04/1985", "03-04-1985", "03 04 1985", "03 / 04 / 1985", "03–04–1985", "03‐04‐1985", "03−04−1985", "03,04,1985",
     "03\\04\\1985", "03/04/1985 г.", "03.04/1985", "03/04.1985", "3/4/1985", "٣/٤/١٩٨٥", "03،04،1985"],
)  # fmt: skip
def test_only_its_writer_knows_the_order_of_a_date_without_dots(typed: str) -> None:
    assert is_either(typed)
    assert day_and_month(typed) == (3, 4)
    assert read_date(typed, Order.DAY, FIRST, LAST) == date(1985, 4, 3)
    assert read_date(typed, Order.MONTH, FIRST, LAST) == date(1985, 3, 4)
    with pytest.raises(Unreadable):
        read_date(typed, Order.YEAR, FIRST, LAST)


def test_dots_equal_numbers_and_a_year_in_front_tell_how_a_date_is_read() -> None:
    for typed in ("3.4.1985", "3. 4. 1985", "3.4.1985.", "03.04.1985 г.", "1985/04/03", "19850403", "3/4/85", "soon"):
        assert day_and_month(typed) is None, typed
        assert not is_either(typed), typed
    for typed in ("25 12 1985", "12/25/1985", "12/12/1985"):
        assert day_and_month(typed) is not None, typed
        assert not is_either(typed), typed
