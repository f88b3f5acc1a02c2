"""In which language a page is: the user's choice, the patient's, the clinic's; on public pages the visitor's."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import update
from structlog.testing import capture_logs
from werkzeug.test import TestResponse

from service.language import catalogs, message_texts
from service.language.translation import language
from service.storage.models import Patient, User
from tests.api.program import token_of
from tests.house import House
from tests.web.frozen_clinic import Clinic
from tests.web.reading import parsed

TEXTS = {
    "Skip to main content": ("Aller au contenu", "Ir al contenido"),
    "Use at most %(count)s characters.": ("Au plus %(count)s caractères.", "Como máximo %(count)s caracteres."),
}


@pytest.fixture(name="spoken")
def with_languages_of_its_own(tmp_path: Path) -> Iterator[None]:
    """The clinic has brought French and Spanish."""
    for number, code in enumerate(("fr", "es")):
        entries = [f'msgid "{english}"\nmsgstr "{said[number]}"\n' for english, said in TEXTS.items()]
        (tmp_path / f"{code}.po").write_text("\n".join(entries), "utf-8")
    catalogs.use(tmp_path)
    yield
    catalogs.use(None)
    message_texts.use(None, {})


def in_language(clinic: Clinic, code: str, **more: Any) -> House:
    """The same clinic with another language in its settings."""
    wiring = clinic.house.wiring
    chosen = wiring.settings.clinic.model_copy(update={"language": code, **more})
    return House(replace(wiring, settings=wiring.settings.model_copy(update={"clinic": chosen})))


def spoken_on(answer: TestResponse) -> tuple[str, str]:
    """The language a page says it is in, and the one its first words are in."""
    page = parsed(answer)
    skip = page.select_one(".skip")
    assert page.html is not None
    assert skip is not None
    said = {"Skip to main content": "en"} | {
        text: code for code, text in zip(("fr", "es"), TEXTS["Skip to main content"], strict=True)
    }
    return str(page.html["lang"]), said[skip.get_text(strip=True)]


def set_language(clinic: Clinic, user: str, code: str | None) -> None:
    with clinic.house.writing() as session:
        session.execute(update(User).where(User.id == clinic.people[user].user_id).values(language=code))


def test_a_users_choice_goes_before_the_patients_and_that_before_the_clinics(clinic: Clinic, spoken: None) -> None:
    house = in_language(clinic, "es")
    pia = house.browser("patient@clinic.example")
    assert spoken_on(pia.get("/account")) == ("es", "es")
    with house.writing() as session:
        session.execute(update(Patient).where(Patient.id == clinic.pia).values(language="fr"))
    assert spoken_on(pia.get("/account")) == ("fr", "fr")
    assert pia.post("/account/language", {"language": "en"}).status_code == 303
    assert spoken_on(pia.get("/account")) == ("en", "en")
    assert pia.post("/account/language", {"language": ""}).status_code == 303
    assert spoken_on(pia.get("/account")) == ("fr", "fr")
    assert language() == "en"


def test_the_page_of_the_account_offers_the_languages_there_are(clinic: Clinic, spoken: None) -> None:
    doctor = clinic.browser("doctor")
    options = parsed(doctor.get("/account")).select("select[name=language] option")
    assert {one["value"]: one.get_text() for one in options} == {
        "": "Clinic's language",
        "en": "English",
        "de": "Deutsch",
        "en_GB": "English (United Kingdom)",
        "es": "Español",
        "fr": "Français",
    }
    refused = doctor.post("/account/language", {"language": "tlh"})
    assert refused.status_code == 422
    assert "Choose one of the languages in the list." in refused.get_data(as_text=True)
    long = doctor.post("/account/language", {"language": "x" * 5000})
    assert long.status_code == 422


def test_a_visitor_chooses_and_the_choice_is_kept(clinic: Clinic, spoken: None) -> None:
    house = in_language(clinic, "es")
    visitor = house.browser()
    french = {"Accept-Language": "fr-CH, fr;q=0.9, en;q=0.8"}
    assert spoken_on(visitor.get("/sign-in")) == ("es", "es")
    assert spoken_on(visitor.get("/sign-in", headers=french)) == ("fr", "fr")
    assert spoken_on(visitor.get("/sign-in", headers={"Accept-Language": "sw, ;;q=x"})) == ("es", "es")
    assert spoken_on(visitor.get("/sign-in?lang=en", headers=french)) == ("en", "en")
    assert spoken_on(visitor.get("/sign-in", headers=french)) == ("en", "en")
    assert spoken_on(visitor.get("/no/such/page", headers=french)) == ("en", "en")
    for code in ("fr-CH", "FR", "fr_CA"):
        assert spoken_on(visitor.get("/sign-in", query_string={"lang": code})) == ("fr", "fr")
        assert spoken_on(visitor.get("/sign-in")) == ("fr", "fr")
    assert house.browser().get("/sign-in?lang=fr").headers.getlist("Set-Cookie")[0].split("; ")[1:] != []


def test_a_visitors_choice_of_language_does_not_apply_to_signed_in_users(clinic: Clinic, spoken: None) -> None:
    doctor = clinic.browser("doctor")
    answer = doctor.get("/account?lang=fr")
    assert spoken_on(answer) == ("en", "en")
    assert not any("-language=" in cookie for cookie in answer.headers.getlist("Set-Cookie"))


@pytest.mark.parametrize(
    "code", ["tlh", "de; DROP TABLE users", "../../etc/passwd", "x" * 3000, "\N{GRINNING FACE}", "%00"]
)
def test_an_unknown_language_is_english_with_one_line_in_the_log(clinic: Clinic, spoken: None, code: str) -> None:
    house = in_language(clinic, "es")
    catalogs.known.cache_clear()
    with capture_logs() as lines:
        answers = [house.browser().get("/sign-in", query_string={"lang": code}) for _ in range(2)]
    assert [(one.status_code, *spoken_on(one)) for one in answers] == [(200, "en", "en")] * 2
    said = [line for line in lines if line["event"] == "no such language: English instead"]
    assert [line["language"] for line in said] == [code[:20]]


def test_a_user_whose_language_was_removed_reads_english(clinic: Clinic) -> None:
    catalogs.known.cache_clear()
    set_language(clinic, "doctor", "fr")
    with capture_logs() as lines:
        doctor = in_language(clinic, "de").browser("doctor@clinic.example")
        assert spoken_on(doctor.get("/account")) == ("en", "en")
        assert spoken_on(doctor.get("/account")) == ("en", "en")
    assert [line["language"] for line in lines if line["event"].startswith("no such language")] == ["fr"]


def test_what_programs_read_is_english(clinic: Clinic, spoken: None) -> None:
    house = in_language(clinic, "fr")
    set_language(clinic, "receptionist", "fr")
    token = token_of(house, "receptionist")
    asked = {"Accept-Language": "fr", "Authorization": f"Bearer {token}"}
    answer = house.browser().client.post("/api/v1/patients", json={"name": "x" * 500}, headers=asked)
    assert answer.status_code == 422
    assert "caractères" not in answer.get_data(as_text=True)
    assert "Database: can be read" in house.browser().get("/readyz", headers=asked).get_data(as_text=True)


def test_a_page_says_which_way_it_is_read(clinic: Clinic) -> None:
    hebrew = parsed(in_language(clinic, "ar_XB").browser().get("/sign-in"))
    assert hebrew.html is not None
    assert (hebrew.html["lang"], hebrew.html["dir"]) == ("ar-XB", "rtl")
    assert "[" in hebrew.get_text()


def test_an_area_that_is_not_translated_stays_in_english(clinic: Clinic, monkeypatch: pytest.MonkeyPatch) -> None:
    house, translated = in_language(clinic, "de"), {"shell"}
    monkeypatch.setattr(catalogs, "is_translated", lambda _language, area: area in translated)
    assert spoken_on(house.browser().get("/sign-in"))[0] == "en"
    translated.add("accounts")
    assert str(parsed(house.browser().get("/sign-in")).html["lang"]) == "de"  # type: ignore[index]
