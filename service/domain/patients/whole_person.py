"""A person as a whole: each column of `patients` and each table with something of a patient in it, and its rules.

Merging, erasure and the patient's own export read this list. A column or table that is missing here fails
tests/domain/patients/test_whole_person.py, which names it.
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
from service.language.translation import gettext as _
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
STATE = LeftOut("the clinic's own note on the record, not about the person")
OF_THE_RECORD = Stays("says when something happened to the record, not to whom")

COLUMNS: Mapping[str, ColumnRule] = {
    "id": ColumnRule(Merged.KEPT, Stays("the figures count by it"), _("number of the patient's record at this clinic")),
    "name": ColumnRule(Merged.KEPT, Becomes(), _("name"), CONTACT),
    "given_name": ColumnRule(
        Merged.FILLED, Becomes(), _("given name as it stands in greetings, or null where nobody has said it"), CONTACT
    ),
    "birth_date": ColumnRule(Merged.FILLED, Becomes(), _("day of birth, or null"), CONTACT),
    "email": ColumnRule(Merged.FILLED, Becomes(), _("e-mail address, or null"), CONTACT),
    "email_key": ColumnRule(
        Merged.SETTLED, Becomes(), LeftOut("the e-mail address once more, as it is compared"), CONTACT
    ),
    "email_form": ColumnRule(
        Merged.SETTLED, Becomes(AddressForm.TYPED), LeftOut("says whether an old address was checked"), CONTACT
    ),
    "phone": ColumnRule(Merged.FILLED, Becomes(), _("phone number with country code, or null"), CONTACT),
    "language": ColumnRule(
        Merged.WITH_ADDRESS,
        Becomes(),
        _("language of the messages to this person; null: the clinic's"),
        CONSENT,
    ),
    "preferred_channel": ColumnRule(
        Merged.WITH_ADDRESS, Becomes(Channel.EMAIL), _("how messages are sent first: email or sms"), CONSENT
    ),
    "email_allowed": ColumnRule(
        Merged.STRICTER, Becomes(False), _("whether messages by e-mail are allowed: true or false"), CONSENT
    ),
    "sms_allowed": ColumnRule(
        Merged.STRICTER, Becomes(False), _("whether messages by SMS are allowed: true or false"), CONSENT
    ),
    "allergies": ColumnRule(Merged.JOINED, Becomes(""), _("known allergies"), ALERTS),
    "alerts": ColumnRule(Merged.JOINED, Becomes(""), _("what everybody who treats this person has to know"), ALERTS),
    "created_at": ColumnRule(Merged.KEPT, OF_THE_RECORD, _("when the record was made")),
    "folded_name": ColumnRule(Merged.KEPT, Becomes(), LeftOut("the name once more, as a search compares it"), CONTACT),
    "imported_line": ColumnRule(
        Merged.KEPT, Becomes(), LeftOut("a digest, by which an import knows its line again"), ("import.patients",)
    ),
    "registered_at": ColumnRule(Merged.SETTLED, Becomes(), STATE, ("user.register", "patient.confirm")),
    "merged_into_id": ColumnRule(
        Merged.SETTLED, Stays("says which records are one person's"), STATE, ("patient.merge", "patient.merged_away")
    ),
    "archived_at": ColumnRule(Merged.SETTLED, OF_THE_RECORD, STATE, ("patient.archive", "patient.restore")),
    "erased_at": ColumnRule(Merged.KEPT, OF_THE_RECORD, STATE, ("patient.erase",)),
    "version": ColumnRule(Merged.KEPT, OF_THE_RECORD, STATE),
}
"""In the order of the export. `name` and `folded_name` become the pseudonym."""


def _visits(person: Person) -> Any:
    return select(Appointment.id).where(Appointment.patient_id.in_(person.records))


def _treatments(person: Person) -> Any:
    return select(Treatment.id).where(Treatment.appointment_id.in_(_visits(person)))


def _entries(person: Person) -> Any:
    """Audit entries about the person or their accounts."""
    accounts = [f"user/{number}" for number in person.accounts]
    theirs = or_(AuditEntry.patient_id.in_(person.records), AuditEntry.subject.in_(accounts))
    return select(AuditEntry.id).where(theirs)


FOR_SIGNING_IN = LeftOut("lets somebody in")
LOOKED_AT = LeftOut("shown on the page *Who looked*, with everything else that was done with the record")

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
        LeftOut("a question about a visit that is over once it is answered"),
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
        | {"calendar_uid": "made of a number and the clinic's address"},
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
            "rule": "what kind of message it was",
            "event": "what caused it",
            "about": "a row's number",
            "language": "tells of nobody",
            "owner": "the process that sent it",
        },
    ),
    TableRule(
        Offer,
        lambda person: Offer.waiting_id.in_(
            select(WaitlistEntry.id).where(WaitlistEntry.patient_id.in_(person.records))
        ),
        Rows.FOLLOW,
        Stays("times and doctors only"),
        LeftOut("a time that was held for a while; what came of it is a visit"),
        ("offer.make", "offer.accept", "offer.decline"),
    ),
    TableRule(
        WaitlistEntry,
        lambda person: WaitlistEntry.patient_id.in_(person.records),
        Rows.MOVE,
        Emptied({"note": ""}),
        LeftOut("a wish that is over once it is met; what came of it is a visit"),
        ("waiting.add", "waiting.remove"),
        harmless={"weekdays": "days on which a time was looked for"},
    ),
    TableRule(
        Export,
        lambda person: or_(Export.patient_id.in_(person.records), Export.patient_id.is_(None)),
        Rows.MOVE,
        Rewritten(("status",), "finished files, also of the whole clinic, expire"),
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
        LeftOut("tells of other people"),
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
        Stays("sealed: an entry never changes"),
        LOOKED_AT,
        harmless=dict.fromkeys(
            ("role", "address", "act", "subject", "digest", "seal"), "numbers, acts and network addresses, never a name"
        ),
    ),
    TableRule(
        Report,
        lambda person: true(),
        Rows.STAY,
        Rewritten(("content",), "the pseudonym stands in the place of the name, and texts are empty"),
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
        harmless={"month": "a month", "reason": "why the whole report was made again"},
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
        harmless={"token_hash": "random", "scopes": "what the program might do"},
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
        harmless={"role": "patient", "language": "tells of nobody"},
    ),
)
"""In an order in which an erasure may empty them: what hangs on a row comes before it."""

NOBODYS: Mapping[str, str] = {
    "audit_head": "where the audit ends",
    "clinic_reports": "figures, without any patient",
    "covers": "doctors",
    "doctor_hours": "doctors",
    "doctors": "doctors",
    "failures": "digests of what was tried, for five minutes",
    "hours_exceptions": "doctors",
    "installation": "the database itself",
    "job_runs": "counts of jobs",
    "visit_types": "kinds of visits",
    "zone_changes": "numbers of visits",
}
"""Tables that hold nothing of a patient."""
