"""Names, addresses, birth dates and numbers as people type them: checked, and in the form in which they are stored."""

import re
import unicodedata
from datetime import date
from zoneinfo import ZoneInfo

from service import clock, mail_addresses
from service.domain.foundation.errors import Invalid
from service.language.translation import gettext as _

LINKED = re.compile(r"://|\S@\S|\bwww\.|\w\.(?:[a-z]{2,}|[A-Z]{2,})(?:[/?#:]|\s|$)")
"""What a mail program may make a link of: a name stands in messages. A title before a name, `Dr.Anna`, is none."""
OLDEST = 130
"""Years."""
TITLES = frozenset(
    ("dr", "prof", "med", "dipl", "ing", "mr", "mrs", "ms", "miss", "mx", "sir", "herr", "frau", "sr", "jr")
)
"""What stands before or after a name; alone it is no one's given name."""
LONGEST_EMAIL = 254
JOINERS = {0x200C: None, 0x200D: None}
"""Invisible; IDNA 2008 takes them only between letters that look different for them."""


def checked_email(text: str) -> str:
    """The address as typed, without the space around it; Invalid when it is none.

    Names of a local network are fine for signing in. Addresses are compared by mail_addresses.address_key().
    """
    import email_validator

    if "local" in email_validator.SPECIAL_USE_DOMAIN_NAMES:
        email_validator.SPECIAL_USE_DOMAIN_NAMES.remove("local")
    address = text.strip()
    try:
        email_validator.validate_email(_without_joiners(address), check_deliverability=False, test_environment=True)
    except email_validator.EmailNotValidError:
        raise Invalid(_("That isn't an e-mail address. It should look like name@example.com."), "email") from None
    if len(address) > LONGEST_EMAIL:
        raise Invalid(_("This e-mail address is too long: 254 characters at most."), "email")
    return address


def _without_joiners(address: str) -> str:
    """The address as the checker takes it: it refuses the joiners that domains in Sinhala or Persian may need."""
    local, _at, domain = address.rpartition("@")
    try:
        readable = mail_addresses.readable_domain(domain)
    except ValueError:
        return address  # the checker says best what is wrong
    return f"{local}@{readable.translate(JOINERS)}"


def checked_name(text: str) -> str:
    """A person's name of 1 to 200 characters in any script; Invalid with control characters or line breaks."""
    name = text.strip()
    if not 1 <= len(name) <= 200:
        raise Invalid(_("Enter a name of up to 200 characters."), "name")
    if any(unicodedata.category(letter) in ("Cc", "Cs", "Zl", "Zp") for letter in name):
        raise Invalid(_("A name can't contain line breaks or control characters."), "name")
    if LINKED.search(name):
        raise Invalid(_("A name can't contain a web or e-mail address."), "name")
    return name


def checked_given_name(text: str) -> str | None:
    """What a greeting calls someone, at most 200 characters; None when empty, Invalid for a title alone."""
    given = text.strip(" ,\t")
    if not given:
        return None
    if all(word.strip(".,").casefold() in TITLES for word in given.split()):
        raise Invalid(_("That is a title. Enter the given name, or leave this empty."), "given_name")
    try:
        return checked_name(given)
    except Invalid as error:
        raise Invalid(str(error), "given_name") from None


def checked_birth_date(day: date | None, zone: ZoneInfo) -> date | None:
    """The day if someone alive may have been born on it, today at the clinic included; Invalid otherwise."""
    today = clock.today(zone)
    if day is not None and day > today:
        raise Invalid(_("The birth date is in the future. Check the year."), "birth_date")
    if day is not None and day.year < today.year - OLDEST:
        raise Invalid(_("The birth date is more than 130 years ago. Check the year."), "birth_date")
    return day


def checked_department(text: str) -> str:
    """A department's name of at most 100 characters; Invalid otherwise."""
    if len(text.strip()) > 100:
        raise Invalid(_("Use at most 100 characters for the department."), "department")
    return text.strip()


def checked_phone(text: str, country: str) -> str | None:
    """The number in E.164, read as one of the clinic's country when it has no code; None when empty."""
    if not text.strip():
        return None
    import phonenumbers

    try:
        number = phonenumbers.parse(text, country or None)
    except phonenumbers.NumberParseException:
        number = None
    if number is None or not phonenumbers.is_valid_number(number):
        raise Invalid(
            _("That isn't a valid phone number. Numbers from abroad start with + and the country code."), "phone"
        )
    return str(phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164))
