"""The one shape of an error under /api: problem details (RFC 9457), a sentence for a person, never a row's data."""

import json
from collections.abc import Mapping
from http import HTTPStatus
from typing import Any

from flask import Response

from service.domain.errors import DomainError

MEDIA_TYPE = "application/problem+json"


class Refused(DomainError):
    """A request that is not as the description says; `status` is 400, 415 or 422, `errors` name what is wrong."""

    def __init__(self, status: int, sentence: str, errors: list[dict[str, str]] | None = None) -> None:
        super().__init__(sentence)
        self.status = status
        self.errors = errors or []


def answer(
    status: int, detail: str, headers: Mapping[str, str] | None = None, **more: Any
) -> tuple[Response, int, Mapping[str, str]]:
    """A problem as a response; what is empty of `more` is left out."""
    body = {"type": "about:blank", "title": HTTPStatus(status).phrase, "status": status, "detail": detail}
    body |= {name: value for name, value in more.items() if value}
    return Response(json.dumps(body, ensure_ascii=False), mimetype=MEDIA_TYPE), status, headers or {}
