"""Where the daemon may listen: on loopback, or elsewhere behind a token."""

from __future__ import annotations

import ipaddress
import re
from dataclasses import dataclass

from core.errors import UserError

_HOST_NAME = re.compile(r"[A-Za-z0-9]([A-Za-z0-9._-]{0,251}[A-Za-z0-9])?", re.ASCII)


@dataclass(frozen=True, slots=True)
class ListenAddress:
    """A host (name or address, without brackets) and a port; port 0 takes any free one."""

    host: str
    port: int

    def __str__(self) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{host}:{self.port}"


def parse_listen(text: str) -> ListenAddress:
    """Read `HOST:PORT`, `[IPV6]:PORT` or `:PORT` (all addresses).

    Raises: UserError: it is none of these.
    """
    host, colon, port = text.rpartition(":")
    if not colon or not port.isascii() or not port.isdigit() or int(port) > 65535:
        raise UserError(f"{text!r} is no address to listen on; write HOST:PORT, such as 127.0.0.1:8797")
    if host.startswith("[") and host.endswith("]"):
        host = host[1:-1]
        if not _is_address(host) or ":" not in host:
            raise UserError(f"{text!r}: there is no IPv6 address between the brackets; write [::1]:8797")
    elif ":" in host:
        raise UserError(f"{text!r}: put an IPv6 address into brackets, such as [::1]:8797")
    elif host and not _HOST_NAME.fullmatch(host):
        raise UserError(f"{text!r}: {host!r} is no host; write HOST:PORT, such as 127.0.0.1:8797")
    return ListenAddress(host or "0.0.0.0", int(port))  # noqa: S104 - check_listen refuses it without a token


def check_listen(address: ListenAddress, *, token_configured: bool) -> None:
    """Refuse an address that others can reach while no token protects it.

    Raises: UserError: with what to change.
    """
    if not token_configured and not is_loopback(address.host):
        raise UserError(
            f"web.listen: {address} can be reached by others, and anybody could act through it;"
            " set web.token_file, or listen on 127.0.0.1"
        )


def is_loopback(host: str) -> bool:
    """Tell whether a host name or address can only mean this machine."""
    name = host.rstrip(".").lower()
    if name == "localhost" or name.endswith(".localhost"):
        return True
    try:
        return ipaddress.ip_address(name.partition("%")[0]).is_loopback
    except ValueError:
        return False


def host_of(authority: str) -> str:
    """Return the host of a Host header or of an URL's authority, without port and brackets, in lower case."""
    if authority.startswith("["):
        return authority[1:].partition("]")[0].lower()
    return authority.partition(":")[0].lower()


def _is_address(text: str) -> bool:
    try:
        ipaddress.ip_address(text.partition("%")[0])
    except ValueError:
        return False
    return True
