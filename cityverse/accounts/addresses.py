"""Addresses of those who ask, as limits count them."""

from __future__ import annotations

import ipaddress

_IPV6_PREFIX = 64


def network_of(address: str | None) -> str:
    """What one person is likely to have: an IPv4 address, or the /64 of an IPv6 address.

    What is no address, and none, is this machine itself.
    """
    try:
        found = ipaddress.ip_address((address or "").partition("%")[0])
    except ValueError:
        return "local"
    if isinstance(found, ipaddress.IPv6Address) and found.ipv4_mapped is not None:
        found = found.ipv4_mapped
    if found.is_loopback:
        return "local"
    if found.version == 4:
        return str(found)
    return str(ipaddress.ip_network((found, _IPV6_PREFIX), strict=False))
