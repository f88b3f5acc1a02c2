"""Count what the shape of the code costs its readers, for several commits: `python -m bench.structure [REV ...]`.

Without a commit it measures the tree at hand. Only Python files below `service/` count, without migrations, whose
steps are long by nature; words of closed sets are those of all trees measured, so that every column counts the same.
"""

import ast
import io
import re
import subprocess
import sys
import tarfile
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import combinations
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory

ROOT = Path(__file__).parent.parent
LONG = 35
MANY = 7
DOUBLE = 6
"""So many equal lines in two places are a double."""
UNTYPED = re.compile(r"\b(dict|Mapping|MutableMapping)\[str, (Any|object)\]")
IN_TEMPLATE = re.compile(r"""(?:[=!]=|\bin)\s*[(\[]?\s*((?:["'][a-z_]+["'],?\s*)+)""")
Function = ast.FunctionDef | ast.AsyncFunctionDef


@dataclass(frozen=True)
class Tree:
    """The files of one commit."""

    folder: Path

    @cached_property
    def files(self) -> Mapping[Path, str]:
        """The product's modules by their path below `service/`."""
        service = self.folder / "service"
        found = {file.relative_to(service): file.read_text("utf-8") for file in sorted(service.rglob("*.py"))}
        return {path: text for path, text in found.items() if "versions" not in path.parts}

    @cached_property
    def parsed(self) -> Mapping[Path, ast.Module]:
        return {path: ast.parse(text) for path, text in self.files.items()}

    @cached_property
    def templates(self) -> Sequence[str]:
        return [file.read_text("utf-8") for file in sorted((self.folder / "service/templates").rglob("*.html"))]

    @cached_property
    def functions(self) -> Sequence[Function]:
        return [node for node in self._nodes() if isinstance(node, Function)]

    @cached_property
    def closed_sets(self) -> frozenset[str]:
        """Every word of a `StrEnum`, and every word a column may hold."""
        return frozenset(word for node in self._nodes() for word in _words(node) if word.islower())

    def _nodes(self) -> Iterator[ast.AST]:
        for module in self.parsed.values():
            yield from ast.walk(module)


def _words(node: ast.AST) -> Iterator[str]:
    if isinstance(node, ast.ClassDef) and any(getattr(base, "id", "") == "StrEnum" for base in node.bases):
        yield from (word for one in node.body if isinstance(one, ast.Assign) for word in _strings(one.value))
    elif isinstance(node, ast.Call) and getattr(node.func, "id", "") == "one_of":
        yield from (word for argument in node.args[1:] for word in _strings(argument))


def _strings(node: ast.AST) -> Iterator[str]:
    """A string, or the strings of a tuple, list or set."""
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        yield node.value
    elif isinstance(node, ast.Tuple | ast.List | ast.Set):
        for one in node.elts:
            yield from _strings(one)


def files(tree: Tree) -> str:
    """How many modules; packages' own files do not count."""
    return str(sum(path.name != "__init__.py" for path in tree.files))


def lines(tree: Tree) -> str:
    """How many lines, and how many a module has."""
    counts = {path: text.count("\n") for path, text in tree.files.items() if path.name != "__init__.py"}
    largest = max(counts, key=lambda path: counts[path])
    return f"{sum(counts.values())} (median {median(counts.values()):.0f}, {largest} {counts[largest]})"


def functions(tree: Tree) -> str:
    """How many functions and methods."""
    return str(len(tree.functions))


def long_functions(tree: Tree) -> str:
    """Functions of more lines than one looks at at once, from `def` to the end."""
    return str(sum((one.end_lineno or 0) - one.lineno + 1 > LONG for one in tree.functions))


def many_parameters(tree: Tree) -> str:
    """Functions with more parameters than one remembers; `self` is none."""
    return str(sum(_parameters(one) > MANY for one in tree.functions))


def _parameters(function: Function) -> int:
    named = [one.arg for one in (*function.args.posonlyargs, *function.args.args, *function.args.kwonlyargs)]
    return len([name for name in named if name not in ("self", "cls")])


def fullest_folder(tree: Tree) -> str:
    """Modules in the folder that has most."""
    folders = Counter(path.parent for path in tree.files if path.name != "__init__.py")
    folder, count = folders.most_common(1)[0]
    return f"{count} (`service/{'' if folder == Path() else folder}`)"


def bare_words(tree: Tree, words: frozenset[str]) -> str:
    """Words of closed sets that are compared as plain strings."""
    return str(sum(word in words for module in tree.parsed.values() for word in _compared(module)))


def _compared(module: ast.Module) -> Iterator[str]:
    for node in ast.walk(module):
        if isinstance(node, ast.Compare):
            sides = [node.left, *node.comparators]
        elif isinstance(node, ast.MatchValue):
            sides = [node.value]
        elif isinstance(node, ast.Call) and getattr(node.func, "attr", "") in ("in_", "not_in"):
            sides = node.args
        else:
            continue
        for side in sides:
            yield from _strings(side)


def bare_words_in_templates(tree: Tree, words: frozenset[str]) -> str:
    """The same in the pages' HTML."""
    compared = [word for text in tree.templates for found in IN_TEMPLATE.findall(text) for word in _quoted(found)]
    return str(sum(word in words for word in compared))


def _quoted(text: str) -> list[str]:
    return re.findall(r"""["']([a-z_]+)["']""", text)


def untyped(tree: Tree) -> str:
    """Public functions below pages and API that take or give a `dict[str, Any]`."""
    rooms = {path: module for path, module in tree.parsed.items() if path.parts[0] not in ("web", "api")}
    return str(sum(bool(UNTYPED.search(_signature(one))) for module in rooms.values() for one in _public(module)))


def _public(module: ast.Module | ast.ClassDef) -> Iterator[Function]:
    for node in module.body:
        if isinstance(node, Function | ast.ClassDef) and node.name.startswith("_"):
            continue
        if isinstance(node, Function):
            yield node
        elif isinstance(node, ast.ClassDef):
            yield from _public(node)


def _signature(function: Function) -> str:
    returned = ast.unparse(function.returns) if function.returns else ""
    return f"{ast.unparse(function.args)} -> {returned}"


def doubles(tree: Tree) -> str:
    """Pairs of places with so many equal lines of code; imports, comments and docstrings are none."""
    places: dict[tuple[str, ...], list[tuple[Path, int]]] = defaultdict(list)
    for path, module in tree.parsed.items():
        code = list(_code(tree.files[path], module))
        for start in range(len(code) - DOUBLE + 1):
            places[tuple(code[start : start + DOUBLE])].append((path, start))
    pairs = {pair for found in places.values() for pair in combinations(found, 2)}
    before = [((one, at - 1), (other, there - 1)) for (one, at), (other, there) in pairs]
    return str(sum(pair not in pairs for pair in before))


def _code(text: str, module: ast.Module) -> Iterator[str]:
    dropped: set[int] = set()
    for node in ast.walk(module):
        is_text = isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)
        if isinstance(node, ast.stmt) and (is_text or isinstance(node, ast.Import | ast.ImportFrom)):
            dropped.update(range(node.lineno, (node.end_lineno or 0) + 1))
    for number, line in enumerate(text.splitlines(), 1):
        if number not in dropped and line.strip() and not line.lstrip().startswith("#"):
            yield line.strip()


def booking(tree: Tree) -> str:
    """Functions and files below `service/` that one booking by a patient passes, once everything is warm."""
    with TemporaryDirectory(prefix="rounds-structure-") as folder:
        command = [sys.executable, "-c", WALK, folder]
        walked = subprocess.run(command, cwd=tree.folder, capture_output=True, text=True, check=False)
    if walked.returncode:
        sys.exit(walked.stderr)
    return walked.stdout.strip().splitlines()[-1]


WALK = """
import re, subprocess, sys
from datetime import date, timedelta
from pathlib import Path
from service.app import create_app
from service.wiring import connect
try:
    from service.config.settings import load
except ImportError:  # where the first version kept them
    from service.settings import load

config = Path(sys.argv[1]) / "config.toml"
config.write_text("[booking]\\nmax_open = 50\\n")
made = "--doctors 1 --patients 3 --appointments 40 --seed 1 --password".split()
subprocess.run([sys.executable, "run.py", "demo", "--config", config, *made, "quiet rivers run deep"],
               check=True, capture_output=True)
client = create_app(connect(load(config), "structure")).test_client()

def post(page, path, **form):
    token = re.search(r'name="csrf_token" value="([^"]+)"', client.get(page).text)[1]
    return lambda: client.post(path, data={"csrf_token": token, **form})

sign_in = post("/sign-in", "/sign-in", email="patient1@demo.example", password="quiet rivers run deep")
assert sign_in().status_code == 303
free, day = [], date.today()
while len(free) < 2:
    day += timedelta(days=1)
    page = client.get(f"/appointments/new?doctor_id=1&date={day}").text
    free = sorted(set(re.findall(r'name="starts_at"[^>]*value="([^"]+)"', page)))[::4][:2]
seen, root = set(), str(Path("service").resolve())

def look(frame, event, _argument):
    code = frame.f_code
    if event == "call" and code.co_filename.startswith(root) and code.co_filename.endswith(".py"):
        seen.add((code.co_filename, code.co_firstlineno, code.co_name))

for starts_at in free:
    book = post("/appointments", "/appointments", doctor_id=1, starts_at=starts_at, reason="a look")
    seen.clear()
    sys.setprofile(look)
    answer = book()
    sys.setprofile(None)
    assert answer.status_code == 303
named = {one for one in seen if not one[2].startswith("<")}
print(f"{len(named)} in {len({one[0] for one in named})} files")
"""


def rows(words: frozenset[str]) -> Mapping[str, Callable[[Tree], str]]:
    """What is counted, by what the table calls it."""
    return {
        "modules": files,
        "lines": lines,
        "functions": functions,
        f"functions over {LONG} lines": long_functions,
        f"functions over {MANY} parameters": many_parameters,
        "most modules in one folder": fullest_folder,
        "words of closed sets compared as strings": lambda tree: bare_words(tree, words),
        "the same in templates": lambda tree: bare_words_in_templates(tree, words),
        "public functions with a `dict[str, Any]`": untyped,
        f"pairs of {DOUBLE} or more equal lines": doubles,
        "functions one booking passes": booking,
    }


def main(revisions: Sequence[str]) -> None:
    """Print the table, a column for each commit and the last for the tree at hand."""
    with TemporaryDirectory(prefix="rounds-structure-") as folder:
        trees = {revision: _checked_out(revision, Path(folder)) for revision in revisions}
        trees["here"] = Tree(ROOT)
        words = frozenset[str]().union(*(tree.closed_sets for tree in trees.values()))
        print(f"| | {' | '.join(trees)} |\n|---|{'---|' * len(trees)}")
        for name, count in rows(words).items():
            print(f"| {name} | {' | '.join(count(tree) for tree in trees.values())} |", flush=True)


def _checked_out(revision: str, folder: Path) -> Tree:
    archive = subprocess.run(["git", "archive", revision], cwd=ROOT, capture_output=True, check=True).stdout
    with tarfile.open(fileobj=io.BytesIO(archive)) as packed:
        packed.extractall(folder / revision, filter="data")
    return Tree(folder / revision)


if __name__ == "__main__":
    main(sys.argv[1:])
