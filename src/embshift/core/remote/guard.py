"""Guard: the network addresses that a host may be reached at; its answer is what is connected to.

A name is resolved once, and the connection goes to the address that was checked: a name server that answers
otherwise a moment later changes nothing.
"""

import ipaddress
import socket
from typing import TypeAlias

__all__ = ["PrivateAddressError", "connect", "is_public"]

_Ip: TypeAlias = ipaddress.IPv4Address | ipaddress.IPv6Address

_NAT64 = ipaddress.ip_network("64:ff9b::/96")


class PrivateAddressError(Exception):
    """A host lies in a private network, on this machine, or where no server of images is."""


def is_public(text: str, /) -> bool:
    """Return whether a network address is one that anybody on the internet could reach.

    Loopback, private, link-local (which holds the metadata services of clouds), shared, multicast and
    reserved addresses are not, nor are IPv6 addresses that stand for one of these in IPv4.
    """
    found = ipaddress.ip_address(text.partition("%")[0])
    return all(one.is_global and not one.is_multicast and not one.is_reserved for one in _list_forms(found))


def _list_forms(found: _Ip) -> list[_Ip]:
    """Return what an address leads to: itself, or the IPv4 address within it, or both."""
    if isinstance(found, ipaddress.IPv4Address):
        return [found]
    if found.ipv4_mapped:
        return [found.ipv4_mapped]
    if found in _NAT64:
        return [ipaddress.IPv4Address(int(found) & 0xFFFFFFFF)]
    if found.is_site_local:  # "fec0::/10", long out of use, counts as global
        return [ipaddress.IPv6Address("::1")]
    within = (found.sixtofour, found.teredo[1] if found.teredo else None)
    return [found, *(one for one in within if one is not None)]


def connect(host: str, port: int, *, timeout: float, private: bool) -> socket.socket:
    """Connect to a host at an address that was checked.

    Args:
        host: A name or a number in any notation that the system takes.
        port: The port.
        timeout: Seconds for connecting to one address.
        private: Whether private addresses are allowed.

    Raises:
        PrivateAddressError: If one of its addresses is private, and that is not allowed.
        OSError: If it has no address, or none of them answers.
    """
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    for *_, place in found:
        if not private and not is_public(str(place[0])):
            shown = host if host == place[0] else f"{host} ({place[0]})"
            raise PrivateAddressError(f"{shown} is in a private network or on this machine")
    error: OSError = socket.gaierror(socket.EAI_NONAME, "no address")
    for family, kind, protocol, _, place in found:
        made = socket.socket(family, kind, protocol)
        try:
            made.settimeout(timeout)
            made.connect(place)
        except OSError as failed:
            made.close()
            error = failed
        else:
            return made
    raise error
