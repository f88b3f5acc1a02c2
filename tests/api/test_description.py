"""The description is true: whole, valid OpenAPI 3.1, about every route; each answer of these tests fits it."""

import json
import re
from typing import Any

import jsonschema_rs
import pytest

from service import __version__
from service.api import access, contract
from tests.api.program import Checker, Program, name_of
from tests.api.routes import API
from tests.house import House
from tests.web.frozen_clinic import Clinic


@pytest.fixture
def said(house: House) -> dict[str, Any]:
    """The document as a program gets it: without a token."""
    answer = house.app.test_client().get("/api/openapi.json")
    assert (answer.status_code, answer.mimetype) == (200, "application/json")
    return dict(json.loads(answer.data))


def operations(said: dict[str, Any]) -> dict[str, dict[str, Any]]:
    return {one["operationId"]: one for methods in said["paths"].values() for one in methods.values()}


def test_every_route_is_described_and_nothing_else(said: dict[str, Any]) -> None:
    assert operations(said).keys() == {name_of(endpoint) for endpoint in access.ACCESS}
    assert (said["openapi"], said["info"]["version"]) == ("3.1.1", __version__)


@pytest.mark.parametrize("endpoint", sorted(API))
def test_each_says_who_may_do_what(said: dict[str, Any], endpoint: str) -> None:
    roles, scope = access.ACCESS[endpoint]
    one = operations(said)[name_of(endpoint)]
    assert (one["x-roles"], one["security"]) == (sorted(roles), [{"bearer": [scope]}])
    assert one["summary"].endswith(".")
    for status in ("400", "401", "403", "422", "429", "503"):
        assert status in one["responses"]


def test_each_schema_is_one_and_is_used(said: dict[str, Any]) -> None:
    text = json.dumps(said)
    for name, schema in said["components"]["schemas"].items():
        jsonschema_rs.validator_for({**schema, "components": said["components"]})
        assert schema["additionalProperties"] is False
        assert f'"#/components/schemas/{name}"' in text, name
    for target in set(re.findall(r'"\$ref": "#/([^"]+)"', text)):
        found = said
        for step in target.split("/"):
            found = found[step]


def test_every_parameter_of_an_address_is_described(said: dict[str, Any]) -> None:
    for path, methods in said["paths"].items():
        for one in methods.values():
            named = {parameter["name"] for parameter in one["parameters"] if parameter.get("in") == "path"}
            assert named == set(re.findall(r"{(\w+)}", path)), path


def test_every_view_has_its_contract(house: House) -> None:
    for endpoint in access.ACCESS:
        assert contract.of(house.app.view_functions[endpoint]) is not None, endpoint


def test_an_answer_that_is_not_described_is_seen(clinic: Clinic) -> None:
    checker = Checker(clinic.house.app)
    answer = Program(clinic.house.app).get("/doctors")
    answer.status_code = 418
    with pytest.raises(AssertionError, match="418"):
        checker.check("GET", "/doctors", answer)
    answer.status_code = 401
    answer.data = b'{"type": "about:blank", "title": "x", "status": 401, "detail": "y", "more": 1}'
    with pytest.raises(jsonschema_rs.ValidationError):
        checker.check("GET", "/doctors", answer)


def test_the_page_shows_every_route_and_every_body(house: House, said: dict[str, Any]) -> None:
    page = house.app.test_client().get("/api/docs").get_data(as_text=True)
    for path in said["paths"]:
        assert f"<code>{path}</code>" in page
    for name in (*operations(said), *(f"body-{name}" for name in said["components"]["schemas"])):
        assert f'id="{name}"' in page
    for target in re.findall(r'href="#([^"]+)"', page):
        assert f'id="{target}"' in page, target
