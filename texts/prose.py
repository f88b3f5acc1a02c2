"""Find words and constructions in our English that a native reader would stumble over.

It reads docs, docstrings, comments, and test names. What is wrong, and what to write instead, is the table PHRASES.
"""

import ast
import io
import re
import tokenize
from collections.abc import Iterator, Mapping
from pathlib import Path

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
    r"\bcancell(?:ed|ing)\b": "canceled, canceling",
}
"""Pattern -> what to write instead."""
UNFINISHED = (
    "service/backups/",
    "service/demo/",
    "service/domain/appointments/",
    "service/domain/foundation/throttle.py",
    "service/language/",
    "service/storage/migrations/",
    "tests/",
)
"""Where the phrases may still stand. Remove an entry once its files are rewritten, and never add one."""
FINISHED_AFTER_ALL = ("tests/README.md", "tests/texts/")
"""What is finished inside an unfinished folder."""
_CODE = re.compile(r"```.*?```|`[^`]*`|\]\([^)]*\)|\*[A-Z][^*\n]*\*|\"[^\"\n]+\"|^ {4,}.*$", re.DOTALL | re.MULTILINE)
"""Code, links, and names of buttons and pages are quoted, not said."""


def problems() -> list[str]:
    """Return every phrase that is found in a finished place, one line each."""
    return [
        f"{file.relative_to(ROOT)}:{line}: {found!r}: write {instead}."
        for file in finished()
        for line, found, instead in find(file)
    ]


def finished() -> Iterator[Path]:
    """Yield the files that must be free of the phrases."""
    markdown = [*ROOT.glob("*.md"), *(ROOT / "docs").glob("*.md"), ROOT / "tests" / "README.md"]
    folders = ("service", "tests", "texts", "bench")
    python = [ROOT / "run.py", *(file for folder in folders for file in sorted((ROOT / folder).rglob("*.py")))]
    for file in [*markdown, *python]:
        name = file.relative_to(ROOT).as_posix()
        if name.startswith(FINISHED_AFTER_ALL) or not name.startswith(UNFINISHED):
            yield file


def find(file: Path) -> Iterator[tuple[int, str, str]]:
    """Yield the line, the words, and what to write instead, for each phrase in a file."""
    source = file.read_text(encoding="utf-8")
    passages = _of_python(source) if file.suffix == ".py" else _of_markdown(source)
    for first, passage in passages:
        said = _CODE.sub(lambda code: re.sub(r"[^\n]", " ", code[0]), passage)
        for pattern, instead in PHRASES.items():
            for found in re.finditer(pattern, said, re.IGNORECASE if pattern.islower() else 0):
                yield first + said.count("\n", 0, found.start()), " ".join(found[0].split()), instead


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
