"""The API's description: OpenAPI for programs and a page for people. Public, because it holds no data."""

import json
from collections.abc import Iterator, Mapping
from typing import Any

from flask import Blueprint, Response, render_template
from flask.typing import ResponseReturnValue

from service.api import description
from service.api.contract import JSON

blueprint = Blueprint("guide", __name__, url_prefix="/api")


@blueprint.get("/openapi.json")
def document() -> ResponseReturnValue:
    """OpenAPI 3.1."""
    return Response(json.dumps(description.present(), ensure_ascii=False), mimetype=JSON)


@blueprint.get("/docs")
def page() -> ResponseReturnValue:
    """The same to read: every route, what it takes and what it answers."""
    said = description.present()
    operations = list(_operations(said))
    return render_template(
        "api/docs.html",
        about=said["info"]["description"].split("\n\n"),
        version=said["info"]["version"],
        tags=[(tag["name"], [one for one in operations if one["tag"] == tag["name"]]) for tag in said["tags"]],
        schemas=[
            (name, " ".join(schema.get("description", "").split()), list(_fields(schema)))
            for name, schema in sorted(said["components"]["schemas"].items())
        ],
    )


def _operations(said: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    for path, methods in said["paths"].items():
        for method, one in methods.items():
            body = one.get("requestBody", {}).get("content", {}).get(JSON, {}).get("schema", {})
            yield {
                **one,
                "path": path,
                "method": method.upper(),
                "tag": one["tags"][0],
                "scope": one["security"][0]["bearer"][0],
                "parameters": [_parameter(said, parameter) for parameter in one["parameters"]],
                "body": _name_of(body),
                "answers": [(status, *_answer(said, answer)) for status, answer in one["responses"].items()],
            }


def _parameter(said: Mapping[str, Any], parameter: Mapping[str, Any]) -> Mapping[str, Any]:
    found = _found(said, parameter)
    return {"description": "", **found, "kind": _kind(found["schema"])}


def _answer(said: Mapping[str, Any], answer: Mapping[str, Any]) -> tuple[str, str]:
    """What an answer means, and the name of what it holds."""
    found = _found(said, answer)
    media = found.get("content", {}).get(JSON, {})
    return found["description"], _name_of(media.get("schema", {}))


def _fields(schema: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    for name, described in schema.get("properties", {}).items():
        meanings = [
            described.get("description", ""),
            *(one.get("description", "") for one in described.get("anyOf", [])),
        ]
        yield {
            "name": name,
            "kind": _kind(described),
            "required": name in schema.get("required", []),
            "meaning": next(filter(None, meanings), ""),
        }


def _kind(schema: Mapping[str, Any]) -> str:
    """A type in words: `integer`, `date-time or null`, `list of Appointment`."""
    if "anyOf" in schema:
        return " or ".join(_kind(one) for one in schema["anyOf"])
    if "$ref" in schema:
        return _name_of(schema)
    if "enum" in schema:
        return " | ".join(map(str, schema["enum"]))
    if "const" in schema:
        return str(schema["const"])
    if schema.get("type") == "array":
        return f"list of {_kind(schema['items'])}"
    return str(schema.get("format") or schema.get("type") or "anything")


def _name_of(schema: Mapping[str, Any]) -> str:
    return str(schema.get("$ref", "")).rpartition("/")[2]


def _found(said: Mapping[str, Any], part: Mapping[str, Any]) -> Mapping[str, Any]:
    """A part of the description, looked up where it only says which one."""
    if "$ref" not in part:
        return part
    found: Any = said
    for step in part["$ref"].removeprefix("#/").split("/"):
        found = found[step]
    assert isinstance(found, Mapping)
    return found
