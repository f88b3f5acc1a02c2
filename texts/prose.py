"""Find words and constructions in our English that a native reader would stumble over.

It reads docs, docstrings, comments, test names, and the English texts of pages and messages. The table PHRASES says
what is wrong, and what to write instead; TEXT_PHRASES has more for pages and messages.
"""

import ast
import io
import re
import tokenize
from collections.abc import Iterator, Mapping
from pathlib import Path

from texts.extraction import areas, extracted

ROOT = Path(__file__).resolve().parents[1]
PHRASES: Mapping[str, str] = {
    r"\banew\b": "again, or restart",
    r"\bcall(?:ed|s|ing)? off\b": "cancel",
    r"\bwaiting list\b": "waitlist",
    r"\bmorning sheets?\b": "call list",
    r"\bhit visits?\b": "affected appointments",
    r"\bthe heart beats?\b": "the heartbeat",
    r"\bperhaps lost\b": "delivery unknown",
    r"\bso that nobody\b": "so that no one",
    r"\bsomebody\b": "someone",
    r"\bwhat is not\b": "name the thing",
    r"\bwhoever\b": "anyone who",
    r"\bshall\b": "can, should, or will",
    r"\b(?:one|two|\d+) (?:line|row|file|query|connection|page|message) an? (?:request|day|second|row|record)\b": "per",
    r"(?:^|[.:] )Who (?:[^.?!]|\.\w)+\.(?= |$)": "Anyone who, or the noun",
    r"\btelephones?\b": "phone",
    r"\bcolours?\b": "color",
    r"\bbehaviours?\b": "behavior",
    r"\bcancell(?:ed|ing)\b(?! or no_show)": "canceled, canceling",
    r"\bcut-offs?\b": "cutoff",
    r"\btime-outs?\b": "timeout",
    r"\b(?:whereupon|whereby|thereof|therein|hereby)\b": "plainer words",
    r"(?:^|, )should (?:it|they|someone|anyone)\b": "if",
    r"\bas ever\b": "as usual",
    r"\bbut for\b": "except",
    r"\b(?:is|are|was|were) (?:not )?made up for\b": "caught up",
    r"\bmend(?:s|ed|ing)?\b": "fix",
    r"\bspoilt\b": "damaged",
    r"\btaken for\b": "treated as, or mistaken for",
    r"\bwithout a word\b": "silently",
}
"""Pattern -> what to write instead."""
TEXT_PHRASES: Mapping[str, str] = {
    r"\bvisits?\b": "appointment",
    r"\bfree times?\b": "slot",
}
"""The same for texts of pages and messages. In the API and in code, these words are names of fields and tables."""
_CODE = re.compile(r"```.*?```|`[^`]*`|\]\([^)]*\)|\*[A-Z][^*\n]*\*|\"[^\"\n]+\"|^ {4,}.*$", re.DOTALL | re.MULTILINE)
"""Code, links, and names of buttons and pages are quoted, not said."""
_MARKUP = re.compile(r"%\(\w+\)[sd]|\{\w+\}|<[^>]+>")
"""Placeholders and tags in a text."""


def problems() -> list[str]:
    """Return every phrase that is found, one line each."""
    in_files = (
        f"{file.relative_to(ROOT)}:{line}: {found!r}: write {instead}."
        for file in files()
        for line, found, instead in find(file)
    )
    in_texts = (
        f"{area}: {found!r} in {text!r}: write {instead}."
        for area in areas()
        for text in _texts(area)
        for found, instead in find_in_text(text)
    )
    return [*in_files, *in_texts]


def files() -> Iterator[Path]:
    """Yield the files that are checked."""
    markdown = [*ROOT.glob("*.md"), *(ROOT / "docs").glob("*.md"), ROOT / "tests" / "README.md"]
    folders = ("service", "tests", "texts", "bench")
    python = [ROOT / "run.py", *(file for folder in folders for file in sorted((ROOT / folder).rglob("*.py")))]
    yield from [*markdown, *python]


def find(file: Path) -> Iterator[tuple[int, str, str]]:
    """Yield the line, the words, and what to write instead, for each phrase in a file."""
    source = file.read_text(encoding="utf-8")
    passages = _of_python(source) if file.suffix == ".py" else _of_markdown(source)
    for first, passage in passages:
        said = _CODE.sub(lambda code: re.sub(r"[^\n]", " ", code[0]), passage)
        for found, instead in _matches(PHRASES, said):
            yield first + said.count("\n", 0, found.start()), " ".join(found[0].split()), instead


def find_in_text(text: str) -> Iterator[tuple[str, str]]:
    """Yield the words, and what to write instead, for each phrase in a text of a page or a message."""
    for found, instead in _matches({**PHRASES, **TEXT_PHRASES}, _MARKUP.sub(" ", text)):
        yield found[0], instead


def _matches(phrases: Mapping[str, str], said: str) -> Iterator[tuple[re.Match[str], str]]:
    for pattern, instead in phrases.items():
        for found in re.finditer(pattern, said, re.IGNORECASE if pattern.islower() else 0):
            yield found, instead


def _texts(area: str) -> Iterator[str]:
    """Yield the English texts of an area, plural forms one by one."""
    for message in extracted(area):
        if message.id:
            yield from [message.id] if isinstance(message.id, str) else message.id


def _of_markdown(source: str) -> Iterator[tuple[int, str]]:
    yield 1, source


def _of_python(source: str) -> Iterator[tuple[int, str]]:
    """Docstrings, also those of attributes, comments, and the names of tests as words."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant) and isinstance(node.value.value, str):
            yield node.lineno, re.sub(r"\n[ ]+", "\n", node.value.value)
        elif isinstance(node, ast.FunctionDef) and node.name.startswith("test_"):
            yield node.lineno, node.name.replace("_", " ")
    for token in tokenize.generate_tokens(io.StringIO(source).readline):
        if token.type == tokenize.COMMENT:
            yield token.start[0], token.string.removeprefix("# ")
