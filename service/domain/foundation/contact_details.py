"""Check and normalize names, e-mail addresses, birth dates, and phone numbers as people type them."""

import re
import unicodedata
from datetime import date
from zoneinfo import ZoneInfo

from service import clock, mail_addresses
from service.domain.foundation.errors import Invalid
from service.language.translation import gettext as _

LINKED = re.compile(r"://|\S@\S|\bwww\.|\w\.(?:[a-z]{2,}|[A-Z]{2,})(?:[/?#:]|\s|$)")
"""Text that a mail program may turn into a link, because names appear in messages. `Dr.Anna` is allowed."""
OLDEST = 130
"""In years."""
TITLES = frozenset(
    ("dr", "prof", "med", "dipl", "ing", "mr", "mrs", "ms", "miss", "mx", "sir", "herr", "frau", "sr", "jr")
)
"""Titles before or after a name, which aren't given names."""
LONGEST_EMAIL = 254
JOINERS = {0x200C: None, 0x200D: None}
"""Invisible characters, which IDNA 2008 allows only between letters whose shape they change."""


def checked_email(text: str) -> str:
    """Return the address as typed, without surrounding spaces. Raises Invalid if it isn't one.

    Domains of a local network are allowed. Compare addresses with mail_addresses.address_key().
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
    """Return the address without joiners, which domains in Sinhala or Persian may need but the checker refuses."""
    local, _at, domain = address.rpartition("@")
    try:
        readable = mail_addresses.readable_domain(domain)
    except ValueError:
        return address  # the checker has the better error message
    return f"{local}@{readable.translate(JOINERS)}"


def checked_name(text: str) -> str:
    """Return a name of 1 to 200 characters in any script. Raises Invalid for control characters and line breaks."""
    name = text.strip()
    if not 1 <= len(name) <= 200:
        raise Invalid(_("Enter a name of up to 200 characters."), "name")
    if any(unicodedata.category(letter) in ("Cc", "Cs", "Zl", "Zp") for letter in name):
        raise Invalid(_("A name can't contain line breaks or control characters."), "name")
    if LINKED.search(name):
        raise Invalid(_("A name can't contain a web or e-mail address."), "name")
    return name


def checked_given_name(text: str) -> str | None:
    """Return a name for greetings of at most 200 characters; None if empty. Raises Invalid for only a title."""
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
    """Return the birth date of someone alive, from 130 years ago until today. Raises Invalid otherwise."""
    today = clock.today(zone)
    if day is not None and day > today:
        raise Invalid(_("The birth date is in the future. Check the year."), "birth_date")
    if day is not None and day.year < today.year - OLDEST:
        raise Invalid(_("The birth date is more than 130 years ago. Check the year."), "birth_date")
    return day


def checked_department(text: str) -> str:
    """Return a department's name of at most 100 characters. Raises Invalid otherwise."""
    if len(text.strip()) > 100:
        raise Invalid(_("Use at most 100 characters for the department."), "department")
    return text.strip()


def checked_phone(text: str, country: str) -> str | None:
    """Return the number in E.164; None if empty. Without a country code, it's read as one of the clinic's country."""
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
