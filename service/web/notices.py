"""A sentence shown once after a redirect: its key rides in a short-lived cookie, never its text."""

from flask import Flask, Response, g, request

from service.translation import gettext as _

COOKIE = "rounds_notice"
SECONDS = 60


def sentences() -> dict[str, str]:
    """Everything a notice may say."""
    return {
        "treatment_saved": _("The treatment is saved and the visit is completed."),
        "run_started": _("The job was started; its outcome appears here."),
        "signed_out": _("You are signed out."),
        "password_set": _("Your password is set. Please sign in."),
        "demo_ready": _("The demo clinic is ready. Sign in with one of its accounts and the password you saw."),
        "refreshed": _("The figures were counted anew."),
    }


def say(key: str) -> None:
    """Show a sentence on the next page."""
    g.notice = key


def pending() -> list[str]:
    """The sentence this page should show."""
    sentence = sentences().get(request.cookies.get(COOKIE, ""))
    g.notice_shown = sentence is not None
    return [sentence] if sentence else []


def install(app: Flask) -> None:
    """Carry notices over redirects."""
    app.after_request(_carry)


def _carry(response: Response) -> Response:
    if "notice" in g:
        response.set_cookie(COOKIE, g.notice, max_age=SECONDS, httponly=True, samesite="Lax", secure=request.is_secure)
    elif g.get("notice_shown"):
        response.delete_cookie(COOKIE, httponly=True, samesite="Lax", secure=request.is_secure)
    return response
