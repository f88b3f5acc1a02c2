"""A text is said in the language of the moment, wherever it was made."""

from concurrent.futures import ThreadPoolExecutor
from string import Template

import pytest
from jinja2 import Environment

from service.config.settings import Clinic
from service.language import rendering
from service.language.pseudo import pseudo_translated
from service.language.translation import gettext, language, lazy_gettext, ngettext, speaking

KNOWN = "Too many attempts. Wait a few minutes, then try again."
GERMAN = "Zu viele Versuche. Warten Sie einige Minuten und versuchen Sie es dann erneut."


@pytest.fixture
def jinja() -> Environment:
    return rendering.environment(Clinic())


def test_a_text_is_said_in_the_language_of_the_moment() -> None:
    assert gettext(KNOWN) == KNOWN
    with speaking("de"):
        assert gettext(KNOWN) == GERMAN
        with speaking("en"):
            assert gettext(KNOWN) == KNOWN
        assert gettext(KNOWN) == GERMAN
    assert language() == "en"


@pytest.mark.parametrize("unknown", ["tlh", "", "../../etc", "de\0", "DE"])
def test_an_unknown_language_or_text_is_english(unknown: str) -> None:
    with speaking(unknown):
        assert gettext(KNOWN) == KNOWN
        assert ngettext("%(count)s row", "%(count)s rows", 2) == "%(count)s rows"
    with speaking("de"):
        assert gettext("Nobody has translated this") == "Nobody has translated this"


def test_british_english_says_what_differs_and_takes_the_rest_from_the_source() -> None:
    with speaking("en_GB"):
        assert gettext("Appointment canceled") == "Appointment cancelled"
        assert gettext(KNOWN) == KNOWN


def test_two_threads_speak_two_languages() -> None:
    def said(chosen: str) -> str:
        with speaking(chosen):
            return gettext(KNOWN)

    with ThreadPoolExecutor(2) as pool:
        assert list(pool.map(said, ["de", "en"] * 20)) == [GERMAN, KNOWN] * 20


def test_a_text_made_at_import_is_translated_each_time_it_is_shown(jinja: Environment) -> None:
    text = lazy_gettext(KNOWN)
    limited = lazy_gettext("Use at most %(count)s characters.") % {"count": 80}
    page = jinja.from_string("{{ text }}")
    with speaking("de"):
        assert [str(text), f"{text}", "%s" % text, text + "!", Template("$x").substitute(x=text)] == [  # noqa: UP031
            GERMAN,
            GERMAN,
            GERMAN,
            f"{GERMAN}!",
            GERMAN,
        ]
        assert page.render(text=text) == GERMAN
        assert str(limited) == "Verwenden Sie höchstens 80 Zeichen."
    assert page.render(text=text) == str(text) == KNOWN
    assert str(limited) == "Use at most 80 characters."
    assert text in {KNOWN}


def test_what_stands_in_a_placeholder_is_escaped_and_the_markup_of_the_text_is_not(jinja: Environment) -> None:
    page = jinja.from_string(
        "{% trans name=name %}Look at <b>{{ name }}</b>, 100 %{% endtrans %} {{ _('%(n)s', n=name) }}"
    )
    escaped = "&lt;i&gt;"
    assert page.render(name="<i>") == f"Look at <b>{escaped}</b>, 100 % {escaped}"


def test_the_line_breaks_of_a_template_are_no_part_of_the_text(jinja: Environment) -> None:
    page = jinja.from_string("{% trans %}\n  Too many attempts. Wait a few minutes,\n  then try again.\n{% endtrans %}")
    with speaking("de"):
        assert page.render() == GERMAN


def test_the_made_up_language_is_longer_and_keeps_placeholders_and_tags() -> None:
    text = "Cancel <b>%(count)s</b> appointments of {name} &amp; others at once, 100 %%"
    changed = pseudo_translated(text)
    assert changed.startswith("[Çàñçéļ <b>%(count)s</b> àppöîñţ".replace("ţ", "t"))
    assert "{name} &amp; öţĥéŕš".replace("ţ", "t") in changed
    assert "%%" in changed
    assert len(changed) >= len(text) * 1.3
    with speaking("en_XA"):
        assert gettext("Save") == pseudo_translated("Save") != "Save"
