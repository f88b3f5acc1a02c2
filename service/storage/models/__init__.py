"""All tables, an area a file; no rules. The classes are imported from here."""

from service.storage.models.accounts import (
    ApiToken,
    Doctor,
    Guardian,
    RecoveryCode,
    SecondFactor,
    SignIn,
    UnsentForm,
    User,
    UserToken,
)
from service.storage.models.appointments import Appointment, Treatment, TreatmentVersion, VisitType
from service.storage.models.declaration import SECRET, Base, UtcDateTime
from service.storage.models.diary import Cover, DoctorHours, HoursException, MoveProposal, Offer, WaitingEntry
from service.storage.models.exports import Export
from service.storage.models.foundation import (
    AuditDetail,
    AuditEntry,
    AuditHead,
    Failure,
    IdempotencyKey,
    Installation,
    JobRun,
)
from service.storage.models.messages import LinkPurpose, MessageLink
from service.storage.models.outbox import Channel, Message, MessageStatus, SkipReason
from service.storage.models.patients import ConsentChange, ConsentVia, Patient
from service.storage.models.privacy import EmergencyAccess, LegalHold
from service.storage.models.reports import ClinicReport, Report, ReportVersion

__all__ = [
    "SECRET",
    "ApiToken",
    "Appointment",
    "AuditDetail",
    "AuditEntry",
    "AuditHead",
    "Base",
    "Channel",
    "ClinicReport",
    "ConsentChange",
    "ConsentVia",
    "Cover",
    "Doctor",
    "DoctorHours",
    "EmergencyAccess",
    "Export",
    "Failure",
    "Guardian",
    "HoursException",
    "IdempotencyKey",
    "Installation",
    "JobRun",
    "LegalHold",
    "LinkPurpose",
    "Message",
    "MessageLink",
    "MessageStatus",
    "MoveProposal",
    "Offer",
    "Patient",
    "RecoveryCode",
    "Report",
    "ReportVersion",
    "SecondFactor",
    "SignIn",
    "SkipReason",
    "Treatment",
    "TreatmentVersion",
    "UnsentForm",
    "User",
    "UserToken",
    "UtcDateTime",
    "VisitType",
    "WaitingEntry",
]
