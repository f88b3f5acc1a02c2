"""The table of what the clinic tells people: each rule, whom it is for, and while which state of a visit it holds."""

from dataclasses import dataclass

from service.translation import gettext as _


@dataclass(frozen=True)
class Rule:
    """One kind of message; its name is also that of its template."""

    name: str
    title: str
    """For the pages of the clinic."""
    still: frozenset[str] = frozenset()
    """The states of its visit in which it is still true; it is skipped in any other. Empty: it is about no visit."""
    family: bool = False
    """Whether one message lists all visits of one address on one day."""
    wanted: bool = True
    """Whether patients may do without it: all but what an account needs."""


BOOKED = frozenset({"booked"})

RULES = {
    rule.name: rule
    for rule in (
        Rule("daily_reminder", _("Reminder of the day"), BOOKED, family=True),
        Rule("advance_reminder", _("Reminder some days ahead"), BOOKED, family=True),
        Rule("booking_confirmation", _("Booking confirmed"), BOOKED),
        Rule("visit_moved", _("Visit moved"), BOOKED),
        Rule("visit_cancelled", _("Visit cancelled"), frozenset({"cancelled"})),
        Rule("move_proposal", _("Other times proposed"), BOOKED),
        Rule("waiting_list_offer", _("Time offered to the waiting list")),
        Rule("export_ready", _("Export ready")),
        Rule("report_ready", _("Report ready")),
        Rule("morning_sheet", _("Morning sheet")),
        Rule("invite", _("Invitation"), wanted=False),
        Rule("password_reset", _("New password"), wanted=False),
        Rule("sign_in_link", _("Sign-in link"), wanted=False),
        Rule("account_changed", _("Account changed"), wanted=False),
    )
}


def of(name: str) -> Rule:
    """The rule of a message; one that this version does not know is treated as one about a booked visit."""
    return RULES.get(name) or Rule(name, name, BOOKED)
