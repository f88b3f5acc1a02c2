"""The table of messages: each rule with its texts, its link, and when it's still true."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from service.language.translation import lazy_gettext as _l
from service.storage.models import AppointmentStatus, TokenPurpose

CLINIC = frozenset({"clinic_name", "clinic_phone", "by_phone", "manage_link"})
VISIT = frozenset({"patient_first_name", "doctor", "date", "time", "visits", "visits_short", "contact_link"})
OFFER = frozenset({"patient_first_name", "doctor", "date", "time", "until", "contact_link"})
SHEET = frozenset({"date", "told", "failed", "skipped", "waiting", "calls"})
PERSON = frozenset({"name"})


@dataclass(frozen=True)
class Rule:
    """A kind of message. Its name is also the name of its template."""

    name: str
    title: str
    """The title on pages."""
    says: frozenset[str] = PERSON
    """The variables its template may use, besides those of the clinic."""
    still: frozenset[AppointmentStatus] = frozenset()
    """The statuses of its appointment in which it's still true. In any other, it's skipped.

    Empty: it isn't about an appointment.
    """
    family: bool = False
    """Whether one message lists all appointments of an address on a day."""
    wanted: bool = True
    """Whether patients can opt out of it: all messages except those an account needs."""
    calendar: str = ""
    """The method of the attached calendar entry, if any."""
    one_time: TokenPurpose | None = None
    """The purpose of its link, if that works only once."""
    leaving: bool = False
    """Whether it goes to the address an account had at the time of a change, even if the address is different now."""
    tells_of_accounts: bool = False
    """Whether it goes to an address someone typed, so that mentioning it on a page could reveal who has an account."""
    page: str = ""
    """Where its link leads, unless to an appointment or an offer. `{key}` is its token, or what it's about."""
    called: bool = False
    """Whether the front desk calls patients whom no message reaches."""
    is_notice: bool = False
    """Whether it's about access to a record: it names nobody, can't be held, and goes to the address of that time."""

    @property
    def is_for_patients(self) -> bool:
        """Return whether it goes to patients, by any channel, and not to a user's e-mail address."""
        return "contact_link" in self.says or self.is_notice

    @property
    def short_text(self) -> str:
        """Return the template for channels with short texts."""
        return f"{self.name}.sms"

    @property
    def texts(self) -> Sequence[str]:
        """Return the templates it needs in each language."""
        return (self.name, self.short_text) if self.is_for_patients else (self.name,)


BOOKED = frozenset({AppointmentStatus.BOOKED})
CALLED_OFF = frozenset({AppointmentStatus.CANCELLED})
UNTIL = PERSON | {"until"}
PROOF = frozenset({"until"})
"""A message to an unproven address names nobody and contains no text that someone chose."""
NOBODY = frozenset[str]()

RULES = {
    rule.name: rule
    for rule in (
        Rule("daily_reminder", _l("Same-day reminder"), VISIT, BOOKED, family=True, called=True),
        Rule("advance_reminder", _l("Advance reminder"), VISIT, BOOKED, family=True),
        Rule("booking_confirmation", _l("Booking confirmation"), VISIT, BOOKED, calendar="REQUEST"),
        Rule(
            "visit_moved", _l("Appointment rescheduled"), VISIT | {"old_date", "old_time"}, BOOKED, calendar="REQUEST"
        ),
        Rule("visit_cancelled", _l("Appointment canceled"), VISIT | {"cancelled_by"}, CALLED_OFF, calendar="CANCEL"),
        Rule("visit_restored", _l("Appointment reinstated"), VISIT, BOOKED, calendar="REQUEST"),
        Rule("calendar_update", _l("Calendar entry corrected"), VISIT, BOOKED, calendar="REQUEST"),
        Rule("move_proposal", _l("New times suggested"), VISIT | {"times"}, BOOKED, called=True),
        Rule("waiting_list_offer", _l("Waitlist offer"), OFFER),
        Rule("export_ready", _l("Export ready"), UNTIL, page="exports/{key}"),
        Rule("report_ready", _l("Report ready"), PERSON | {"month"}, page="reports/{key}"),
        Rule("morning_sheet", _l("Call list"), SHEET, page="messages/morning?date={key}"),
        Rule("invite", _l("Invitation"), UNTIL, wanted=False, one_time=TokenPurpose.INVITE, page="invite/{key}"),
        Rule(
            "password_reset",
            _l("Password reset"),
            UNTIL,
            wanted=False,
            one_time=TokenPurpose.PASSWORD_RESET,
            page="password-reset/{key}",
        ),
        Rule(
            "sign_in_link", _l("Sign-in link"), UNTIL, wanted=False, one_time=TokenPurpose.SIGN_IN, page="sign-in/{key}"
        ),
        Rule("account_guessed", _l("Many failed sign-ins"), PERSON, wanted=False, page="password-reset"),
        Rule("account_changed", _l("Account change"), PERSON, wanted=False, leaving=True),
        *(
            Rule(name, title, PROOF, wanted=False, one_time=purpose, tells_of_accounts=True, page=page)
            for name, title, purpose, page in (
                ("email_proof", _l("New e-mail address"), TokenPurpose.EMAIL, "account/email/{key}"),
                ("registration", _l("Registration"), TokenPurpose.REGISTRATION, "register/{key}"),
            )
        ),
        Rule(
            "email_known",
            _l("Account already exists"),
            NOBODY,
            wanted=False,
            tells_of_accounts=True,
            page="sign-in",
        ),
        *(
            Rule(name, title, NOBODY, wanted=False, page="who-looked", is_notice=True)
            for name, title in (
                ("guardian_linked", _l("Account linked to a patient record")),
                ("slip_printed", _l("Invite slip printed")),
                ("emergency_access", _l("Emergency access to a record")),
            )
        ),
    )
}


def of(name: str) -> Rule:
    """Return a rule by its name. An unknown one is treated as being about a booked appointment."""
    return RULES.get(name) or Rule(name, name, VISIT, BOOKED)


def variables() -> Mapping[str, frozenset[str]]:
    """Return the variables that the template of each rule may use."""
    return {rule.name: CLINIC | rule.says for rule in RULES.values()}


def texts() -> Sequence[str]:
    """Return all templates that each language needs."""
    return [text for rule in RULES.values() for text in rule.texts]
