"""Everything the clinic keeps about a person: each column of `patients` and each table with patient data, with rules.

Merging, erasure, and the patient's own export follow this list. If a column or table is missing here,
tests/domain/patients/test_whole_person.py fails and names it.
"""

from collections.abc import Mapping
from typing import Any

from sqlalchemy import or_, select, true

from service.domain.patients.person_rules import (
    Becomes,
    ColumnRule,
    Deleted,
    Emptied,
    LeftOut,
    Merged,
    Person,
    Rewritten,
    Rows,
    Stays,
    TableRule,
    Within,
)
from service.language.translation import lazy_gettext as _l
from service.storage.models import (
    AddressForm,
    ApiToken,
    Appointment,
    AuditDetail,
    AuditEntry,
    Channel,
    ConsentChange,
    EmergencyAccess,
    Export,
    Guardian,
    IdempotencyKey,
    KnownBrowser,
    LegalHold,
    Message,
    MessageLink,
    MoveProposal,
    Offer,
    RecoveryCode,
    Report,
    ReportVersion,
    SecondFactor,
    SignIn,
    Treatment,
    TreatmentVersion,
    UnsentForm,
    User,
    UserToken,
    WaitlistEntry,
)

CONTACT, ALERTS, CONSENT = ("patient.change",), ("patient.alerts",), ("patient.consent",)
STATE = LeftOut("the clinic's own state of the record, not about the person")
OF_THE_RECORD = Stays("says when something happened to the record, but not who it belongs to")

COLUMNS: Mapping[str, ColumnRule] = {
    "id": ColumnRule(Merged.KEPT, Stays("statistics count by it"), _l("number of the patient's record at this clinic")),
    "name": ColumnRule(Merged.KEPT, Becomes(), _l("name"), CONTACT),
    "given_name": ColumnRule(Merged.FILLED, Becomes(), _l("given name used in greetings, or null if unknown"), CONTACT),
    "birth_date": ColumnRule(Merged.FILLED, Becomes(), _l("birth date, or null if unknown"), CONTACT),
    "email": ColumnRule(Merged.FILLED, Becomes(), _l("e-mail address, or null"), CONTACT),
    "email_key": ColumnRule(
        Merged.SETTLED, Becomes(), LeftOut("the e-mail address again, in the form for comparisons"), CONTACT
    ),
    "email_form": ColumnRule(
        Merged.SETTLED, Becomes(AddressForm.TYPED), LeftOut("says whether an old address was checked"), CONTACT
    ),
    "phone": ColumnRule(Merged.FILLED, Becomes(), _l("phone number with country code, or null"), CONTACT),
    "language": ColumnRule(
        Merged.WITH_ADDRESS,
        Becomes(),
        _l("language of messages to this person, or null for the clinic's language"),
        CONSENT,
    ),
    "preferred_channel": ColumnRule(
        Merged.WITH_ADDRESS, Becomes(Channel.EMAIL), _l("preferred channel for messages: email or sms"), CONSENT
    ),
    "email_allowed": ColumnRule(
        Merged.STRICTER, Becomes(False), _l("whether messages by e-mail are allowed: true or false"), CONSENT
    ),
    "sms_allowed": ColumnRule(
        Merged.STRICTER, Becomes(False), _l("whether messages by SMS are allowed: true or false"), CONSENT
    ),
    "allergies": ColumnRule(Merged.JOINED, Becomes(""), _l("known allergies"), ALERTS),
    "alerts": ColumnRule(Merged.JOINED, Becomes(""), _l("what everyone who treats this person needs to know"), ALERTS),
    "created_at": ColumnRule(Merged.KEPT, OF_THE_RECORD, _l("when the record was created")),
    "folded_name": ColumnRule(Merged.KEPT, Becomes(), LeftOut("the name again, as the key for searches"), CONTACT),
    "imported_line": ColumnRule(
        Merged.KEPT, Becomes(), LeftOut("a digest by which an import recognizes its line"), ("import.patients",)
    ),
    "registered_at": ColumnRule(Merged.SETTLED, Becomes(), STATE, ("user.register", "patient.confirm")),
    "merged_into_id": ColumnRule(
        Merged.SETTLED,
        Stays("says which records belong to one person"),
        STATE,
        ("patient.merge", "patient.merged_away"),
    ),
    "archived_at": ColumnRule(Merged.SETTLED, OF_THE_RECORD, STATE, ("patient.archive", "patient.restore")),
    "erased_at": ColumnRule(Merged.KEPT, OF_THE_RECORD, STATE, ("patient.erase",)),
    "version": ColumnRule(Merged.KEPT, OF_THE_RECORD, STATE),
}
"""In the order of the export. An erasure sets `name` and `folded_name` to the pseudonym."""


def _visits(person: Person) -> Any:
    return select(Appointment.id).where(Appointment.patient_id.in_(person.records))


def _treatments(person: Person) -> Any:
    return select(Treatment.id).where(Treatment.appointment_id.in_(_visits(person)))


def _entries(person: Person) -> Any:
    """Return the ids of audit entries about the person or their accounts."""
    accounts = [f"user/{number}" for number in person.accounts]
    theirs = or_(AuditEntry.patient_id.in_(person.records), AuditEntry.subject.in_(accounts))
    return select(AuditEntry.id).where(theirs)


FOR_SIGNING_IN = LeftOut("gives access to an account")
LOOKED_AT = LeftOut("shown on the page *Who opened it*, with everything else that was done with the record")

TABLES: tuple[TableRule, ...] = (
    TableRule(
        TreatmentVersion,
        lambda person: TreatmentVersion.treatment_id.in_(_treatments(person)),
        Rows.FOLLOW,
        Deleted(),
        Within("treatments"),
        ("treatment.correct",),
    ),
    TableRule(
        Treatment,
        lambda person: Treatment.appointment_id.in_(_visits(person)),
        Rows.FOLLOW,
        Deleted(),
        Within("treatments"),
        ("treatment.record", "treatment.correct"),
    ),
    TableRule(
        MoveProposal,
        lambda person: MoveProposal.appointment_id.in_(_visits(person)),
        Rows.FOLLOW,
        Deleted(),
        LeftOut("a suggestion that ends with its answer"),
        ("appointment.propose", "appointment.withdraw"),
    ),
    TableRule(
        Appointment,
        lambda person: Appointment.patient_id.in_(person.records),
        Rows.MOVE,
        Emptied({"reason": "", "cancellation_reason": None, "overbooking_reason": None}),
        Within("visits"),
        ("appointment.book", "appointment.move", "appointment.cancel"),
        harmless=dict.fromkeys(("local_start", "zone"), "times are kept as figures")
        | {"calendar_uid": "made from a number and the clinic's address"},
    ),
    TableRule(
        MessageLink,
        lambda person: MessageLink.patient_id.in_(person.records),
        Rows.MOVE,
        Deleted(),
        FOR_SIGNING_IN,
    ),
    TableRule(
        Message,
        lambda person: or_(Message.patient_id.in_(person.records), Message.user_id.in_(person.accounts)),
        Rows.MOVE,
        Emptied(dict.fromkeys(("recipient", "subject", "body", "last_error", "answer"))),
        Within("messages"),
        ("message.edit", "message.send_again", "message.phone"),
        harmless={
            "rule": "the kind of message",
            "event": "the cause of the message",
            "about": "a row's number",
            "language": "says nothing about a person",
            "owner": "the process that sent it",
        },
    ),
    TableRule(
        Offer,
        lambda person: Offer.waiting_id.in_(
            select(WaitlistEntry.id).where(WaitlistEntry.patient_id.in_(person.records))
        ),
        Rows.FOLLOW,
        Stays("only times and doctors"),
        LeftOut("a slot on hold for a while; if it was accepted, it became an appointment"),
        ("offer.make", "offer.accept", "offer.decline"),
    ),
    TableRule(
        WaitlistEntry,
        lambda person: WaitlistEntry.patient_id.in_(person.records),
        Rows.MOVE,
        Emptied({"note": ""}),
        LeftOut("a request that ends once it is met; then it became an appointment"),
        ("waiting.add", "waiting.remove"),
        harmless={"weekdays": "the preferred days of the week"},
    ),
    TableRule(
        Export,
        lambda person: or_(Export.patient_id.in_(person.records), Export.patient_id.is_(None)),
        Rows.MOVE,
        Rewritten(("status",), "finished files expire, also those of the whole clinic"),
        LeftOut("the export itself"),
        ("export.request", "export.available", "export.download", "export.cancel", "export.revoke"),
        harmless={"id": "random", "owner": "the process that wrote it", "last_error": "names a cause, never a person"},
    ),
    TableRule(
        ConsentChange,
        lambda person: ConsentChange.patient_id.in_(person.records),
        Rows.MOVE,
        Emptied({"address": None}),
        Within("consent"),
        CONSENT,
    ),
    TableRule(
        EmergencyAccess,
        lambda person: EmergencyAccess.patient_id.in_(person.records),
        Rows.MOVE,
        Emptied({"reason": ""}),
        LOOKED_AT,
        ("emergency.open", "emergency.seen"),
    ),
    TableRule(
        LegalHold,
        lambda person: LegalHold.patient_id.in_(person.records),
        Rows.MOVE,
        Emptied({"reason": ""}),
        LeftOut("between the clinic and a court"),
        ("patient.hold", "patient.lift_hold"),
    ),
    TableRule(
        Guardian,
        lambda person: Guardian.patient_id.in_(person.records),
        Rows.UNITE,
        Deleted(),
        LeftOut("is about other people"),
        ("guardian.add", "guardian.remove"),
    ),
    TableRule(
        AuditDetail,
        lambda person: AuditDetail.entry_id.in_(_entries(person)),
        Rows.STAY,
        Emptied({"changes": None, "salt": None}),
        LOOKED_AT,
    ),
    TableRule(
        AuditEntry,
        lambda person: AuditEntry.id.in_(_entries(person)),
        Rows.STAY,
        Stays("sealed, so an entry never changes"),
        LOOKED_AT,
        harmless=dict.fromkeys(
            ("role", "address", "act", "subject", "digest", "seal"), "numbers, acts and network addresses, never a name"
        ),
    ),
    TableRule(
        Report,
        lambda person: true(),
        Rows.STAY,
        Rewritten(("content",), "the pseudonym replaces the name, and texts are emptied"),
        LeftOut("the doctor's"),
        ("report.make", "report.remake"),
        harmless={"month": "a month"},
    ),
    TableRule(
        ReportVersion,
        lambda person: true(),
        Rows.STAY,
        Rewritten(("content",), "like the report itself"),
        LeftOut("the doctor's"),
        ("report.remake",),
        harmless={"month": "a month", "reason": "why the whole report was created again"},
    ),
    TableRule(
        IdempotencyKey,
        lambda person: true(),
        Rows.STAY,
        Deleted(),
        FOR_SIGNING_IN,
    ),
    TableRule(
        UserToken,
        lambda person: UserToken.user_id.in_(person.accounts),
        Rows.FOLLOW,
        Deleted(),
        FOR_SIGNING_IN,
    ),
    TableRule(
        SecondFactor,
        lambda person: SecondFactor.user_id.in_(person.accounts),
        Rows.FOLLOW,
        Deleted(),
        FOR_SIGNING_IN,
        ("second_factor.on", "second_factor.off"),
    ),
    TableRule(
        RecoveryCode,
        lambda person: RecoveryCode.user_id.in_(person.accounts),
        Rows.FOLLOW,
        Deleted(),
        FOR_SIGNING_IN,
        ("second_factor.codes",),
    ),
    TableRule(
        UnsentForm,
        lambda person: UnsentForm.user_id.in_(person.accounts),
        Rows.FOLLOW,
        Deleted(),
        FOR_SIGNING_IN,
    ),
    TableRule(
        SignIn,
        lambda person: SignIn.user_id.in_(person.accounts),
        Rows.FOLLOW,
        Emptied({"address": None, "browser": ""}),
        FOR_SIGNING_IN,
        ("session.begin", "session.end"),
        harmless={"token_hash": "random"},
    ),
    TableRule(
        KnownBrowser,
        lambda person: KnownBrowser.user_id.in_(person.accounts),
        Rows.FOLLOW,
        Deleted(),
        FOR_SIGNING_IN,
    ),
    TableRule(
        ApiToken,
        lambda person: ApiToken.user_id.in_(person.accounts),
        Rows.FOLLOW,
        Emptied({"label": ""}),
        FOR_SIGNING_IN,
        ("token.make", "token.revoke"),
        harmless={"token_hash": "random", "scopes": "what the program was allowed to do"},
    ),
    TableRule(
        User,
        lambda person: User.id.in_(person.accounts),
        Rows.FOLLOW,
        Rewritten(
            ("name", "email", "email_key", "new_email", "new_email_of", "password_hash"), "the account is closed"
        ),
        LeftOut("the account's own page shows it"),
        (
            "user.name",
            "user.language",
            "user.email",
            "user.email_asked",
            "user.email_confirm",
            "user.address",
            "user.password",
            "user.erase",
        ),
        harmless={"role": "patient", "language": "says nothing about a person"},
    ),
)
"""In the order in which an erasure processes them: dependent rows come first."""

WITHOUT_PATIENTS: Mapping[str, str] = {
    "audit_head": "the end of the audit",
    "clinic_reports": "statistics without patients",
    "covers": "doctors",
    "doctor_hours": "doctors",
    "doctors": "doctors",
    "failures": "digests of failed attempts, kept for five minutes",
    "hours_exceptions": "doctors",
    "installation": "the database itself",
    "job_runs": "counts of jobs",
    "visit_types": "appointment types",
    "zone_changes": "ids of appointments",
}
"""Tables without patient data."""
