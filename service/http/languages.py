"""In which language a request is answered: the user's choice, the patient's, the clinic's; a visitor's on public pages.

A visitor says it by `?lang=`, which a cookie keeps, or by what the browser asks for. Pages of an area that has not been
translated are in English, and so is what only programs read.
"""

from contextlib import ExitStack

from flask import Flask, Response, current_app, g, request
from werkzeug import Response as BaseResponse

from service.http import context
from service.http.cookies import API, Cookies
from service.language import catalogs
from service.language.translation import speaking

FOR_PROGRAMS = frozenset({"health"})
"""Blueprints that only programs read."""
WITHOUT_SESSION = frozenset({"lost_answers"})
"""Blueprints that answer while the database is away: who asks is not looked up there."""
KEPT = 365 * 24 * 3600
"""Seconds a visitor's choice is remembered."""


def install(app: Flask) -> None:
    """Choose the language before every view."""
    app.before_request(_begin)
    app.after_request(_remember)
    app.teardown_request(_end)


def _begin() -> None:
    g.language = ExitStack()
    g.language.enter_context(speaking(_language()))


def _end(_error: BaseException | None = None) -> None:
    opened = g.pop("language", None)
    if opened is not None:
        opened.close()


def _language() -> str:
    if request.endpoint == "static" or request.blueprint in FOR_PROGRAMS or request.path.startswith(API):
        return catalogs.SOURCE
    wanted = catalogs.known(_wanted())
    shown = all(catalogs.is_translated(wanted, area) for area in {"shell", _area()})
    return wanted if shown else catalogs.SOURCE


def _wanted() -> str:
    """Return the requested language, whether it exists or not."""
    clinic = context.wiring().settings.clinic.language
    held = None if request.blueprint in WITHOUT_SESSION else context.found()
    if held is not None:
        return held.language or clinic
    chosen = request.args.get("lang") or request.cookies.get(_cookies().language_name())
    if chosen:
        return _offered(chosen) or chosen
    tags = {code.replace("_", "-"): code for code in catalogs.offered()}
    asked = request.accept_languages.best_match(tags)
    return tags[asked] if asked else clinic


def _offered(said: str) -> str:
    """Return the language that a code means (`de`, `DE`, `de-AT`, `en_GB`), or nothing if it isn't offered."""
    offered = {code.lower(): code for code in catalogs.offered()}
    code = said.lower().replace("-", "_")
    return offered.get(code) or offered.get(code.partition("_")[0], "")


def _area() -> str:
    """The area of the view: the folder of web/ that it stands in."""
    view = current_app.view_functions.get(request.endpoint or "")
    parts = (view.__module__ if view else "").split(".")
    return parts[2] if parts[:2] == ["service", "web"] and len(parts) > 3 else "shell"


def _remember(response: Response) -> Response:
    """Keep what a visitor chose, unless they are signed in: then it is the account that says it."""
    if g.get("found") is None and not request.path.startswith(API):
        remember(response, _offered(request.args.get("lang", "")))
    return response


def remember(response: BaseResponse, language: str) -> None:
    """Answer this browser in a language from now on, while no one is signed in."""
    if language in catalogs.offered():
        name = _cookies().language_name()
        response.set_cookie(name, language, max_age=KEPT, httponly=True, samesite="Lax", secure=request.is_secure)


def _cookies() -> Cookies:
    found = current_app.session_interface
    assert isinstance(found, Cookies)
    return found
