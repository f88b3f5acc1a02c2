"""The sockets the service listens at. They stay open over a restart: who comes meanwhile waits instead of failing."""

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
    """Open at one host and port at a time."""

    def __init__(self) -> None:
        self._host = ""
        self._wanted = 0
        self.port = 0
        """The port it is open at; 0 when it is not."""
        self.sockets: list[socket.socket] = []

    def open(self, host: str, port: int) -> None:
        """Listen there and nowhere else. Raises SettingsError, listening as before, when that cannot be."""
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
        """The same sockets once more, for a server that closes what it was given."""
        return [one.dup() for one in self.sockets]

    def close(self) -> None:
        """Listen nowhere."""
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
    """Raise SettingsError when no one can listen there now: taken, forbidden, or no address of this computer."""
    trial = Listening()
    trial.open(host, port)
    trial.close()


def network_address() -> str:
    """This computer's address in the network it stands in; empty when it is in none. Nothing is sent."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe, suppress(OSError):
        probe.connect(("192.0.2.1", 9))  # an address of no one (RFC 5737): only the way there is looked up
        found = str(probe.getsockname()[0])
        return "" if found.startswith("127.") else found
    return ""


def is_loopback(name: str | None) -> bool:
    """Whether a name or an address stands for the very computer it is used on, and no other finds this one by it."""
    try:
        return name == "localhost" or ip_address(name or "").is_loopback
    except ValueError:
        return False


def is_ours(name: str) -> bool:
    """Whether an address, or what a name stands for, belongs to this computer."""
    try:
        found = socket.getaddrinfo(name, 0, type=socket.SOCK_DGRAM)
        for family, kind, _proto, _name, address in found:
            with socket.socket(family, kind) as probe:
                probe.bind(address)
    except (OSError, ValueError):
        return False
    return True


def cannot_use(host: str, port: int, error: OSError) -> str:
    """Why a port cannot be listened at, and what to do."""
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
        if os.name == "posix":  # elsewhere it would let two programs share the port
            made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if family == socket.AF_INET6:
            made.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        made.bind(address)
        made.listen(BACKLOG)
    except BaseException:
        made.close()
        raise
    return made
