"""Where a request comes from: the client's address behind a proxy, the requested host name, and a form's origin."""

import re
from ipaddress import IPv6Address, ip_address
from urllib.parse import urlsplit

from flask import Request

PORTS = {"http": 80, "https": 443}
_in_brackets = re.compile(r"\[([^\[\]]*)\](?::\d*)?").fullmatch
_with_port = re.compile(r"([^:]*):\d*").fullmatch


def address(request: Request, trusted_proxy: str) -> str:
    """Return the client's address: the connection's, or the last one that a trusted proxy forwards; empty if none."""
    return client(request.remote_addr or "", request.headers.get("X-Forwarded-For", ""), trusted_proxy)


def client(peer: str, forwarded_for: str, trusted_proxy: str) -> str:
    """Return the same from the connection's address and the proxy's header."""
    proxy = bare_address(trusted_proxy)
    if not proxy or bare_address(peer) != proxy:
        return peer
    passed_on = bare_address(forwarded_for.rpartition(",")[2])
    return "" if passed_on == proxy else passed_on


def bare_address(text: str) -> str:
    """Return an IP address without quotes, brackets, port, and zone; empty if it isn't one.

    An IPv4-mapped IPv6 address (`::ffff:192.0.2.1`) becomes the IPv4 address.
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
    """Return the name in a Host header without port and trailing dot; empty for none."""
    try:
        name = urlsplit(f"//{host}").hostname or ""
    except ValueError:
        return ""
    return name.removesuffix(".")


def origin(url: str) -> tuple[str, str, int] | None:
    """Return scheme, name, and port of a URL; None if it isn't an HTTP URL."""
    try:
        parts = urlsplit(url)
        port = parts.port or PORTS.get(parts.scheme, 0)
    except ValueError:
        return None
    if parts.scheme not in PORTS or not parts.hostname:
        return None
    return parts.scheme, parts.hostname.removesuffix("."), port
