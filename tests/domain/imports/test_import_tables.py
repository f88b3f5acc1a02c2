"""Files of other programs: encodings, delimiters, lines, headings, dates and times; and whatever else is in them."""

import re
from contextlib import suppress
from datetime import date
from functools import partial

import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.config.settings import Clinic
from service.domain.foundation.errors import Invalid
from service.domain.imports import import_columns, import_tables, import_values
from service.domain.imports.import_columns import ImportKind
from service.language.formats import Formats

FORMATS = Formats(Clinic(country="GB"), "en")


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "cp1252"])
@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_encodings_delimiters_and_line_ends_are_found_out(encoding: str, delimiter: str, end: str) -> None:
    lines = [["Name", "Geburtsdatum", "Straße"], ["Jürgen Groß", "02.07.1985", '"Weg 1, Hof; links"'], ["Zoë", "", ""]]
    table = import_tables.read((end.join(delimiter.join(line) for line in lines) + end).encode(encoding))
    assert table.header == ["Name", "Geburtsdatum", "Straße"]
    assert table.lines == [(2, ["Jürgen Groß", "02.07.1985", "Weg 1, Hof; links"]), (3, ["Zoë", "", ""])]


@pytest.mark.parametrize(
    ("data", "header", "lines"),
    [
        ("Name\nLena\n", ["Name"], [(2, ["Lena"])]),
        ("sep=;\r\nName;Tel\r\nLena;1\r\n", ["Name", "Tel"], [(3, ["Lena", "1"])]),
        ("\n\nName,Tel\n\n,\nLena,1\n", ["Name", "Tel"], [(6, ["Lena", "1"])]),
        ('Name,Note\n"a","one\ntwo"\n"b",x\n', ["Name", "Note"], [(2, ["a", "one\ntwo"]), (4, ["b", "x"])]),
        ('"Name","Tel",\n"Vogt, ""Leni""" , 1\n'.replace(" ,", ","), ["Name", "Tel"], [(2, ['Vogt, "Leni"', "1"])]),
        ("Name;Note\nLena;a, b, c\nOtto;d, e\n", ["Name", "Note"], [(2, ["Lena", "a, b, c"]), (3, ["Otto", "d, e"])]),
        ("Last, first;Tel\nVogt, Lena;1\n", ["Last, first", "Tel"], [(2, ["Vogt, Lena", "1"])]),
        ('Name\nLena "Leni" Vogt\n\x1a', ["Name"], [(2, ['Lena "Leni" Vogt'])]),
        ("  Name ,\u00a0E-Mail \nLena, x \n", ["Name", "E-Mail"], [(2, ["Lena", "x"])]),
    ],
)  # fmt: skip
def test_lines_keep_the_numbers_they_have_in_the_file(
    data: str, header: list[str], lines: list[tuple[int, list[str]]]
) -> None:
    table = import_tables.read(data.encode())
    assert (table.header, table.lines) == (header, lines)


@given(st.binary(max_size=300) | st.text(max_size=200).map(str.encode) | st.lists(
    st.sampled_from(['"', ",", ";", "\n", "\r", "a", "=", "'", "\ufeff", "sep=;\n"]), max_size=60
).map(lambda parts: "".join(parts).encode()))  # fmt: skip
def test_any_bytes_are_a_table_or_refused_in_a_sentence(data: bytes) -> None:
    refusal = None
    try:
        table = import_tables.read(data)
    except Invalid as error:
        refusal = error
    if refusal is None:
        assert table.header
        assert all(any(cells) for _number, cells in table.lines)
        assert [number for number, _cells in table.lines] == sorted({number for number, _cells in table.lines})
    else:
        assert (refusal.field, str(refusal)[-1]) == ("file", ".")


def test_a_file_of_the_greatest_size_is_read_and_no_larger_one() -> None:
    most = b"Name\n" + b"Lena\n" * import_tables.MOST_LINES
    assert len(import_tables.read(most).lines) == import_tables.MOST_LINES
    for larger in (most + b"Otto\n", b"Name\n" + b"x" * import_tables.MOST_BYTES):
        with pytest.raises(Invalid):
            import_tables.read(larger)


@pytest.mark.parametrize(
    ("kind", "header", "found"),
    [
        ("patients", "Name,Birth Date,Phone,E-mail", "name birth_date phone email"),
        ("patients", "Vorname;Nachname;Telefon;Handy;E-Mail", "first_name last_name phone mobile email"),
        ("patients", "PatNr,Name,Vorname,Geb.-Datum", " last_name first_name birth_date"),
        ("patients", "SURNAME,first_name,DOB,Cell Phone", "last_name first_name birth_date mobile"),
        ("doctors", "Titel;Name;Fachrichtung", "title name department"),
        ("visits", "Datum;Uhrzeit;Dauer;Behandler;Patient;Grund", "date time minutes doctor name reason"),
        ("visits", "Termin,Arzt,Name,Vorname", "date doctor last_name first_name"),
        ("patients", "Foo,Bar", ""),
    ],
)  # fmt: skip
def test_usual_headings_are_known(kind: str, header: str, found: str) -> None:
    names = re.split("[,;]", header)
    wanted = {name: at for at, name in enumerate(found.split(" ")) if name}
    assert import_columns.guessed(ImportKind(kind), names) == wanted


@pytest.mark.parametrize(
    ("cell", "day_first", "wanted"),
    [
        ("1985-07-02", False, date(1985, 7, 2)),
        ("1985-7-2", True, date(1985, 7, 2)),
        ("1985/07/02", False, date(1985, 7, 2)),
        ("1985-07-02 00:00:00", False, date(1985, 7, 2)),
        ("1985-07-02T00:00", False, date(1985, 7, 2)),
        ("02.07.1985", False, date(1985, 7, 2)),
        ("2. 7. 1985", False, date(1985, 7, 2)),
        ("02/07/1985", True, date(1985, 7, 2)),
        ("02/07/1985", False, date(1985, 2, 7)),
        ("2-7-1985", True, date(1985, 7, 2)),
        ("29.02.2024", True, date(2024, 2, 29)),
        ("٠٢.٠٧.١٩٨٥", True, date(1985, 7, 2)),
        ("۱۹۸۵/۷/۲", False, date(1985, 7, 2)),
    ],
)
def test_dates_as_programs_write_them(cell: str, day_first: bool, wanted: date) -> None:
    assert import_values.read_date(cell, day_first, FORMATS) == wanted


@pytest.mark.parametrize(
    "cell",
    ["", "31.06.1985", "1985-02-29", "02.07.85", "7/2/85", "1985", "soon", "0001-01-01", "9999-12-31", "13/13/1985",
     "1985-07-02 10:30", "02.07.1985x", "=DATE(1985,7,2)", "20000-01-01"],
)  # fmt: skip
def test_what_is_no_date_is_refused(cell: str) -> None:
    for day_first in (True, False):
        with pytest.raises(Invalid):
            import_values.read_date(cell, day_first, FORMATS)


@given(st.text(max_size=20) | st.from_regex(r"[0-9]{1,4}[-./ ][0-9]{1,2}[-./ ][0-9]{1,4}", fullmatch=True))
def test_any_cell_is_a_date_and_a_time_or_refused(cell: str) -> None:
    for convert in (partial(import_values.read_date, day_first=True), import_values.read_time):
        with suppress(Invalid):
            convert(cell, formats=FORMATS)
    assert import_values.split_moment(cell)[0] or not cell


@pytest.mark.parametrize(
    ("cell", "wanted"),
    [("10:30", "10:30"), ("9:05", "09:05"), ("09.05 Uhr", "09:05"), ("10:30:00", "10:30"), ("2:15 pm", "14:15"),
     ("12:00 AM", "00:00"), ("12:30 p.m.", "12:30"), ("00:00", "00:00"), ("23:59", "23:59")],
)  # fmt: skip
def test_times_as_programs_write_them(cell: str, wanted: str) -> None:
    assert f"{import_values.read_time(cell, FORMATS):%H:%M}" == wanted


@pytest.mark.parametrize(
    "cell", ["", "24:00", "25:00", "10:60", "10", "10:30:15", "13:00 pm", "0:30 am", "10:30Z", "10:30+02:00", "noon"]
)
def test_what_is_no_time_of_day_is_refused(cell: str) -> None:
    with pytest.raises(Invalid):
        import_values.read_time(cell, FORMATS)


SEPARATED = ["{}/{}/1985", "{}-{}-1985", "{} {} 1985", "{} / {} / 1985", "{}–{}–1985", "{}‐{}‐1985", "{},{},1985",
             "{}\\{}\\1985", "{}/{}/1985 г.", "{}.{}/1985", "{}/{}/1985 00:00"]  # fmt: skip
"""Dates whose order only their writer knows."""


@pytest.mark.parametrize("pattern", SEPARATED)
def test_dates_tell_whether_the_day_comes_first_unless_they_cannot(pattern: str) -> None:
    either, day, month = (pattern.format(*numbers) for numbers in (("03", "04"), ("25", "12"), ("12", "25")))
    assert import_values.habit([either], None) == (True, None, False)
    assert import_values.habit([either, day], None) == (True, True, False)
    assert import_values.habit([either, month], True) == (True, False, False)
    assert import_values.habit([day, month], True) == (True, None, False)
    for usual in (True, False):
        assert import_values.habit([either, "12/12/1985"], usual) == (True, usual, True)
    with pytest.raises(Invalid):
        import_values.read_date(either, None, FORMATS)


@pytest.mark.parametrize("cell", ["3.4.1985", "3.4.1985.", "03. 04. 1985", "03.04.1985 г."])
def test_dots_put_the_day_first_whatever_the_other_dates_do(cell: str) -> None:
    assert import_values.habit(["1985-07-02", "12/12/1985", cell, ""], None) == (False, None, False)
    for day_first in (True, False, None):
        assert import_values.read_date(cell, day_first, FORMATS) == date(1985, 4, 3)


@pytest.mark.parametrize(
    ("cell", "value"),
    [
        ('="0301234"', "0301234"),
        ("'+49 30 1", "+49 30 1"),
        ("'=x", "=x"),
        ("'t Hooft", "'t Hooft"),
        ("=1+1", "=1+1"),
        ("'", "'"),
    ],
)
def test_the_signs_that_keep_a_spreadsheet_from_changing_a_cell_are_taken_off(cell: str, value: str) -> None:
    assert import_values.plain(cell) == value
