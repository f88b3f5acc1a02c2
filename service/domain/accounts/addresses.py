"""Find the account of an e-mail address, by its key and by the form an earlier release may have stored."""

from dataclasses import dataclass

from sqlalchemy import ColumnElement, or_, select
from sqlalchemy.orm import Session

from service.mail_addresses import address_key, as_folded_before
from service.storage.models import AddressForm, Patient, User


@dataclass(frozen=True)
class Holder:
    """The account an address belongs to."""

    user: User
    is_certain: bool
    """False where only the form of an earlier release fits: then it may be someone else's, so nothing is sent to the
    stored address and no one is given access because of it."""


def holder(session: Session, address: str) -> Holder | None:
    """Find the account of an address, in any spelling; closed accounts hold theirs too."""
    certain = of(session, address)
    if certain is not None:
        return Holder(certain, is_certain=True)
    before = (User.email == as_folded_before(address), User.email_form != AddressForm.TYPED)
    found = session.scalar(select(User).where(*before))
    return None if found is None else Holder(found, is_certain=False)


def of(session: Session, address: str) -> User | None:
    """Find the account whose address this is for certain: the only one that may be written to or handed anything."""
    return session.scalar(select(User).where(User.email_key == address_key(address)))


def corrects(row: User | Patient, address: str) -> bool:
    """Whether an earlier release would have stored this address as the one the row still has."""
    return row.email_form != AddressForm.TYPED and as_folded_before(address) == row.email


def throttled_by(session: Session, address: str) -> str:
    """Return the key that tries at an account are counted under, the same for all forms of its address."""
    found = holder(session, address)
    return found.user.email_key if found else address_key(address)


def holding(text: str) -> ColumnElement[bool]:
    """The condition on users whose address holds a piece of text, in any spelling."""
    piece = address_key(text) if "@" in text else text.lower()
    return or_(User.email.icontains(text, autoescape=True), User.email_key.contains(piece, autoescape=True))
