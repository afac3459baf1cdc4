"""Which network addresses a server that somebody names may have.

Source: IANA special-purpose address registries; RFC 4291 (mapped), 3056 (6to4), 4380 (Teredo),
6052 and 8215 (NAT64).
"""

from __future__ import annotations

import ipaddress
from collections.abc import Iterator

__all__ = ["Address", "problem_with"]

_NAT64 = [ipaddress.IPv6Network("64:ff9b::/96"), ipaddress.IPv6Network("64:ff9b:1::/48")]
# Where clouds hand out credentials: their documentation of instance metadata and of container roles
# (AWS, Azure, Google, Oracle, DigitalOcean; Alibaba; AWS ECS and EKS; Azure's host).
_METADATA = {
    ipaddress.ip_address(text)
    for text in (
        "169.254.169.254", "169.254.170.2", "169.254.170.23", "100.100.100.200", "168.63.129.16",
        "192.0.0.192", "fd00:ec2::254", "fd00:ec2::23", "fd20:ce::254",
    )
}  # fmt: skip
_SHARED = ipaddress.IPv4Network("100.64.0.0/10")  # carrier-grade NAT, RFC 6598

Address = ipaddress.IPv4Address | ipaddress.IPv6Address


def problem_with(address: Address, *, allow_private: bool) -> str | None:
    """Return why an address is refused, or None.

    Args:
        address: The address that a connection would go to.
        allow_private: Let pass this machine, private networks, link-local addresses and those that
            a carrier shares out. Where a cloud hands out credentials stays refused.
    """
    for each in _meant(address):
        if each.is_multicast or each.is_unspecified or each in _METADATA:
            return "an address that no server has, or that only a cloud's own services have"
        if allow_private and (each.is_private or each.is_link_local or each in _SHARED):
            continue
        site_local = isinstance(each, ipaddress.IPv6Address) and each.is_site_local
        if not each.is_global or each.is_reserved or site_local:
            return "an address of this machine or of a private network"
    return None


def _meant(address: Address) -> Iterator[Address]:
    """Yield the address itself, or those inside it that packets to it end up at."""
    if isinstance(address, ipaddress.IPv4Address):
        yield address
        return
    address = ipaddress.IPv6Address(int(address))  # without the interface it is reached by
    inner = [address.ipv4_mapped, address.sixtofour, *(address.teredo or ())]
    if any(address in network for network in _NAT64):
        inner.append(ipaddress.IPv4Address(int(address) & 0xFFFFFFFF))
    if int(address) >> 32 == 0 and int(address) > 1:  # IPv4-compatible, RFC 4291 section 2.5.5.1
        inner.append(ipaddress.IPv4Address(int(address)))
    found = [each for each in inner if each is not None]
    yield from found or [address]
