"""Errors under /api: problem details (RFC 9457) with one sentence for people, and never a row's data."""

from collections.abc import Mapping, Sequence
from http import HTTPStatus

from flask import Response
from flask.typing import ResponseReturnValue
from pydantic import Field

from service.api.diary.bodies import FreeTime
from service.api.fields import Shown
from service.domain.foundation.errors import DomainError

MEDIA_TYPE = "application/problem+json"


class FieldProblem(Shown):
    """What is wrong with one of the things that were sent."""

    field: str
    detail: str


class Problem(Shown):
    """Problem details (RFC 9457)."""

    type: str = Field(description="Always `about:blank`: the status says what kind of problem it is.")
    title: str
    status: int
    detail: str = Field(description="A sentence for a person.")
    errors: list[FieldProblem] = Field([], description="Which fields are meant, with 422.")
    free_times: list[FreeTime] = Field([], description="The nearest free times, where the one wished for is taken.")


class Refused(DomainError):
    """A request that is not as the description says; `status` is 400, 415 or 422, `errors` name what is wrong."""

    def __init__(self, status: int, sentence: str, errors: Sequence[FieldProblem] = ()) -> None:
        super().__init__(sentence)
        self.status = status
        self.errors = errors


def answer(
    status: int,
    detail: str,
    headers: Mapping[str, str] | None = None,
    *,
    errors: Sequence[FieldProblem] = (),
    free_times: Sequence[FreeTime] = (),
) -> ResponseReturnValue:
    """A problem as a response."""
    body = Problem(
        type="about:blank",
        title=HTTPStatus(status).phrase,
        status=status,
        detail=detail,
        errors=list(errors),
        free_times=list(free_times),
    )
    return Response(body.model_dump_json(exclude_defaults=True), mimetype=MEDIA_TYPE), status, dict(headers or {})


def of_field(name: str, detail: str) -> FieldProblem:
    """What is wrong with a field; never what was sent in it."""
    return FieldProblem(field=name[:100], detail=detail)
