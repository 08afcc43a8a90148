"""A page as it came, for whoever reads it by other rules than the definition's."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from .portal import Portal


@dataclass(frozen=True, slots=True, kw_only=True)
class Sheet:
    """One page, after redirects, and after its scripts where the engine runs any."""

    address: str
    status: int
    html: str


class ReadablePortal(Portal, Protocol):
    """A portal whose pages can be had as they are; both engines are."""

    async def read(self, path: str) -> Sheet:
        """Return a page of the portal, whatever is on it.

        Raises:
            PortalUnavailable: it did not come.
        """
        ...
