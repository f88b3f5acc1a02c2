"""A clinic's own `LANG.po`: a whole language in one file, and what is refused before it is used."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from service.config import settings
from service.config.settings import SettingsError
from service.language import catalogs, message_texts
from service.language.translation import gettext, ngettext, speaking

KNOWN = "Too many attempts. Wait a few minutes, then try again."
FRENCH = "Trop de tentatives. Attendez quelques minutes, puis réessayez."


@pytest.fixture(name="folder")
def own_folder(tmp_path: Path) -> Iterator[Path]:
    yield tmp_path
    catalogs.use(None)
    message_texts.use(None, {})


def entry(english: str, said: str) -> str:
    return f'msgid "{english}"\nmsgstr "{said}"\n\n'


def test_a_file_is_a_whole_language_and_its_gaps_are_english(folder: Path) -> None:
    (folder / "fr.po").write_text(entry(KNOWN, FRENCH) + entry("Unused", "Inutile"), "utf-8")
    catalogs.use(folder)
    assert catalogs.offered() == ("en", "de", "en_GB", "fr")
    assert catalogs.names()["fr"] == "Français"
    assert catalogs.is_translated("fr", "diary")
    with speaking("fr"):
        assert gettext(KNOWN) == FRENCH
        assert gettext("Save") == "Save"
        assert ngettext("%(num)s visit", "%(num)s visits", 2) == "%(num)s visits"


def test_a_file_of_the_clinic_goes_before_the_translation_of_the_program(folder: Path) -> None:
    (folder / "de.po").write_text(entry(KNOWN, "Bitte später."), "utf-8")
    catalogs.use(folder)
    with speaking("de"):
        assert gettext(KNOWN) == "Bitte später."
        assert gettext("Use at most %(count)s characters.") == "Verwenden Sie höchstens %(count)s Zeichen."


HEAD = 'msgid ""\nmsgstr ""\n"Content-Type: text/plain; charset=utf-8\\n"\n\n'


@pytest.mark.parametrize(
    ("name", "text", "why"),
    [
        ("fr.po", entry("Use at most %(count)s characters.", "Au plus %(nombre)s"), "has %(nombre)s"),
        ("fr.po", entry("Use at most %(count)s characters.", "Au plus"), "lacks %(count)s"),
        ("fr.po", entry("Now", "<script>alert(1)</script>"), "other tags"),
        ("fr.po", entry("Now", "<img src=x onerror=alert(1)>"), "other tags"),
        ("fr.po", entry("Now", 'Là\\" onclick=\\"x'), "quotation mark"),
        ("fr.po", 'msgid "%(n)s day"\nmsgid_plural "%(n)s days"\nmsgstr[0] "1"\nmsgstr[7] "2"\n', "fr.po"),
        ("fr.po", "this is no catalog\n", "fr.po"),
        ("klingon.po", entry("Now", "DaH"), "the code of a language"),
        ("..po", entry("Now", "DaH"), "the code of a language"),
    ],
)
def test_a_file_that_cannot_be_used_is_refused_in_one_line(folder: Path, name: str, text: str, why: str) -> None:
    (folder / name).write_text(text, "utf-8")
    with pytest.raises(SettingsError, match=r"^clinic\.languages_folder: ") as refused:
        catalogs.use(folder)
    assert why in str(refused.value)
    assert name in str(refused.value)
    assert "\n" not in str(refused.value)


def test_a_file_that_is_not_in_utf_8_is_refused(folder: Path) -> None:
    (folder / "fr.po").write_bytes(HEAD.encode() + entry("Now", "Là").encode("latin-1"))
    with pytest.raises(SettingsError, match=r"fr\.po: it is not in UTF-8\.$"):
        catalogs.use(folder)


@pytest.mark.parametrize(
    ("lines", "why"),
    [
        ('language = "fr"', "clinic.language = 'fr': expected one of de, en, en_GB"),
        ('message_language = "xx"', "clinic.message_language = 'xx': expected one of de, en, en_GB"),
        ('languages_folder = "nowhere"', "there is no folder"),
        ('locale = "xx_YY"', "clinic.locale = 'xx_YY': expected a language and a country such as en_US"),
        ("clock = 13", "clinic.clock = 13: expected"),
        ('first_weekday = "someday"', "clinic.first_weekday = 'someday': expected"),
    ],
)
def test_settings_name_the_languages_there_are(folder: Path, lines: str, why: str) -> None:
    with pytest.raises(SettingsError) as refused:
        settings.parse(f"[clinic]\n{lines}\n", folder / "config.toml", {})
    assert why in str(refused.value)


def test_settings_take_a_language_from_the_clinics_folder(folder: Path) -> None:
    (folder / "texts").mkdir()
    (folder / "texts" / "fr.po").write_text(entry(KNOWN, FRENCH), "utf-8")
    text = '[clinic]\nlanguage = "fr"\nlanguages_folder = "texts"\nlocale = "fr_CH"\nclock = 24\n'
    found = settings.parse(text, folder / "config.toml", {})
    assert (found.clinic.tongue, found.languages_folder) == ("fr", folder / "texts")
