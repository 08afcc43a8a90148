"""The portals that sessions of this instance can work at, by name."""

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

LOOK_SECONDS: Final = 5.0
"""Longest that a definition and its secrets may take to be read, as from a disk that is away."""

_MOST_LOOKS: Final = 4
_NAME: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,99}")


@dataclass(frozen=True, slots=True, kw_only=True)
class CatalogEntry:
    """A portal, and how sessions sign in there."""

    definition: PortalDefinition
    credentials: Credentials


class PortalCatalog:
    """The portal of the settings, and others that have a definition beside it.

    A definition is read when the first session wants it, and again after a
    failure; what was read once stays as it is until this instance is restarted.
    """

    def __init__(self, usual: CatalogEntry, folders: Sequence[Path]) -> None:
        self._known = {usual.definition.name: usual}
        self._folders = tuple(folders)
        self._limiter = trio.CapacityLimiter(_MOST_LOOKS)

    async def find(self, name: str) -> CatalogEntry:
        """One portal.

        Raises:
            NoSuchPortal: there is no definition of that name, or it cannot be used, or not be read in time.
        """
        known = self._known.get(name)
        if known is None:
            known = self._known[name] = await self._look(name)
        return known

    async def _look(self, name: str) -> CatalogEntry:
        try:
            with trio.fail_after(LOOK_SECONDS):
                return await trio.to_thread.run_sync(
                    self._load, name, abandon_on_cancel=True, limiter=self._limiter
                )
        except trio.TooSlowError:
            sentence = f"the definition of portal {name!r} could not be read within {LOOK_SECONDS:g} s"
            raise NoSuchPortal(sentence) from None

    def _load(self, name: str) -> CatalogEntry:
        path = next((path for path in self._candidates(name) if path.is_file()), None)
        if path is None:
            raise NoSuchPortal(f"there is no definition of a portal {name[:100]!r} here")
        try:
            definition = load_definition(path)
            if definition.name != name:
                raise DefinitionError(f"{path}: name is {definition.name!r}, expected {name!r}")
            nothing = Credentials(username="", password="")
            credentials = definition.credentials.resolve(name, os.environ, nothing)
        except DefinitionError as error:
            raise NoSuchPortal(str(error)) from error
        return CatalogEntry(definition=definition, credentials=credentials)

    def _candidates(self, name: str) -> list[Path]:
        # Callers of the API name portals: nothing that could be a path.
        if _NAME.fullmatch(name) is None:
            return []
        return [folder / f"{name}.toml" for folder in self._folders]
