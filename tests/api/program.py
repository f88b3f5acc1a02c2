"""Another program that calls the API: each answer it gets is held against the description."""

import json
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import jsonschema_rs
from flask import Flask
from sqlalchemy import select
from werkzeug.exceptions import HTTPException
from werkzeug.test import TestResponse

from service.api import description
from service.domain.accounts import api_tokens
from service.domain.foundation.actor import SYSTEM
from service.storage.models import User
from tests.house import House
from tests.web.frozen_clinic import email

ALL = ("read", "book", "clinical")


def token_of(house: House, who: str, scopes: tuple[str, ...] = ALL, days: int | None = 30) -> str:
    """A fresh token of one of the clinic's people."""
    with house.writing() as session:
        user = session.scalars(select(User).where(User.email == email(who))).one()
        return api_tokens.make(session, SYSTEM, user, label="Web site", scopes=scopes, days=days)


@dataclass
class Program:
    """Calls with one token, or with none."""

    app: Flask
    token: str | None = None
    headers: dict[str, str] = field(default_factory=dict)

    @cached_property
    def checker(self) -> "Checker":
        return Checker(self.app)

    def ask(self, method: str, path: str, **more: Any) -> TestResponse:
        """Any request below /api/v1; the answer is checked."""
        headers = {**self.headers, **more.pop("headers", {})}
        if self.token is not None:
            headers.setdefault("Authorization", f"Bearer {self.token}")
        answer = self.app.test_client().open(f"/api/v1{path}", method=method, headers=headers, buffered=True, **more)
        self.checker.check(method, path, answer)
        return answer

    def get(self, path: str, **more: Any) -> TestResponse:
        return self.ask("GET", path, **more)

    def post(self, path: str, body: Any = None, key: str | None = None, **more: Any) -> TestResponse:
        headers = {} if key is None else {"Idempotency-Key": key}
        return self.ask("POST", path, json=body, headers=headers, **more)

    def put(self, path: str, body: Any) -> TestResponse:
        return self.ask("PUT", path, json=body)


class Checker:
    """Knows whether an answer is one that the description tells of."""

    def __init__(self, app: Flask) -> None:
        with app.app_context():
            self._said = json.loads(json.dumps(description.present()))
        self._app = app

    def operation(self, method: str, path: str) -> dict[str, Any] | None:
        """What is said of a route; None where there is no such route."""
        adapter = self._app.url_map.bind("localhost")
        try:
            rule, _ids = adapter.match(f"/api/v1{path.partition('?')[0]}", method=method, return_rule=True)
        except HTTPException:
            return None
        for one in self._said["paths"].values():
            for verb, operation in one.items():
                if (verb.upper(), operation["operationId"]) == (method, name_of(rule.endpoint)):
                    return dict(operation)
        return None

    def check(self, method: str, path: str, answer: TestResponse) -> None:
        """The status, the kind, the body and the headers are as described."""
        assert answer.headers["Cache-Control"] == "no-store"
        assert "Set-Cookie" not in answer.headers
        operation = self.operation(method, path)
        if operation is None:
            assert answer.status_code in (404, 405) or method in ("HEAD", "OPTIONS")
            self._fits({"$ref": "#/components/schemas/Problem"}, answer)
            return
        assert str(answer.status_code) in operation["responses"], (method, path, answer.status_code)
        said = self._found(operation["responses"][str(answer.status_code)])
        for name, header in said.get("headers", {}).items():
            assert name in answer.headers or not header["required"], name
        if "content" in said:
            assert answer.mimetype in said["content"], answer.mimetype
            schema = said["content"][answer.mimetype].get("schema")
            if schema is not None:
                self._fits(schema, answer)

    def _fits(self, schema: dict[str, Any], answer: TestResponse) -> None:
        if answer.data:
            whole = {**schema, "components": self._said["components"]}
            jsonschema_rs.validator_for(whole, validate_formats=True).validate(json.loads(answer.data))

    def _found(self, part: dict[str, Any]) -> dict[str, Any]:
        if "$ref" not in part:
            return part
        found: Any = self._said
        for step in part["$ref"].removeprefix("#/").split("/"):
            found = found[step]
        return dict(found)


def name_of(endpoint: str) -> str:
    """The name of an endpoint in the description."""
    return endpoint.removeprefix("api.").replace(".", "_")
