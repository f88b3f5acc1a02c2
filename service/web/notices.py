"""A sentence shown once after a redirect: its key rides in a short-lived cookie, never its text."""

from flask import Flask, Response, g, request

from service.translation import gettext as _

COOKIE = "rounds_notice"
SECONDS = 60


def sentences() -> dict[str, str]:
    """Everything a notice may say."""
    return {
        "treatment_saved": _("The treatment is saved and the visit is completed."),
        "visit_booked": _("The visit is booked."),
        "visit_moved": _("The visit has its new time."),
        "visit_confirmed": _("The visit is confirmed."),
        "visit_arrived": _("The arrival is noted."),
        "visit_completed": _("The visit is completed."),
        "visit_missed": _("Noted: the patient did not come."),
        "visit_cancelled": _("The visit is cancelled."),
        "visit_undone": _("That is undone."),
        "waiting_added": _("The patient is on the waiting list."),
        "waiting_removed": _("The entry is taken off the list."),
        "offer_declined": _("The time is free again; the patient waits on."),
        "walked_in": _("The patient has a time now and is noted as arrived."),
        "doctor_saved": _("The doctor is saved."),
        "hours_added": _("The hours are added."),
        "hours_removed": _("The hours are removed."),
        "time_off_added": _("The time is blocked: nobody can book then."),
        "time_off_removed": _("That is taken back: the usual week holds."),
        "extra_hours_added": _("The extra hours are added."),
        "visit_marked": _("The visit is marked, with the times to propose."),
        "visit_unmarked": _("The mark is taken off."),
        "visit_type_saved": _("The visit type is saved."),
        "patient_added": _("The record is made."),
        "patient_saved": _("The changes are saved."),
        "alerts_saved": _("Allergies and alerts are saved."),
        "patient_archived": _("The record is archived."),
        "patient_restored": _("The record is back."),
        "patient_confirmed": _("The record is confirmed."),
        "patients_merged": _("The two records are one now."),
        "account_made": _("The account is made. Now make its invite slip, so that it can be opened."),
        "guardian_linked": _("The account may act for this patient now."),
        "guardian_removed": _("The account does not see this record any more."),
        "user_disabled": _("The account is closed."),
        "user_enabled": _("The account is open again."),
        "registered": _(
            "Thank you. If this address is new here you can sign in now. If it is known, use the password you had."
        ),
        "export_under_way": _("Another export of this history is under way: this is it. Ask again once it has ended."),
        "run_started": _("The job was started; its outcome appears here."),
        "signed_out": _("You are signed out."),
        "password_set": _("Your password is set. Please sign in."),
        "demo_ready": _("The demo clinic is ready. Sign in with one of its accounts and the password you saw."),
        "imported": _("The file is imported."),
        "import_cancelled": _("The file is removed, and nothing of it was imported."),
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


def shown(key: str) -> bool:
    """Whether this page shows a certain sentence."""
    return request.cookies.get(COOKIE) == key


def install(app: Flask) -> None:
    """Carry notices over redirects."""
    app.after_request(_carry)


def _carry(response: Response) -> Response:
    if "notice" in g:
        response.set_cookie(COOKIE, g.notice, max_age=SECONDS, httponly=True, samesite="Lax", secure=request.is_secure)
    elif g.get("notice_shown"):
        response.delete_cookie(COOKIE, httponly=True, samesite="Lax", secure=request.is_secure)
    return response
