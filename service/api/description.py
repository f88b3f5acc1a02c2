"""The OpenAPI 3.1 description, built on first request from the routes, their contracts, and access.py."""

import re
from collections.abc import Iterable, Iterator
from inspect import cleandoc
from typing import Any, cast

from flask import Flask, current_app
from pydantic import BaseModel
from pydantic.json_schema import GenerateJsonSchema, JsonSchemaMode, models_json_schema
from werkzeug.routing import Rule

from service import __version__
from service.api import access, contract, problems
from service.api.contract import FILE, JSON, KEY, LONGEST_KEY, Contract
from service.api.problems import Problem
from service.domain.exports.export_formats import FORMATS
from service.storage.models import ExportFormat

KEPT = "rounds api description"
REF = "#/components/schemas/{model}"
ALWAYS = (400, 401, 403, 422, 429, 503)
WITH_BODY = (413, 415)
IDS = {
    "row_id": {"type": "integer", "minimum": 1, "maximum": 2**63 - 1, "examples": [1]},
    "export_id": {"type": "string", "pattern": "^[0-9a-f]{32}$"},
}
WORDS = {
    304: "You have this version already.",
    400: "The request could not be read, or asks for another host.",
    401: "No token, or one that opens nothing.",
    403: "The user of the token, or its scopes, may not do this.",
    404: "It does not exist, or it is not the user's to see: the two are never told apart.",
    409: "Taken, changed meanwhile, or in another state.",
    410: "It was here and has expired.",
    413: "More than 1 MiB.",
    415: "Not JSON.",
    416: "There is no such part of the file.",
    422: "Something in it cannot be accepted; `errors` names it.",
    429: "Too much at once, or too many wrong tokens.",
    503: "Busy for a moment; nothing was changed.",
}
RETRY_AFTER = {"description": "Seconds to wait.", "required": True, "schema": {"type": "string", "pattern": "^[0-9]+$"}}
HEADERS = {
    401: {"WWW-Authenticate": {"required": True, "schema": {"const": "Bearer"}}},
    429: {"Retry-After": RETRY_AFTER},
    503: {"Retry-After": {**RETRY_AFTER, "required": False}},
}
KEY_PARAMETER = {
    "name": KEY,
    "in": "header",
    "required": False,
    "description": "The same key again within a day: the same answer, and nothing is done twice.",
    "schema": {"type": "string", "minLength": 1, "maxLength": LONGEST_KEY, "pattern": "^[!-~]+$"},
}
ABOUT = cleandoc(
    """
    What the pages of Rounds do, for other programs. A token acts as its user, within its scopes.

    Times are ISO 8601 with an offset. Lists come in pages: ask on with `after` set to `next` until that is null.
    `version` in a body is the version you read; once there is another one the answer is 409. Fields and queries that
    are not described are refused. Every error has the one shape of RFC 9457, application/problem+json.
    """
)


class Plain(GenerateJsonSchema):
    """Schemas without titles that only repeat the name."""

    def field_title_should_be_set(self, schema: Any) -> bool:
        """Never."""
        return False


def document(app: Flask) -> dict[str, Any]:
    """The whole description."""
    routes = [(rule, view) for rule, view in _routes(app) if contract.of(view) is not None]
    contracts = [found for _rule, view in routes if (found := contract.of(view)) is not None]
    paths: dict[str, dict[str, Any]] = {}
    for rule, view in routes:
        (method,) = (rule.methods or set()) - {"HEAD", "OPTIONS"}
        path = re.sub(r"<\w+:(\w+)>", r"{\1}", rule.rule)
        paths.setdefault(path, {})[method.lower()] = _operation(rule, view, method)
    statuses = sorted({status for one in contracts for status in one.problems} | {*ALWAYS, *WITH_BODY, 404, 409})
    return {
        "openapi": "3.1.1",
        "info": {"title": "Rounds", "version": __version__, "description": ABOUT},
        "servers": [{"url": "/"}],
        "security": [{"bearer": []}],
        "tags": [{"name": name} for name in sorted({_tag(rule) for rule, _view in routes})],
        "paths": dict(sorted(paths.items())),
        "components": {
            "schemas": _schemas(contracts),
            "responses": {_name(status): _problem(status) for status in statuses if status >= 400},
            "parameters": {KEY: KEY_PARAMETER},
            "securitySchemes": {"bearer": {"type": "http", "scheme": "bearer"}},
        },
    }


def present() -> dict[str, Any]:
    """The description of the running application, kept once it is made."""
    kept = current_app.extensions.get(KEPT)
    if kept is None:
        kept = current_app.extensions[KEPT] = document(current_app)
    return cast(dict[str, Any], kept)


def _routes(app: Flask) -> Iterator[tuple[Rule, Any]]:
    for rule in app.url_map.iter_rules():
        if rule.endpoint in access.ACCESS:
            yield rule, app.view_functions[rule.endpoint]


def _operation(rule: Rule, view: Any, method: str) -> dict[str, Any]:
    said = contract.of(view)
    assert said is not None
    roles, scope = access.ACCESS[rule.endpoint]
    summary, _blank, more = cleandoc(view.__doc__).partition("\n\n")
    parameters: list[dict[str, Any]] = [
        {"name": name, "in": "path", "required": True, "schema": IDS[kind]}
        for kind, name in re.findall(r"<(\w+):(\w+)>", rule.rule)
    ]
    parameters += _query(said.query) if said.query else []
    if method == "POST":
        parameters.append({"$ref": f"#/components/parameters/{KEY}"})
    operation = {
        "operationId": rule.endpoint.removeprefix("api.").replace(".", "_"),
        "tags": [_tag(rule)],
        "summary": " ".join(summary.split()),
        "description": " ".join(more.split()),
        "security": [{"bearer": [scope]}],
        "x-roles": sorted(roles),
        "parameters": parameters,
        "responses": _responses(rule, said),
    }
    if said.body is not None:
        schema = {"$ref": REF.format(model=said.body.__name__)}
        operation["requestBody"] = {"required": not said.body_is_optional, "content": {JSON: {"schema": schema}}}
    return operation


def _responses(rule: Rule, said: Contract) -> dict[str, Any]:
    found = {str(status): _success(status, model) for status, model in said.answers.items()}
    problems_of = {*ALWAYS, *said.problems, *(WITH_BODY if said.body else ()), *((404,) if rule.arguments else ())}
    for status in sorted(problems_of):
        if status >= 400:
            found[str(status)] = {"$ref": f"#/components/responses/{_name(status)}"}
        else:
            found[str(status)] = _success(status, FILE) if status == 206 else {"description": WORDS[status]}
    return found


def _success(status: int, model: type[BaseModel] | str) -> dict[str, Any]:
    if isinstance(model, str):
        media: dict[str, dict[str, Any]] = {FORMATS[one].media_type: {} for one in ExportFormat}
        return {"description": "The file, or a part of it.", "content": media}
    answer: dict[str, Any] = {
        "description": " ".join(cleandoc(model.__doc__ or "").split()) or model.__name__,
        "content": {JSON: {"schema": {"$ref": REF.format(model=model.__name__)}}},
    }
    if status == 201:
        where = {"type": "string", "format": "uri-reference"}
        answer["headers"] = {"Location": {"description": "Where it is.", "required": True, "schema": where}}
    return answer


def _problem(status: int) -> dict[str, Any]:
    schema = {"$ref": REF.format(model=Problem.__name__)}
    answer: dict[str, Any] = {"description": WORDS[status], "content": {problems.MEDIA_TYPE: {"schema": schema}}}
    if status in HEADERS:
        answer["headers"] = HEADERS[status]
    return answer


def _query(model: type[BaseModel]) -> Iterator[dict[str, Any]]:
    """Each field of a query as a parameter of its own."""
    schema = model.model_json_schema(mode="validation", schema_generator=Plain)
    for name, described in schema["properties"].items():
        parameter = {"name": name, "in": "query", "required": name in schema.get("required", [])}
        values = {key: value for key, value in described.items() if (key, value) != ("default", None)}
        parameter["description"] = values.pop("description", "")
        kinds = [kind for kind in values.pop("anyOf", []) if kind != {"type": "null"}]
        parameter["description"] = parameter["description"] or next((k.pop("description", "") for k in kinds), "")
        yield {**parameter, "schema": {**values, **(kinds[0] if kinds else {})}}


def _schemas(contracts: Iterable[Contract]) -> dict[str, Any]:
    """The schema of every body: what is sent as it is checked, what is shown as it is written."""
    wanted: dict[type[BaseModel], JsonSchemaMode] = {Problem: "serialization"}
    for one in contracts:
        wanted |= {model: "serialization" for model in one.answers.values() if not isinstance(model, str)}
        if one.body is not None:
            wanted[one.body] = "validation"
    _map, found = models_json_schema(list(wanted.items()), ref_template=REF, schema_generator=Plain)
    return {name: schema for name, schema in found["$defs"].items() if "enum" not in schema}  # words stand in fields


def _tag(rule: Rule) -> str:
    return str(rule.endpoint).split(".")[1]


def _name(status: int) -> str:
    return f"Problem{status}"
