"""The table of what the clinic tells people: each rule with its texts, its link, and while what it holds."""

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
    """One kind of message; its name is also that of its template."""

    name: str
    title: str
    """For the pages of the clinic."""
    says: frozenset[str] = PERSON
    """The variables its template may name, besides those of the clinic."""
    still: frozenset[AppointmentStatus] = frozenset()
    """The states of its appointment in which it is still true; it is skipped in any other.

    Empty: it is about no appointment.
    """
    family: bool = False
    """Whether one message lists all appointments of one address on one day."""
    wanted: bool = True
    """Whether patients may do without it: all but what an account needs."""
    calendar: str = ""
    """The method of the calendar entry that is attached, if one is."""
    one_time: TokenPurpose | None = None
    """What its link is for, where it works once only."""
    leaving: bool = False
    """Whether it tells the address an account had when something was changed, be that still its address or not."""
    tells_of_accounts: bool = False
    """Whether it goes to an address someone typed, so that a page that told of it would tell who has an account."""
    page: str = ""
    """Where its link leads, unless to an appointment or an offer: `{key}` is its token, or what it is about."""
    called: bool = False
    """Whether its patient is called where no message reaches them."""
    is_notice: bool = False
    """Whether it tells the owner of a record who gets access to it: it goes to the address that was known then, it
    names no one, and the desk cannot hold it back."""

    @property
    def is_for_patients(self) -> bool:
        """Whether it goes to patients, by any channel; any other goes to a user's e-mail address."""
        return "contact_link" in self.says or self.is_notice

    @property
    def short_text(self) -> str:
        """The template for channels that carry a short text."""
        return f"{self.name}.sms"

    @property
    def texts(self) -> Sequence[str]:
        """The templates that it needs in each language."""
        return (self.name, self.short_text) if self.is_for_patients else (self.name,)


BOOKED = frozenset({AppointmentStatus.BOOKED})
CALLED_OFF = frozenset({AppointmentStatus.CANCELLED})
UNTIL = PERSON | {"until"}
PROOF = frozenset({"until"})
"""What goes to an address no one has proven names no one and holds no text that someone chose."""
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
    """The rule of a message; one that this version does not know is treated as one about a booked appointment."""
    return RULES.get(name) or Rule(name, name, VISIT, BOOKED)


def variables() -> Mapping[str, frozenset[str]]:
    """What the template of each rule may name."""
    return {rule.name: CLINIC | rule.says for rule in RULES.values()}


def texts() -> Sequence[str]:
    """All templates that each language needs."""
    return [text for rule in RULES.values() for text in rule.texts]
