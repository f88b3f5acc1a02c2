"""The checks of `make lint` on texts find what they are there for, and find nothing in the program as it is."""

import shutil
from pathlib import Path

import pytest
from babel.messages.catalog import Catalog

from service.language import catalogs
from service.language.entries import mistake
from texts import bare_python, bare_templates, checks, po_files

PAGE = """{% extends "staff.html" %}
{% block shape %}plain wide{% endblock %}
{% block title %}{% trans %}Known{% endtrans %}{% endblock %}
<p class="not words">{{ _('Known') }} {% trans name=person.name %}
  Known too: {{ name }}
{% endtrans %} {{ url_for('users.show') }} · Rounds <code>make run</code></p>
"""


def test_the_texts_of_the_program_have_no_faults() -> None:
    assert checks.problems() == []


def test_collecting_the_texts_again_changes_no_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    shutil.copytree(catalogs.LOCALES, tmp_path / "locales")
    monkeypatch.setattr(po_files, "LOCALES", tmp_path / "locales")
    for language in po_files.languages():
        for area in po_files.translated_areas(language):
            assert po_files.update(language, area) == []
            assert (
                po_files.path_of(language, area).read_text() == (catalogs.LOCALES / language / f"{area}.po").read_text()
            )


@pytest.mark.parametrize(
    "bare",
    [
        "<p>Nobody is here</p>",
        "<p>\n  {{ count }} patients\n</p>",
        '<input placeholder="Find a patient">',
        '<button aria-label="Close">×</button>',
        '<input type="submit" value="Save">',
        "{% if late %}Late{% endif %}",
        "{{ ui.empty('Nobody is here', _('Known')) }}",
        "{{ 'Late' if late else _('Known') }}",
        "{% set title = 'Nobody is here' %}",
    ],
)
def test_a_text_outside_the_catalog_is_found_in_a_template(bare: str) -> None:
    assert list(bare_templates.find(PAGE)) == []
    ((line, _),) = bare_templates.find(PAGE + bare)
    assert line > PAGE.count("\n")


@pytest.mark.parametrize(
    ("source", "found"),
    [
        ('TITLE = _("Title")', True),
        ('TITLE = _l("Title")', False),
        ('class Form:\n    name = Field(_("Name"))', True),
        ('def title(text=_("Title")): ...', True),
        ('def title():\n    return _("Title")', False),
        ('TITLES = {"a": lambda: _("Title")}', False),
        ('def f():\n    raise Invalid("Not this one", "name")', True),
        ('def f():\n    raise Conflict(f"Not {this}")', True),
        ('def f():\n    raise Invalid(_("Not this one"), "name")', False),
        ('def f():\n    return _(f"Title of {name}")', True),
        ("def f():\n    return _(title)", True),
    ],
)
def test_a_text_that_cannot_be_translated_is_found_in_python(source: str, found: bool) -> None:
    assert bool(list(bare_python.find(source))) == found


@pytest.mark.parametrize(
    ("english", "said", "wrong"),
    [
        ("Hello %(name)s", "Hallo %(name)s", None),
        ("Hello %(name)s", "Hallo", "lacks %(name)s"),
        ("Hello %(name)s", "Hallo %(nome)s", "has %(nome)s"),
        ("Hello %(name)s", "%(name)s %(name)s", "has %(name)s"),
        ("Hello %(name)s", "Hallo %(name)500s", "has %"),
        ("All of it: 100 %%", "Alles: 100 %%", None),
        ("All of it: 100 %%", "Alles: 100 %", "has %"),
        ("Until {date}", "Bis {datum}", "has {datum}"),
        ("<b>Now</b>", "<b>Jetzt</b>", None),
        ("<b>Now</b>", "Jetzt", "other tags"),
        ("Now", "Jetzt<script>", "other tags"),
        ('<a href="/x">Now</a>', '<a href="//evil.example">Jetzt</a>', "other tags"),
        ("Now", 'Jetzt" onclick="x', "quotation mark"),
    ],
)
def test_a_translation_has_the_placeholders_and_tags_of_its_text(english: str, said: str, wrong: str | None) -> None:
    found = mistake(english, said)
    assert found is None if wrong is None else wrong in str(found)


def test_one_of_several_forms_need_not_name_the_number() -> None:
    assert mistake("%(count)s patients", "Ein Mensch", is_plural=True) is None
    assert mistake("%(count)s patients", "%(number)s Menschen", is_plural=True) is not None


def test_an_american_spelling_needs_a_british_entry(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert [one for one in checks.problems() if "British" in one] == []
    monkeypatch.setattr(checks, "entries", lambda language, area: Catalog(locale=language))
    assert any("no British spelling of 'Canceled'" in problem for problem in checks.problems())
