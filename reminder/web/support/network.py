"""Networks of clients: which addresses count as one, and which are those of trusted proxies."""

import ipaddress
from collections.abc import Sequence
from functools import lru_cache

from reminder.settings import network_of_proxy


def network_named(host: str) -> str:
    """Return the network of an address, as coarse as one household: an IPv4 address, or the /64 of an IPv6 address."""
    if ":" not in host:
        return host
    try:
        found = ipaddress.IPv6Address(host.partition("%")[0])
    except ValueError:
        return host
    if found.ipv4_mapped is not None:
        return str(found.ipv4_mapped)
    return str(ipaddress.IPv6Network((int(found) >> 64 << 64, 64)).network_address)


class TrustedProxies:
    """The addresses and networks of the setting TRUSTED_PROXIES."""

    def __init__(self, written: Sequence[str]) -> None:
        self._networks = [network_of_proxy(one) for one in written]
        self._holds = lru_cache(maxsize=1024)(self._found)

    def __contains__(self, host: str) -> bool:
        return bool(self._networks) and self._holds(host)

    def _found(self, host: str) -> bool:
        try:
            address = ipaddress.ip_address(host)
        except ValueError:
            return False
        return any(address in network for network in self._networks)
