"""The portal definitions available to this instance, by name."""

from __future__ import annotations

import os
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import trio

from ...portals.definition.definition import PortalDefinition
from ...portals.definition.definition_file import load_definition
from ...portals.errors import DefinitionError
from ...portals.portal import Credentials
from ..messages import NoSuchPortal

READ_TIMEOUT: Final = 5.0
"""Timeout for reading a definition and its secrets, for example from a disk that does not respond."""
_MAX_READS: Final = 4
_NAME: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,99}")


@dataclass(frozen=True, slots=True, kw_only=True)
class CatalogEntry:
    """A portal definition and the credentials for it."""

    definition: PortalDefinition
    credentials: Credentials


class PortalCatalog:
    """The portal of the settings, and the other definitions in the given folders.

    A definition is read when the first session needs it, and again after a
    failure. A definition that was read stays unchanged until the instance restarts.
    """

    def __init__(self, default: CatalogEntry, folders: Sequence[Path]) -> None:
        self._known = {default.definition.name: default}
        self._folders = tuple(folders)
        self._limiter = trio.CapacityLimiter(_MAX_READS)

    async def find(self, name: str) -> CatalogEntry:
        """Return one portal's definition and credentials.

        Raises:
            NoSuchPortal: no definition has that name, or it is invalid, or reading it timed out.
        """
        known = self._known.get(name)
        if known is None:
            known = self._known[name] = await self._read(name)
        return known

    async def _read(self, name: str) -> CatalogEntry:
        try:
            with trio.fail_after(READ_TIMEOUT):
                return await trio.to_thread.run_sync(
                    self._load, name, abandon_on_cancel=True, limiter=self._limiter
                )
        except trio.TooSlowError:
            sentence = f"the definition of portal {name!r} could not be read within {READ_TIMEOUT:g} s"
            raise NoSuchPortal(sentence) from None

    def _load(self, name: str) -> CatalogEntry:
        path = next((path for path in self._candidates(name) if path.is_file()), None)
        if path is None:
            raise NoSuchPortal(f"this instance has no definition of a portal {name[:100]!r}")
        try:
            definition = load_definition(path)
            if definition.name != name:
                raise DefinitionError(f"{path}: name is {definition.name!r}, expected {name!r}")
            no_credentials = Credentials(username="", password="")
            credentials = definition.credentials.resolve(name, os.environ, no_credentials)
        except DefinitionError as error:
            raise NoSuchPortal(str(error)) from error
        return CatalogEntry(definition=definition, credentials=credentials)

    def _candidates(self, name: str) -> list[Path]:
        # API callers choose the name: accept nothing that could be a path.
        if _NAME.fullmatch(name) is None:
            return []
        return [folder / f"{name}.toml" for folder in self._folders]
