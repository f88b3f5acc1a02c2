"""The prose checker finds awkward English in docs, docstrings, comments, test names, and texts, and only there."""

from pathlib import Path

import pytest

from texts import prose


def test_no_file_and_no_text_has_a_phrase_of_the_list() -> None:
    assert len(list(prose.files())) > 30
    assert prose.problems() == []


@pytest.mark.parametrize(
    ("line", "found"),
    [
        ("The service begins anew.", "anew"),
        ("A line.\n\nThe visit is called off.", "called off"),
        ("It keeps one line a request.", "one line a request"),
        ("It is done. Who comes second waits.", ". Who comes second waits."),
        ("Whoever asks is told.", "Whoever"),
        ("The run is caught up, should it fail.", ", should it"),
        ("All but for the last one.", "but for"),
    ],
)
def test_a_phrase_is_found_in_docs_docstrings_and_comments(tmp_path: Path, line: str, found: str) -> None:
    files = {
        "page.md": line,
        "module.py": f'"""{line}"""\n',
        "function.py": f'def act() -> None:\n    """{line}"""\n',
        "attribute.py": f'LIMIT = 1\n"""{line}"""\n',
    }
    if "\n" not in line:
        files["comment.py"] = f"# {line}\n"
    for name, text in files.items():
        (tmp_path / name).write_text(text, encoding="utf-8")
        assert [words for _line, words, _instead in prose.find(tmp_path / name)] == [found], name


def test_a_phrase_is_found_in_the_name_of_a_test_on_its_line(tmp_path: Path) -> None:
    file = tmp_path / "test_it.py"
    file.write_text('"""Tests."""\n\n\ndef test_it_begins_anew() -> None:\n    pass\n', encoding="utf-8")
    assert [(line, words) for line, words, _instead in prose.find(file)] == [(4, "anew")]


@pytest.mark.parametrize(
    "text",
    [
        "Set `whoever` to 1.",
        "Press *Call off whoever waits*.",
        'It says "begins anew".',
        "    whoever --anew\n",
        "```\nwhoever\n```",
        "See [the page](docs/anew.md).",
        "Who can see a record?",
        "It asks who is next.",
    ],
)
def test_code_names_of_buttons_and_questions_are_left_alone(tmp_path: Path, text: str) -> None:
    file = tmp_path / "page.md"
    file.write_text(text, encoding="utf-8")
    assert list(prose.find(file)) == []


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("Your visit is confirmed.", ["visit"]),
        ("%(visits)s appointments, {visits}", []),
        ("Ask <em>somebody</em> at the front desk.", ["somebody"]),
        ("Your appointment is confirmed.", []),
    ],
)
def test_a_phrase_is_found_in_a_text_but_not_in_its_placeholders(text: str, found: list[str]) -> None:
    assert [words for words, _instead in prose.find_in_text(text)] == found
