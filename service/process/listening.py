"""The sockets the service listens on. They stay open during a restart, so that new connections wait."""

import os
import socket
from collections.abc import Sequence
from contextlib import suppress
from ipaddress import ip_address
from typing import Any

from service.config.settings import SettingsError

BACKLOG = 1024
Address = tuple[socket.AddressFamily, tuple[Any, ...]]


class Listening:
    """Listens on one host and port at a time."""

    def __init__(self) -> None:
        self._host = ""
        self._wanted = 0
        self.port = 0
        """The open port; 0 if none."""
        self.sockets: list[socket.socket] = []

    def open(self, host: str, port: int) -> None:
        """Listen only there. Raises SettingsError, and keeps listening as before, if that's impossible."""
        if self.sockets and host == self._host and port in (self._wanted, self.port):
            return
        addresses = _addresses(host, port)
        former = (self._host, self._wanted, self.port)
        self.close()
        try:
            self._open(addresses)
        except OSError as error:
            self.close()
            if former[2]:
                self._open(_addresses(former[0], former[2]))
            raise SettingsError(cannot_use(host, port, error)) from None
        self._host, self._wanted = host, port

    def copies(self) -> list[socket.socket]:
        """Return duplicates of the sockets, for a server that closes the ones it gets."""
        return [one.dup() for one in self.sockets]

    def close(self) -> None:
        """Stop listening."""
        for one in self.sockets:
            with suppress(OSError):
                one.close()
        self.sockets, self.port = [], 0

    def _open(self, addresses: Sequence[Address]) -> None:
        for family, address in addresses:
            made = _bound(family, (address[0], self.port or address[1], *address[2:]))
            self.sockets.append(made)
            self.port = made.getsockname()[1]


def try_out(host: str, port: int) -> None:
    """Raise SettingsError if the port can't be used: taken, forbidden, or not an address of this computer."""
    trial = Listening()
    trial.open(host, port)
    trial.close()


def network_address() -> str:
    """Return this computer's address in its network; empty if there is none. Nothing is sent."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe, suppress(OSError):
        probe.connect(("192.0.2.1", 9))  # a documentation address (RFC 5737): only the route to it is looked up
        found = str(probe.getsockname()[0])
        return "" if found.startswith("127.") else found
    return ""


def is_loopback(name: str | None) -> bool:
    """Return whether a name or address means the local computer, so other computers can't reach this one with it."""
    try:
        return name == "localhost" or ip_address(name or "").is_loopback
    except ValueError:
        return False


def is_ours(name: str) -> bool:
    """Return whether an address, or the address of a name, belongs to this computer."""
    try:
        found = socket.getaddrinfo(name, 0, type=socket.SOCK_DGRAM)
        for family, kind, _proto, _name, address in found:
            with socket.socket(family, kind) as probe:
                probe.bind(address)
    except (OSError, ValueError):
        return False
    return True


def cannot_use(host: str, port: int, error: OSError) -> str:
    """Say why a port can't be used, and what to do."""
    return f"Port {port} on {host} cannot be used ({error.strerror}): set [server] port, or --port, to another one."


def _addresses(host: str, port: int) -> Sequence[Address]:
    try:
        named = None if host == "*" else host
        found = socket.getaddrinfo(named, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
    except (socket.gaierror, ValueError):
        raise SettingsError(f"{host} is not an address of this computer: set [server] host, or --host.") from None
    return list(dict.fromkeys((family, address) for family, _type, _proto, _name, address in found))


def _bound(family: socket.AddressFamily, address: tuple[Any, ...]) -> socket.socket:
    made = socket.socket(family, socket.SOCK_STREAM)
    try:
        if os.name == "posix":  # elsewhere, it would let two programs share the port
            made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if family == socket.AF_INET6:
            made.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        made.bind(address)
        made.listen(BACKLOG)
    except BaseException:
        made.close()
        raise
    return made
