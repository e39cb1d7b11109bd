"""Names become addresses once per connection, and each is checked: the connection goes to one that was."""

from __future__ import annotations

import socket
from ipaddress import ip_address

from aiohttp.abc import AbstractResolver, ResolveResult

from assay.webhooks.guard import may_be_sent_to


class AddressRefusedError(OSError):
    """A host has an address that webhooks must not go to."""


class GuardedResolver(AbstractResolver):
    """Resolves a name once and gives all its addresses, or none: one that is refused refuses the name."""

    def __init__(self, resolver: AbstractResolver, allow_local: bool) -> None:
        self._resolver = resolver
        self._allow_local = allow_local

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
    ) -> list[ResolveResult]:
        """As `AbstractResolver`. Raises `AddressRefusedError` too."""
        found = await self._resolver.resolve(host, port, family)
        if not all(may_be_sent_to(ip_address(result["host"]), self._allow_local) for result in found):
            raise AddressRefusedError("the host has an address that is not a public one")
        return found

    async def close(self) -> None:
        """Closes the resolver behind."""
        await self._resolver.close()
