"""A sentence shown once after a redirect, with who was told by what was done.

Its key and the numbers of the messages ride in a short-lived cookie, never a text; the next page reads those messages
as they are by then, and only as far as the person who opens it may know of them.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import cast

from flask import Flask, Response, current_app, g, request

from service.domain.messages import notifications
from service.domain.messages.notifications import Notification
from service.http import context
from service.http.cookies import Cookies
from service.language.translation import gettext as _

SUCCESSOR = "rounds-notice"
SECONDS = 60


@dataclass(frozen=True)
class Notice:
    """What the page says once."""

    sentence: str
    tellings: Sequence[Notification] = ()
    """The people notified by it, how, and when."""


def sentences() -> dict[str, str]:
    """Everything a notice may say."""
    return {
        "treatment_saved": _("Treatment saved. The appointment is completed."),
        "visit_booked": _("Appointment booked."),
        "visit_moved": _("Appointment rescheduled."),
        "visit_confirmed": _("Appointment confirmed."),
        "visit_arrived": _("Checked in."),
        "visit_completed": _("Appointment completed."),
        "visit_missed": _("Marked as a no-show."),
        "visit_cancelled": _("Appointment canceled."),
        "visit_undone": _("Undone."),
        "added_to_waitlist": _("Added to the waitlist."),
        "removed_from_waitlist": _("Removed from the waitlist."),
        "offer_left": _("Thank you for letting us know. The slot goes to someone else, and you stay on the waitlist."),
        "consent_saved": _("Saved. This applies from the next message on."),
        "offer_made": _("The slot is held."),
        "offer_declined": _("The slot is free again. The patient stays on the waitlist."),
        "walked_in": _("Walk-in booked and checked in."),
        "doctor_saved": _("Doctor saved."),
        "hours_added": _("Hours added."),
        "hours_removed": _("Hours removed."),
        "hours_ended": _("These hours end on that day."),
        "time_off_added": _("Time off added. No one can book during it."),
        "time_off_removed": _("Removed. The regular hours apply again."),
        "extra_hours_added": _("Extra hours added."),
        "visit_marked": _("New times suggested."),
        "visit_unmarked": _("Suggestion withdrawn."),
        "visit_type_saved": _("Appointment type saved."),
        "patient_added": _("Patient added."),
        "zone_change_seen": _("Marked as done."),
        "clock_confirmed": _("Thank you. Anything due runs within 30 seconds."),
        "patient_saved": _("Changes saved."),
        "alerts_saved": _("Allergies and alerts saved."),
        "patient_archived": _("Record archived."),
        "patient_restored": _("Record restored."),
        "patient_confirmed": _("Record confirmed."),
        "patients_merged": _("The two records are merged."),
        "account_made": _("Account created. Print the slip and hand it over."),
        "guardian_linked": _("This account can now act for the patient."),
        "guardian_removed": _("This account can no longer see the record."),
        "token_revoked": _("Token revoked. It no longer works."),
        "user_disabled": _("Account closed."),
        "user_enabled": _("Account reopened."),
        "registered": _(
            "Thank you. We've e-mailed you a link. Open it within a day to finish. If nothing arrives, call the clinic."
        ),
        "patient_erased": _("Record erased."),
        "hold_put": _("Legal hold placed. No one can erase this record."),
        "hold_lifted": _("Legal hold lifted."),
        "emergency_opened": _(
            "You can open the record now. Your reason is recorded, and administrators see it in the audit log."
        ),
        "cover_added": _("Cover added."),
        "cover_removed": _("Ended."),
        "export_under_way": _(
            "Another export of this history is already in progress. This is it. Start a new one when it has finished."
        ),
        "run_started": _("Job started. The result appears here."),
        "role_changed": _("Role changed. They need to sign in again."),
        "sessions_ended": _("Signed out everywhere."),
        "second_factor_reset": _("Second factor turned off. Their password is enough to sign in."),
        "reset_asked": _("If this address has an account, a link is on its way. It works for one hour."),
        "link_asked": _("If this address has an account, a link is on its way. It works for 15 minutes."),
        "no_link_by_email": _("E-mail is off here, so no link was sent. Call the clinic."),
        "language_changed": _("Language saved."),
        "name_changed": _("Name saved."),
        "email_kept": _("E-mail address saved. Use it to sign in from now on."),
        "address_checked": _("Address saved and removed from this list."),
        "email_asked": _(
            "We've e-mailed a link to the new address. Open it within a day. Until then, nothing changes."
        ),
        "email_changed": _("Use the new address to sign in from now on."),
        "phone_changed": _("Phone number saved."),
        "password_changed": _("Password changed. You were signed out everywhere. Sign in with the new password."),
        "session_ended": _("Session ended."),
        "other_sessions_ended": _("You're signed out everywhere but here."),
        "second_factor_off": _("Second factor turned off."),
        "form_discarded": _("Discarded."),
        "signed_out": _("You're signed out."),
        "password_set": _("Password set. Sign in to continue."),
        "set_up": _("Your clinic is set up. Sign in with the account you just created."),
        "demo_ready": _("The demo clinic is ready. Sign in with one of its accounts and the password you were shown."),
        "demo_wiped": _("Demo clinic wiped. A backup was kept. Now set up your own clinic."),
        "imported": _("File imported."),
        "import_cancelled": _("File removed. Nothing was imported."),
        "report_remade": _("Report created again. The earlier version is kept below."),
        "message_queued": _("Message queued again. The result appears here."),
        "message_held": _("Message held until someone releases it."),
        "message_let_go": _("Message released. It is sent when due."),
        "message_edited": _("Your text replaces the standard text in the next run."),
        "message_restored": _("Standard text restored."),
        "message_phoned": _("Marked as told by phone."),
        "message_unphoned": _("Back on the call list."),
        "messages_paused": _("Sending is paused. Messages are queued until you resume."),
        "messages_resumed": _("Sending resumed. Queued messages are being sent."),
        "messages_released": _("Queued messages are being sent. New ones are held again."),
        "settings_saved": _("Saved. Rounds has restarted with the new settings."),
        "settings_unchanged": _("Nothing to save: these settings were already in place."),
        "refreshed": _("Statistics updated."),
    }


def say(key: str) -> None:
    """Show a sentence on the next page."""
    g.notice = key


def say_to_successor(key: str) -> None:
    """The same on a page of the clinic that takes this one's place, whose cookies have a name no one knows yet."""
    g.notice, g.notice_cookie = key, SUCCESSOR


def pending() -> list[Notice]:
    """What this page should say."""
    key, ids = _read()
    sentence = sentences().get(key)
    g.notice_shown = sentence is not None
    visitor = context.visitor()
    if sentence is None:
        return []
    if visitor is None or not ids:
        return [Notice(sentence)]
    return [Notice(sentence, notifications.by(context.reading(), visitor, ids, context.wiring().settings))]


def shown(key: str) -> bool:
    """Whether this page shows a certain sentence."""
    return _read()[0] == key


def install(app: Flask) -> None:
    """Carry notices over redirects."""
    app.after_request(_carry)


def _cookie() -> str:
    """The cookie that carries this clinic's sentence; the one from the clinic before it where there is no other."""
    own = _own_cookie()
    return SUCCESSOR if SUCCESSOR in request.cookies and own not in request.cookies else own


def _own_cookie() -> str:
    return cast(Cookies, current_app.session_interface).notice_name()


def _read() -> tuple[str, list[int]]:
    """The key and the numbers of messages in the cookie; numbers that are none are left out."""
    key, *numbers = request.cookies.get(_cookie(), "").split(".")
    return key, [
        int(one) for one in numbers[: notifications.MOST] if one.isascii() and one.isdecimal() and len(one) < 16
    ]


def _carry(response: Response) -> Response:
    if "notice" in g:
        # Anyone who asks without signing in learns nothing of messages: not even whether there is one.
        written = g.get("messages_written", ()) if context.visitor() is not None else ()
        value = ".".join([g.notice, *map(str, dict.fromkeys(written))][: notifications.MOST + 1])
        name = g.get("notice_cookie") or _own_cookie()
        response.set_cookie(name, value, max_age=SECONDS, httponly=True, samesite="Lax", secure=request.is_secure)
    elif g.get("notice_shown"):
        response.delete_cookie(_cookie(), httponly=True, samesite="Lax", secure=request.is_secure)
    return response
