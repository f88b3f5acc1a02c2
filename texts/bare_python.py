"""Find texts in Python that cannot be translated: refusals without gettext, and gettext at import."""

import ast
from collections.abc import Iterator

_AT_ONCE = frozenset({"_", "gettext", "ngettext", "pgettext", "npgettext"})
_REFUSALS = frozenset({"NotFound", "Forbidden", "Invalid", "Conflict", "Gone", "Throttled"})


def find(source: str) -> Iterator[tuple[int, str]]:
    """Line and fault of each."""
    finder = _Finder()
    finder.visit(ast.parse(source))
    yield from finder.faults


class _Finder(ast.NodeVisitor):
    def __init__(self) -> None:
        self.faults: list[tuple[int, str]] = []
        self._functions = 0

    def visit_FunctionDef(self, node: ast.FunctionDef | ast.AsyncFunctionDef) -> None:
        for part in (*node.decorator_list, node.args):
            self.visit(part)
        self._functions += 1
        for statement in node.body:
            self.visit(statement)
        self._functions -= 1

    def visit_Lambda(self, node: ast.Lambda) -> None:
        self._functions += 1
        self.generic_visit(node)
        self._functions -= 1

    def visit_Call(self, node: ast.Call) -> None:
        called = node.func.id if isinstance(node.func, ast.Name) else ""
        first = node.args[0] if node.args else None
        if called in _AT_ONCE and not self._functions:
            self.faults.append((node.lineno, f"{called}() at import always gives English: use _l()."))
        if called in _AT_ONCE | {"_l"} and not _is_text(first):
            self.faults.append((node.lineno, f"{called}() takes a text as it is written, nothing put together."))
        if called in _REFUSALS and (_is_text(first) or isinstance(first, ast.JoinedStr)):
            self.faults.append((node.lineno, f"{called}() is shown to people: its text belongs into _()."))
        self.generic_visit(node)


def _is_text(node: ast.AST | None) -> bool:
    return isinstance(node, ast.Constant) and isinstance(node.value, str)
