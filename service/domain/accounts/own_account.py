"""Changes to one's own account: name, e-mail address, phone, password."""

from collections.abc import Collection, Sequence

from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from service.domain.accounts import acting, addresses, user_tokens, users
from service.domain.accounts.acting import Who
from service.domain.accounts.passwords import NewPassword
from service.domain.foundation import audit, contact_details, locks, throttle
from service.domain.foundation.actor import Actor, Role
from service.domain.foundation.errors import Conflict, Invalid, NotFound
from service.domain.foundation.throttle import Act
from service.domain.outbox import outbox
from service.domain.patients import consent, shared_email
from service.language import catalogs
from service.language.translation import gettext as _
from service.mail_addresses import address_key
from service.storage.models import AddressForm, Patient, TokenPurpose, User
from service.storage.search_keys import normalized_name


def fetch(session: Session, actor: Actor) -> User:
    """The actor's own account. Raises NotFound for the system."""
    user = session.get(User, actor.user_id) if actor.user_id is not None else None
    if user is None:
        raise NotFound
    return user


def own_record(session: Session, actor: Actor) -> Patient | None:
    """The record with the address of the patient's account: of several, the one with its name too; None if unclear."""
    found = records(session, actor)
    if len(found) > 1:
        name = normalized_name(fetch(session, actor).name)
        found = [one for one in found if normalized_name(one.name) == name]
    return found[0] if len(found) == 1 else None


def greeted(session: Session, actor: Actor) -> str:
    """What a greeting calls a patient who signs in: their own record's given name if it is known, else their name."""
    record = own_record(session, actor)
    return (record.given_name if record is not None else None) or actor.name


def is_asked_for_address(session: Session, actor: Actor) -> bool:
    """Whether the address may be stored wrongly by an earlier release, and its owner has not said yet what it is."""
    user = fetch(session, actor)
    return user.email_form == AddressForm.DOUBTFUL and user.new_email is None


def change_name(session: Session, actor: Actor, name: str) -> None:
    """Write one's name again; the names of doctors and patients on records are not touched. Raises Invalid."""
    user = fetch(session, actor)
    user.name = contact_details.checked_name(name)
    audit.record(session, actor, "user.name", subject=f"user/{user.id}")


def change_language(session: Session, actor: Actor, code: str) -> None:
    """Choose the language of one's own pages and mail; empty: the clinic's. Raises Invalid."""
    if code and code not in catalogs.offered():
        raise Invalid(_("Choose one of the languages in the list."), "language")
    user = fetch(session, actor)
    user.language = code or None
    audit.record(session, actor, "user.language", subject=f"user/{user.id}")


def records(session: Session, actor: Actor) -> Sequence[Patient]:
    """The records a patient's account looks after that bear its address: one's own, and those of a family."""
    return shared_email.sharing(session, actor, fetch(session, actor).email_key) if actor.role == Role.PATIENT else []


def ask_for_email(session: Session, actor: Actor, email: str, chosen: Collection[int] | None = None) -> None:
    """Have the link mailed by which someone proves that a new address is theirs; until then nothing changes.

    `chosen` of records() get the address too once it is proven, all of them when no one chose. The address that is
    stored already is confirmed by it. For an address of another account its owner gets a mail instead: anyone who asks
    learns nothing of that. Raises Invalid and Throttled.
    """
    user, address = fetch(session, actor), contact_details.checked_email(email)
    if address == user.email:
        user.new_email = None
        _confirm(session, actor, user)
        return
    throttle.attempt(session, Act.EMAIL_CHANGE, account=user.id, email=address_key(address), network=actor.address)
    user.new_email, user.new_email_of = address, None if chosen is None else sorted(chosen)
    other = addresses.of(session, address)
    if other is None or other.id == user.id:
        outbox.to_address(session, "email_proof", address, event="user.email_asked").user_id = user.id
    else:
        outbox.to_user(session, "email_known", other, event="user.email_asked")
    audit.record(session, actor, "user.email_asked", subject=f"user/{user.id}")


def email_asked(session: Session, token: str) -> User | None:
    """Whose new address a usable link proves; None once it was used, is too old, or another address is wanted."""
    return user_tokens.user_of(session, token, TokenPurpose.EMAIL)


def prove_email(session: Session, token: str, address: str) -> list[int]:
    """Sign in by the proven address from now on; the old one is told. Returns the ids of the records that follow.

    `address` is the network address it comes from. Raises Conflict for a dead link, and for an e-mail that another
    account got meanwhile.
    """
    asked = email_asked(session, token)
    if asked is not None:  # patients are locked before the link is
        locks.patients(session, *_as_actor(session, asked, address).patient_ids)
        session.refresh(asked)  # another act may have changed the account meanwhile
    user = user_tokens.use_up(session, token, TokenPurpose.EMAIL)
    actor = _as_actor(session, user, address)
    before, proven, chosen = user.email_key, user.new_email, user.new_email_of
    assert proven is not None  # or the link would be dead
    if not addresses.corrects(user, proven):  # the stored form of an earlier release may be someone else's address
        outbox.to_user(session, "account_changed", user, event="user.email")
    user.email = proven
    try:
        session.flush()
    except IntegrityError:
        raise Conflict(_("Another account already uses this e-mail address.")) from None
    user_tokens.revoke(session, user.id)  # links that lie in the old mailbox
    audit.record(session, actor, "user.email", subject=f"user/{user.id}")
    return shared_email.change(session, actor, before, proven, chosen) if actor.role == Role.PATIENT else []


def _as_actor(session: Session, user: User, address: str) -> Actor:
    return acting.actor(session, Who(user.id, user.name, Role(user.role), None), address)


def _confirm(session: Session, actor: Actor, user: User) -> None:
    """Note that an address which an earlier release stored is right as it stands, on the records that bear it too."""
    if user.email_form == AddressForm.TYPED:
        return
    locks.patients(session, *actor.patient_ids)
    user.email_form = AddressForm.TYPED
    for record in records(session, actor):
        record.email_form = AddressForm.TYPED
    audit.record(session, actor, "user.email_confirm", subject=f"user/{user.id}")


def record_to_call(session: Session, actor: Actor, patient_id: int | None = None) -> Patient:
    """Find one of records() by its id, or one's own without an id. Raises NotFound."""
    if patient_id is None:
        record = own_record(session, actor)
    else:
        record = next((one for one in records(session, actor) if one.id == patient_id), None)
    if record is None:
        raise NotFound
    return record


def change_phone(session: Session, actor: Actor, phone: str, country: str, patient_id: int | None = None) -> None:
    """Change the phone number of record_to_call(); the account is told by e-mail. Raises Invalid, NotFound."""
    locks.patients(session, *actor.patient_ids)
    record = record_to_call(session, actor, patient_id)
    number = contact_details.checked_phone(phone, country)
    if number == record.phone:
        return
    throttle.attempt(session, Act.PHONE_CHANGE, account=actor.user_id)
    record.phone = number
    audit.record(session, actor, "patient.change", patient_id=record.id, changes=audit.changes_of(record))
    consent.keep_refusals(session, Patient.id == record.id)
    outbox.to_user(session, "account_changed", fetch(session, actor), event="user.phone")


def change_password(session: Session, actor: Actor, password: NewPassword) -> None:
    """Put a new password in the place of the one that was just given; every session ends, and the person is told."""
    user = fetch(session, actor)
    users.set_password(session, user, password)
    throttle.succeeded(session, Act.SIGN_IN, email=user.email_key)
    audit.record(session, actor, "user.password", subject=f"user/{user.id}")
    outbox.to_user(session, "account_changed", user, event="user.password")
