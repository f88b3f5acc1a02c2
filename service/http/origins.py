"""Where a request comes from: the address behind a proxy, the name that was asked for, and the page a form stood on."""

import re
from ipaddress import IPv6Address, ip_address
from urllib.parse import urlsplit

from flask import Request

PORTS = {"http": 80, "https": 443}
_in_brackets = re.compile(r"\[([^\[\]]*)\](?::\d*)?").fullmatch
_with_port = re.compile(r"([^:]*):\d*").fullmatch


def address(request: Request, trusted_proxy: str) -> str:
    """The address of the client: that of the connection, or what a trusted proxy says last, empty when it says none."""
    return client(request.remote_addr or "", request.headers.get("X-Forwarded-For", ""), trusted_proxy)


def client(peer: str, forwarded_for: str, trusted_proxy: str) -> str:
    """The same from the address of the connection and the proxy's header."""
    proxy = bare_address(trusted_proxy)
    if not proxy or bare_address(peer) != proxy:
        return peer
    passed_on = bare_address(forwarded_for.rpartition(",")[2])
    return "" if passed_on == proxy else passed_on


def bare_address(text: str) -> str:
    """An address alone, without quotes, brackets, port and zone; empty for anything else.

    IPv4 that came over IPv6 (`::ffff:192.0.2.1`) is the IPv4 address.
    """
    text = text.strip().strip('"').strip()
    found = _in_brackets(text) or _with_port(text)
    try:
        read = ip_address((found[1] if found else text).partition("%")[0])
    except ValueError:
        return ""
    mapped = read.ipv4_mapped if isinstance(read, IPv6Address) else None
    return str(mapped or read)


def host_name(host: str) -> str:
    """The name in a Host header, without port and without the dot at the end of a full name; empty for none."""
    try:
        name = urlsplit(f"//{host}").hostname or ""
    except ValueError:
        return ""
    return name.removesuffix(".")


def origin(url: str) -> tuple[str, str, int] | None:
    """Scheme, name and port of a URL; None for what is none."""
    try:
        parts = urlsplit(url)
        port = parts.port or PORTS.get(parts.scheme, 0)
    except ValueError:
        return None
    if parts.scheme not in PORTS or not parts.hostname:
        return None
    return parts.scheme, parts.hostname.removesuffix("."), port
