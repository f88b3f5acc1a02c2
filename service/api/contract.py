"""Each route's contract, defined once: it validates the request, builds the response, and feeds the description."""

import hashlib
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import wraps
from typing import Any, TypeVar

from flask import Response, g, request
from flask.typing import ResponseReturnValue
from pydantic import BaseModel, ValidationError

from service.api.problems import Refused, of_field
from service.domain.foundation import idempotency
from service.domain.foundation.idempotency import Kept
from service.http import bearers, context
from service.language.translation import gettext as _

JSON = "application/json"
KEY = "Idempotency-Key"
LONGEST_KEY = 100
_fit_key = re.compile(rf"[!-~]{{1,{LONGEST_KEY}}}").fullmatch
FILE = "file"
"""In the place of a model: the answer is a file."""
Sent = TypeVar("Sent", bound=BaseModel)


@dataclass(frozen=True)
class Answer:
    """What a view answers with: the model, and for something made where it is."""

    body: BaseModel
    status: int = 200
    location: str | None = None
    then: Callable[[], None] | None = None
    """What is to be done once it is committed."""


@dataclass(frozen=True)
class Contract:
    """One route as the description tells it."""

    answers: Mapping[int, type[BaseModel] | str]
    query: type[BaseModel] | None = None
    body: type[BaseModel] | None = None
    problems: tuple[int, ...] = ()
    """Statuses of its own besides those that every route of its kind may have."""

    @property
    def body_is_optional(self) -> bool:
        """Whether nothing has to be sent."""
        return self.body is not None and not any(one.is_required() for one in self.body.model_fields.values())


View = Callable[..., Answer | Response]
CONTRACT = "contract"
"""Where a view carries its contract."""


def reads(
    answer: type[BaseModel] | str, *, query: type[BaseModel] | None = None, problems: tuple[int, ...] = ()
) -> Callable[[View], Callable[..., ResponseReturnValue]]:
    """A view that shows something: it gets its query as `query`."""
    contract = Contract({200: answer}, query=query, problems=problems)

    def wrap(view: View) -> Callable[..., ResponseReturnValue]:
        @wraps(view)
        def run(**ids: Any) -> ResponseReturnValue:
            asked = _query(query)
            return _sent(view(**ids, **asked))

        return _carrying(run, contract)

    return wrap


def changes(
    answer: type[BaseModel], *, status: int = 200, body: type[BaseModel], problems: tuple[int, ...] = (409,)
) -> Callable[[View], Callable[..., ResponseReturnValue]]:
    """A view that does something, in one transaction (context.writing()): it gets what was sent as `body`.

    The same Idempotency-Key again gets the same answer and does nothing.
    """
    contract = Contract({status: answer}, body=body, problems=problems)

    def wrap(view: View) -> Callable[..., ResponseReturnValue]:
        @wraps(view)
        def run(**ids: Any) -> ResponseReturnValue:
            _query(None)
            sent = g.sent_body = _body(body, optional=contract.body_is_optional)
            with context.transaction_around() as session:
                key = _key()
                before = idempotency.find(session, *key) if key else None
                if before is not None:
                    return _written(before)
                answer = view(**ids, body=sent)
                assert isinstance(answer, Answer)
                kept = _kept(answer)
                if key:
                    idempotency.keep(session, *key, kept)
            if answer.then is not None:
                answer.then()
            return _written(kept)

        return _carrying(run, contract)

    return wrap


def sent_body() -> Any:
    """What was sent, for those who answer a refusal."""
    return g.sent_body


def of(view: Callable[..., Any]) -> Contract | None:
    """The contract a view carries."""
    return getattr(view, CONTRACT, None)


def _carrying(view: Callable[..., ResponseReturnValue], contract: Contract) -> Callable[..., ResponseReturnValue]:
    setattr(view, CONTRACT, contract)
    return view


def _query(model: type[BaseModel] | None) -> dict[str, BaseModel]:
    """The query of the address, checked. Raises Refused, also for what the route does not know."""
    if model is None:
        if request.args:
            raise Refused(
                422, _("This address doesn't take a query."), [of_field(name, _("unknown")) for name in request.args]
            )
        return {}
    doubled = [name for name, values in request.args.lists() if len(values) > 1]
    if doubled:
        raise Refused(422, _("Send each field once."), [of_field(name, _("sent twice")) for name in doubled])
    try:
        return {"query": model.model_validate_strings(request.args.to_dict(), strict=True)}
    except ValidationError as error:
        raise _unfit(error) from None


def _body(model: type[Sent], *, optional: bool) -> Sent:
    """Return the validated body. Raises Refused: 415 unless it's JSON, 400 for broken JSON, 422 for invalid values."""
    data = request.get_data()
    if not data and optional:
        return model()
    if request.mimetype != JSON:
        raise Refused(415, _("Send JSON, with Content-Type: application/json."))
    try:
        return model.model_validate_json(data, strict=True)
    except ValidationError as error:
        if any(one["type"] == "json_invalid" for one in error.errors(include_input=False, include_context=False)):
            raise Refused(400, _("This isn't JSON in UTF-8.")) from None
        raise _unfit(error) from None


def _unfit(error: ValidationError) -> Refused:
    """What is wrong, field by field, without what was sent."""
    found = error.errors(include_url=False, include_context=False, include_input=False)
    errors = [of_field(".".join(map(str, one["loc"])), one["msg"].removeprefix("Value error, ")) for one in found[:20]]
    return Refused(422, _("Something in it doesn't match the description."), errors)


def _key() -> tuple[int, str, str] | None:
    """Whose key this request has, the key, and the hash of what it asks. Raises Refused for one that is too long."""
    key = request.headers.get(KEY)
    if key is None or request.method != "POST":
        return None
    if not _fit_key(key):
        sentence = _("An Idempotency-Key has 1 to 100 printable ASCII characters and no spaces.")
        raise Refused(422, sentence, [of_field(KEY, sentence)])
    asked = hashlib.sha256(f"{request.path}\n".encode() + request.get_data()).hexdigest()
    return bearers.caller().token_id, key, asked


def _written(kept: Kept) -> Response:
    answer = Response(kept.body, kept.status, mimetype=JSON)
    if kept.location is not None:
        answer.headers["Location"] = kept.location
    return answer


def _sent(answer: Answer | Response) -> ResponseReturnValue:
    if isinstance(answer, Response):
        return answer
    return _written(_kept(answer))


def _kept(answer: Answer) -> Kept:
    return Kept(answer.status, answer.location, answer.body.model_dump_json(exclude_unset=True))
