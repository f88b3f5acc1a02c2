"""E-mail addresses: stored as typed, compared by a key, and sent to the ASCII form of their domain."""

import unicodedata

LONGEST_KEY = 400
"""The length of a key column. Lower case may be longer than what was typed, and an A-label longer than its text."""


def address_key(address: str) -> str:
    """Return the same key for all spellings of an address: lower-case local part, and the domain as in DNS.

    It never raises. Text that isn't an address gets a key that no address has.
    """
    local, _at, domain = unicodedata.normalize("NFC", address.replace("\0", " ").strip()).rpartition("@")
    try:
        domain = ascii_domain(domain)
    except ValueError:
        domain = domain.lower()
    return f"{unicodedata.normalize('NFC', local.lower())}@{domain}"[:LONGEST_KEY]


def ascii_domain(domain: str) -> str:
    """Return a domain in lower case with each label as its A-label (IDNA 2008): `straße.de` is `xn--strae-oqa.de`.

    Capital and full-width letters are mapped first, as browsers do (UTS 46, nontransitional). Raises ValueError for a
    domain that no registry would accept.
    """
    if domain.isascii():
        return domain.lower()
    import idna  # takes 10 ms, and its tables 20 more

    return idna.encode(domain, uts46=True).decode("ascii")


def as_sent(address: str) -> str:
    """Return the address as sent to a mail server, with the local part as typed. Raises ValueError without a domain."""
    local, _at, domain = address.rpartition("@")
    return f"{local}@{ascii_domain(domain)}"


def as_folded_before(address: str) -> str:
    """Return the form in which earlier releases stored an address that was typed like this.

    They wrote `ß` as `ss` and `ς` as `σ`, so old accounts may have an address that nobody ever typed.
    """
    local, _at, domain = unicodedata.normalize("NFC", address.strip().replace("\0", " ")).rpartition("@")
    try:
        domain = readable_domain(domain)
    except ValueError:
        domain = domain.lower()
    return f"{local}@{domain}".casefold()


def readable_domain(domain: str) -> str:
    """Return a domain with its A-labels decoded. Raises ValueError as ascii_domain() does."""
    encoded = ascii_domain(domain)
    if "xn--" not in encoded:
        return encoded
    import idna

    return idna.decode(encoded)
