"""What thousands of small clinics in one process need not do again: compile the same SQL, the same addresses.

Each test has a database, an engine and an app of its own; only what is the same in all of them is kept here. Processes
that tests start do everything themselves.
"""

from collections.abc import Callable
from typing import Any

from argon2 import PasswordHasher
from sqlalchemy import Engine, create_engine
from sqlalchemy.engine.interfaces import Dialect
from werkzeug.routing import Rule

from service.domain.accounts import passwords
from service.storage import database, postgresql

_dialects: dict[str, Dialect] = {}
_statements: dict[str, Any] = {}
_builders: dict[tuple[object, ...], Callable[..., tuple[str, str]]] = {}
_create_engine, _compile_builder = create_engine, Rule._compile_builder


def engine(*args: Any, **more: Any) -> Engine:
    """A new engine that knows the statements of those before it: they are kept by dialect."""
    made = _create_engine(*args, **more)
    name = made.dialect.name
    made.dialect = made.pool._dialect = _dialects.setdefault(name, made.dialect)
    made._compiled_cache = _statements.setdefault(name, made._compiled_cache)
    return made


def builder(rule: Rule, append_unknown: bool = True) -> Callable[..., tuple[str, str]]:
    """How an address is written, which is the same in each app."""
    key = (rule.rule, tuple(rule._trace), append_unknown, repr(rule.defaults))
    if key not in _builders:
        _builders[key] = _compile_builder(rule, append_unknown)
    return _builders[key]


def keep() -> None:
    """Keep what is the same from one clinic to the next; passwords are hashed as little as argon2 allows."""
    for place, name, kept in (
        (database, "create_engine", engine),
        (postgresql, "create_engine", engine),
        (Rule, "_compile_builder", builder),
    ):
        setattr(place, name, kept)
    passwords._hasher = PasswordHasher(time_cost=1, memory_cost=8, parallelism=1)
