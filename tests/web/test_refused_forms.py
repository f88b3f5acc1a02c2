"""What was typed is never lost: every form of every page, refused in every way, comes again with texts and choices."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import NoReturn

import pytest
from bs4 import BeautifulSoup, Tag
from flask.testing import FlaskClient
from sqlalchemy.exc import OperationalError
from werkzeug.datastructures import MultiDict
from werkzeug.test import TestResponse

from service.api import access as api_access
from service.domain.foundation import errors
from service.http import context, unsent_forms
from service.http.unsent_forms import SECRETS
from service.storage.models import UnsentForm
from service.web import typed
from tests.house import Browser
from tests.web.frozen_clinic import NOBODY, VISITORS, Clinic, minutes
from tests.web.pages import pages_of
from tests.web.reading import faults, parsed
from tests.web.routes import ROUTES

SECRET = "a secret nobody may see again"
SAMPLES = {"email": "typed@mail.example", "date": "2031-02-03", "time": "07:15", "number": "7", "password": SECRET}
REFUSALS = {
    409: errors.Conflict("Refused for this test."),
    422: errors.Invalid("Refused for this test."),
    429: errors.Throttled("Refused for this test.", 60),
    403: errors.Forbidden("Refused for this test."),
    410: errors.Gone("Refused for this test."),
    503: OperationalError("", {}, Exception("database is locked")),
    500: RuntimeError("Refused for this test."),
}
NO_TRANSACTION = frozenset({"imports.upload", "imports.step", "dashboard.refresh", "settings.save"})
"""What is refused by other means than the clinic's rows."""
CONFIRMED_ANEW = frozenset({"sure"})
"""Said of what was true before the refusal."""
OF_THE_PAGE = frozenset({"listed_for"})
"""Said by the page about itself, not by the person: another page says something else."""
NOT_ON_THESE_PAGES = {"addresses.settle_account", "addresses.settle_patient", "users.change_role"}
"""One choice each, on pages of accounts and addresses that this clinic's walk does not open."""


@dataclass(frozen=True)
class Filled:
    """A form of a page, as someone filled it in."""

    endpoint: str
    action: str
    fields: MultiDict[str, str]

    @property
    def texts(self) -> set[tuple[str, str]]:
        """What must not be lost: texts and choices, no secret and nothing that was sent empty."""
        given = self.fields.items(multi=True)
        kept_back = SECRETS | CONFIRMED_ANEW | {"csrf_token"}
        return {(name, value) for name, value in given if value and name not in kept_back}

    @property
    def is_typed(self) -> bool:
        """Whether a person filled anything in."""
        return unsent_forms.has_text(dict(self.texts_by_name()))

    def texts_by_name(self) -> Iterator[tuple[str, list[str]]]:
        for name, value in self.texts:
            yield name, [value]


def forms_of(clinic: Clinic, visitor: str) -> tuple[Browser, list[Filled]]:
    """Every form that changes something and has anything to fill in, once for each set of fields."""
    browser, found = clinic.browser(visitor), dict[tuple[str, frozenset[str]], Filled]()
    for path in pages_of(clinic, visitor):
        page = browser.get(path, buffered=True, follow_redirects=True)
        for form in parsed(page).select("form[method=post]"):
            action = str(form.get("action") or page.request.path).partition("#")[0]
            endpoint = clinic.house.app.url_map.bind("").match(action.partition("?")[0], "POST")[0]
            one = Filled(endpoint, action, filled(form))
            if one.is_typed:
                found.setdefault((endpoint, frozenset(one.fields)), one)
    return browser, list(found.values())


def filled(form: Tag) -> MultiDict[str, str]:
    """The fields as a browser sends them, with something in each, the last of several choices, and all boxes ticked."""
    fields = MultiDict[str, str]()
    for one in form.select("input[name], textarea[name], select[name]"):
        name, kind = str(one["name"]), str(one.get("type", "text"))
        if one.name == "select":
            chosen = [str(option.get("value", "")) for option in one.select("option")][-1:]
            fields.setlist(name, chosen)
        elif kind in ("hidden", "submit"):
            fields.add(name, str(one.get("value", "")))
        elif kind == "radio":
            fields[name] = str(one.get("value", "on"))
        elif kind == "checkbox":
            fields.add(name, str(one.get("value", "on")))
        elif kind != "file":
            fields[name] = SAMPLES.get(kind, f"Typed <{name}> & more")
    return fields


def held(page: BeautifulSoup) -> set[tuple[str, str]]:
    """What the forms of a page would send if their buttons were pressed."""
    inputs = [
        one for one in page.select("form[method=post] input[name]") if one.get("type") not in ("checkbox", "radio")
    ]
    inputs += page.select("form[method=post] input[checked]")
    sent = {(str(one["name"]), str(one.get("value", "on"))) for one in inputs}
    sent |= {
        (str(one["name"]), one.get_text().removeprefix("\r").removeprefix("\n"))
        for one in page.select("textarea[name]")
    }
    options = page.select("select[name] option[selected]")
    return sent | {(str(one.find_parent("select")["name"]), str(one.get("value"))) for one in options}  # type: ignore[index]


@contextmanager
def refusing(error: Exception) -> Iterator[None]:
    """Every transaction of a page ends in this error."""

    @contextmanager
    def refuse() -> Iterator[NoReturn]:
        raise error
        yield

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(context, "transaction", refuse)
        yield


def lost(answer_page: str, form: Filled, *, copied: bool) -> set[tuple[str, str]]:
    """Return what was typed and isn't shown again or, where it can only be copied, isn't readable."""
    page = parsed(answer_page)
    if copied:
        read = {one.get_text().removeprefix("\r").removeprefix("\n") for one in page.select("textarea[readonly]")}
        seen = {one for one in form.texts if not unsent_forms.is_unseen(one[0])}
        return {(name, value) for name, value in seen if value not in read} - held(page)
    return {(name, value) for name, value in form.texts - held(page) if name not in OF_THE_PAGE}


@pytest.mark.tour
@pytest.mark.parametrize("visitor", VISITORS)
def test_h11_a_refused_form_comes_again_with_all_that_was_typed(clinic: Clinic, visitor: str) -> None:
    browser, forms = forms_of(clinic, visitor)
    assert forms
    missing = {}
    for status, error in REFUSALS.items():
        for form in forms:
            with refusing(error):
                answer = browser.client.post(form.action, data=form.fields)
            text = answer.get_data(as_text=True)
            if answer.status_code < 400:
                assert form.endpoint in NO_TRANSACTION, form.endpoint
                continue
            copied = answer.status_code in (403, 404, 410)
            gone = lost(text, form, copied=copied)
            if gone or SECRET in text or faults(text):
                missing[status, answer.status_code, form.endpoint] = (gone, SECRET in text, faults(text))
    assert [f"{where}: {what}" for where, what in missing.items()] == []


@pytest.mark.tour
@pytest.mark.parametrize("visitor", VISITORS)
def test_h11_a_form_of_an_old_tab_and_one_that_is_far_too_long_come_again(clinic: Clinic, visitor: str) -> None:
    browser, forms = forms_of(clinic, visitor)
    missing = {}
    for form in forms:
        old = MultiDict([*form.fields.items(multi=True), ("csrf_token", "")])
        old["csrf_token"] = "of another session"
        answer = browser.client.post(form.action, data=old, headers={"Origin": "http://localhost"})
        assert answer.status_code == 400, form.endpoint
        missing[400, form.endpoint] = lost(answer.get_data(as_text=True), form, copied=False)
        if visitor == NOBODY:
            continue
        name = min(name for name, _value in form.texts if not unsent_forms.is_unseen(name))
        long = form.fields.copy()
        long[name] = "x" * 1_200_000
        answer = browser.client.post(form.action, data=long)
        assert answer.status_code == 413, form.endpoint
        missing[413, form.endpoint] = lost(
            answer.get_data(as_text=True), Filled(form.endpoint, form.action, long), copied=False
        )
    assert [f"{where}: {gone}" for where, gone in missing.items() if gone] == []


@pytest.mark.tour
@pytest.mark.parametrize("visitor", sorted(set(VISITORS) - {NOBODY}))
def test_h11_a_form_sent_after_the_session_has_ended_waits_whole(clinic: Clinic, visitor: str) -> None:
    browser, forms = forms_of(clinic, visitor)
    clinic.clock.shift(minutes(60 * 7))
    for form in forms:
        answer = browser.client.post(form.action, data=form.fields)
        if answer.status_code != 303 or not answer.location.startswith("/sign-in"):
            continue  # doors that are open to everyone
        with clinic.house.reading() as session:
            kept = session.query(UnsentForm).order_by(UnsentForm.id.desc()).first()
            assert kept is not None, form.endpoint
            assert kept.path == form.action, form.endpoint
            again = {(name, value) for name, values in kept.fields.items() for value in values if value}
        assert again == form.texts, form.endpoint
    assert SECRET.encode() not in clinic.house.stored()


LONGEST_ANSWER = 700_000
"""Bytes, where 100,000 characters come back and each is written as five."""


def sent(client: FlaskClient, path: str, fields: Mapping[str, str]) -> TestResponse:
    """How a form is answered whose texts travel as they are, one byte for what a page writes as five."""
    body = "&".join(f"{name}={value}" for name, value in fields.items())
    return client.post(path, data=body, content_type="application/x-www-form-urlencoded")


@pytest.mark.parametrize("path", ["/sign-in", "/password-reset", "/unlock"])
def test_a_stranger_gets_no_more_back_than_a_field_could_need(clinic: Clinic, path: str) -> None:
    browser = clinic.browser(NOBODY)
    for name in ("email", "password", "code", "next"):
        form = {"csrf_token": browser.token(), "email": "typed@mail.example", "password": "x", name: "'" * 1_000_000}
        answer = sent(browser.client, path, form)
        assert answer.status_code in (303, 422), name
        assert len(answer.data) < 110_000, name
        assert len(answer.headers.get("Location", "")) < 100_000, name


def test_what_a_stranger_typed_a_little_too_long_comes_back_whole(clinic: Clinic) -> None:
    typed_email = "<typed> & more" * 100
    answer = clinic.browser(NOBODY).post("/sign-in", {"email": typed_email, "password": "x"})
    assert answer.status_code == 422
    assert ("email", typed_email) in held(parsed(answer.get_data(as_text=True)))


@pytest.mark.parametrize(
    "fields",
    [
        {"email": "'" * 1_000_000},
        {"note": "'" * 1_000_000},
        {f"note_{number}": "'" * 900 for number in range(900)},
        {f"{number}" + "'" * 900: "" for number in range(900)},
        {f"note_{number}": "'" * 90_000 for number in range(10)},
    ],
    ids=["one of the form", "one of no form", "many", "names", "several"],
)
def test_an_error_page_repeats_as_little_to_a_stranger(clinic: Clinic, fields: dict[str, str]) -> None:
    answer = sent(clinic.house.app.test_client(), "/sign-in", {"email": "typed@mail.example", **fields})
    assert answer.status_code == 400
    assert len(answer.data) < LONGEST_ANSWER


def test_a_clinical_text_far_too_long_comes_back_whole_where_someone_is_signed_in(clinic: Clinic) -> None:
    typed_text = "Long <text> & more. " * 30_000
    browser = clinic.browser("receptionist")
    answer = browser.post("/patients/new", {"name": typed_text})
    assert answer.status_code == 422
    assert ("name", typed_text) in held(parsed(answer.get_data(as_text=True)))


@pytest.mark.tour
def test_every_form_of_the_routes_with_anything_to_fill_in_is_walked(clinic: Clinic) -> None:
    rules = clinic.house.app.url_map.iter_rules()
    changing = {rule.endpoint for rule in rules if "POST" in (rule.methods or set())} - api_access.ACCESS.keys()
    to_fill_in = {name for name in changing if Filled(name, "", MultiDict(ROUTES[name].form)).is_typed}
    seen = {form.endpoint for visitor in VISITORS for form in forms_of(clinic, visitor)[1]}
    assert len(seen) > 30
    assert to_fill_in - seen == NOT_ON_THESE_PAGES


def test_every_password_field_has_a_name_that_is_never_kept() -> None:
    forms = list(typed.forms())
    assert len(forms) > 40
    secret = {
        name for kind in forms for name, made in typed.unbound(kind).items() if "Password" in made.field_class.__name__
    }
    assert secret <= SECRETS
