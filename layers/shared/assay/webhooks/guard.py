"""Where webhooks may go: public addresses over TLS.

Whoever configures a webhook makes us connect to somewhere. That must not be a machine of our own network, nor the
cloud's metadata service. A URL is checked when it is configured, the addresses of its host when a connection is made
(`assay.webhooks.resolver`): a name may mean something else by then.
"""

from __future__ import annotations

from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address

from yarl import URL

MAX_URL = 2048
HTTPS_PORT = 443
UNPRIVILEGED = 1024
"""Below are mail servers, shells and the like: of those ports only HTTPS's own is let through."""

_GLOBAL_UNICAST = IPv6Network("2000::/3")
_NAT64 = IPv6Network("64:ff9b::/96")
_LOCAL_V4 = tuple(map(IPv4Network, ("127.0.0.0/8", "10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16")))
_LOCAL_V6 = tuple(map(IPv6Network, ("::1/128", "fc00::/7")))
_PLATFORM_V4 = tuple(map(IPv4Network, ("192.0.0.0/24", "168.63.129.16/32")))
_PLATFORM_V6 = IPv6Network("fd00:ec2::/32")
"""Metadata and other services of clouds, besides the link-local ones."""

Address = IPv4Address | IPv6Address


def checked_url(text: str, allow_local: bool = False) -> URL:
    """The URL of an endpoint, as it will be sent to. Raises `ValueError`, which says what is wrong and repeats nothing.

    `allow_local`, for development: plain HTTP, loopback and private addresses and any port are let through as well.
    """
    if len(text) > MAX_URL or not text.isascii() or not text.isprintable() or " " in text:
        raise ValueError(f"should be a URL of at most {MAX_URL} printable ASCII characters")
    try:
        url = URL(text)
        host, port = url.host, url.port
    except ValueError:
        raise ValueError("should be a URL") from None
    if url.scheme != "https" and not (allow_local and url.scheme == "http"):
        raise ValueError("should begin with https://")
    if not host or url.user is not None or url.password is not None or url.fragment:
        raise ValueError("should name a host, and neither a user, a password nor a fragment")
    if not allow_local and port != HTTPS_PORT and (port or 0) < UNPRIVILEGED:
        raise ValueError(f"the port should be {HTTPS_PORT}, or {UNPRIVILEGED} and above")
    address = _literal(host)
    if address is not None and not may_be_sent_to(address, allow_local):
        raise ValueError("the address is not a public one")
    return url


def may_be_sent_to(address: Address, allow_local: bool) -> bool:
    """Whether a connection to the address is allowed. Link-local ones (the metadata service) never are."""
    if isinstance(address, IPv4Address):
        local = allow_local and _within(address, _LOCAL_V4)
        return local or (address.is_global and not address.is_multicast and not _within(address, _PLATFORM_V4))
    inner = _inner(address)
    if inner is not None:
        return may_be_sent_to(inner, allow_local)
    local = allow_local and _within(address, _LOCAL_V6) and address not in _PLATFORM_V6
    return local or (address in _GLOBAL_UNICAST and address.is_global and address.teredo is None)


def _literal(host: str) -> Address | None:
    """The address that the host is; None for a name. Raises `ValueError` for an odd spelling (`127.1`)."""
    try:
        return ip_address(host)
    except ValueError:
        last = host.rstrip(".").rpartition(".")[2]
        if last.isdecimal() or last.startswith("0x"):
            raise ValueError("should name a host, or an address in its usual spelling") from None
        return None


def _within(address: Address, networks: tuple[IPv4Network, ...] | tuple[IPv6Network, ...]) -> bool:
    return any(address in network for network in networks)


def _inner(address: IPv6Address) -> IPv4Address | None:
    """The IPv4 address that this one leads to: mapped, by 6to4, or by NAT64."""
    if address in _NAT64:
        return IPv4Address(int(address) & 0xFFFF_FFFF)
    return address.ipv4_mapped or address.sixtofour
