"""A sentence shown once after a redirect, with who was told by what was done.

Its key and the numbers of the messages ride in a short-lived cookie, never a text; the next page reads those messages
as they are by then, and only as far as the person who opens it may know of them.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import cast

from flask import Flask, Response, current_app, g, request

from service.domain.messages import told
from service.domain.messages.told import Telling
from service.http import context
from service.http.cookies import Cookies
from service.language.translation import gettext as _

SUCCESSOR = "rounds-notice"
SECONDS = 60


@dataclass(frozen=True)
class Notice:
    """What the page says once."""

    sentence: str
    tellings: Sequence[Telling] = ()
    """The people notified by it, how, and when."""


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
        "offer_left": _("Thank you for telling us: somebody else can have the time. You stay on the list."),
        "consent_saved": _("Saved. This holds from the next message on."),
        "offer_made": _("The time is held."),
        "offer_declined": _("The time is free again; the patient waits on."),
        "walked_in": _("The patient has a time now and is noted as arrived."),
        "doctor_saved": _("The doctor is saved."),
        "hours_added": _("The hours are added."),
        "hours_removed": _("The hours are removed."),
        "hours_ended": _("The hours end with that day."),
        "time_off_added": _("The time is blocked: nobody can book then."),
        "time_off_removed": _("That is taken back: the usual week holds."),
        "extra_hours_added": _("The extra hours are added."),
        "visit_marked": _("New times are proposed."),
        "visit_unmarked": _("The proposal is withdrawn."),
        "visit_type_saved": _("The visit type is saved."),
        "patient_added": _("The record is made."),
        "zone_change_seen": _("Marked as done."),
        "clock_confirmed": _("Thank you. What is due is done within half a minute."),
        "patient_saved": _("The changes are saved."),
        "alerts_saved": _("Allergies and alerts are saved."),
        "patient_archived": _("The record is archived."),
        "patient_restored": _("The record is back."),
        "patient_confirmed": _("The record is confirmed."),
        "patients_merged": _("The two records are one now."),
        "account_made": _("The account is made. The slip is for handing over."),
        "guardian_linked": _("The account may act for this patient now."),
        "guardian_removed": _("The account does not see this record any more."),
        "token_revoked": _("The token is revoked: it opens nothing any more."),
        "user_disabled": _("The account is closed."),
        "user_enabled": _("The account is open again."),
        "registered": _(
            "Thank you. We have mailed you a link. Open it within a day to finish; if nothing comes, call the clinic."
        ),
        "patient_erased": _("The record is erased."),
        "hold_put": _("The legal hold stands: nobody can erase this record."),
        "hold_lifted": _("The legal hold is lifted."),
        "emergency_opened": _(
            "The record is open to you. Your reason is on record, and the admin sees it in the audit."
        ),
        "cover_added": _("The other doctor stands in on these days."),
        "cover_removed": _("That is ended."),
        "export_under_way": _("Another export of this history is under way: this is it. Ask again once it has ended."),
        "run_started": _("The job was started; its outcome appears here."),
        "role_changed": _("The role is changed. They sign in anew."),
        "sessions_ended": _("They are signed out everywhere."),
        "second_factor_reset": _("The second factor is off. They sign in with their password."),
        "reset_asked": _(
            "If there is an account under this address, a link is on its way to it. It works for an hour."
        ),
        "link_asked": _(
            "If there is an account under this address, a link is on its way to it. Use it within 15 minutes."
        ),
        "no_link_by_email": _("E-mail is off here, so no link is sent. Please call the clinic."),
        "language_changed": _("Your language is saved."),
        "name_changed": _("Your name is saved."),
        "email_kept": _("Your address is saved. Sign in with it from now on."),
        "address_checked": _("The address is saved and no longer on this list."),
        "email_asked": _("We have mailed a link to the new address. Open it within a day; until then nothing changes."),
        "email_changed": _("Sign in with the new address from now on."),
        "phone_changed": _("Your telephone number is saved."),
        "password_changed": _(
            "Your password is changed. You were signed out everywhere; please sign in with the new one."
        ),
        "session_ended": _("That session is ended."),
        "other_sessions_ended": _("You are signed out everywhere but here."),
        "second_factor_off": _("Your second factor is off."),
        "form_discarded": _("It is thrown away."),
        "signed_out": _("You are signed out."),
        "password_set": _("Your password is set. Please sign in."),
        "set_up": _("The clinic is set up. Sign in with the account you have just made."),
        "demo_ready": _("The demo clinic is ready. Sign in with one of its accounts and the password you saw."),
        "demo_wiped": _("The demo clinic is wiped; a backup of it is kept. Now set up your own."),
        "imported": _("The file is imported."),
        "import_cancelled": _("The file is removed, and nothing of it was imported."),
        "report_remade": _("The report was made again; what it said before is kept below."),
        "message_queued": _("The message is queued again; how it went appears here."),
        "message_held": _("The message is held back until somebody lets it go."),
        "message_let_go": _("The message goes when its time comes."),
        "message_edited": _("Your text takes the place of the usual one in the next run."),
        "message_restored": _("The usual text is back."),
        "message_phoned": _("Noted: the patient was told by telephone."),
        "message_unphoned": _("The patient is on the call list again."),
        "messages_paused": _("Nothing is sent now. Messages wait, and nobody is told until you let them go on."),
        "messages_resumed": _("Messages go on: those that waited are being sent."),
        "messages_released": _("The messages that waited are being sent; new ones wait again."),
        "settings_saved": _("Saved. Rounds has begun anew with it."),
        "settings_unchanged": _("Nothing was changed: all was so already."),
        "refreshed": _("The figures were counted anew."),
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
    return [Notice(sentence, told.by(context.reading(), visitor, ids, context.wiring().settings))]


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
    return key, [int(one) for one in numbers[: told.MOST] if one.isascii() and one.isdecimal() and len(one) < 16]


def _carry(response: Response) -> Response:
    if "notice" in g:
        # Anyone who asks without signing in learns nothing of messages: not even whether there is one.
        written = g.get("messages_written", ()) if context.visitor() is not None else ()
        value = ".".join([g.notice, *map(str, dict.fromkeys(written))][: told.MOST + 1])
        name = g.get("notice_cookie") or _own_cookie()
        response.set_cookie(name, value, max_age=SECONDS, httponly=True, samesite="Lax", secure=request.is_secure)
    elif g.get("notice_shown"):
        response.delete_cookie(_cookie(), httponly=True, samesite="Lax", secure=request.is_secure)
    return response
