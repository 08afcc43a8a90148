"""Where a session's rules come from: its own configuration, or the active one."""

from __future__ import annotations

import trio

from runtime import Address, AskFailed, Refusal

from ...database.configurations.messages import ConfigurationQuery
from ...database.errors import NoSuchConfiguration
from ...database.messages import Query
from ..database_actors import ASK_TIMEOUT, INSIST_PAUSE
from .rules import Rules
from .session_state import SessionState


class RulesLoader:
    """Reads the configuration that a session works by."""

    def __init__(self, state: SessionState, reader: Address[Query]) -> None:
        self._state = state
        self._reader = reader

    async def read(self, kept: Rules | None) -> Rules:
        """The rules as they are configured now; while they cannot be read, those that were kept."""
        while True:
            try:
                return await self._configured()
            except (AskFailed, Refusal) as error:
                if kept is not None:
                    self._state.publisher.rules_kept(str(error))
                    return kept
                self._state.trouble(error)
                await trio.sleep(INSIST_PAUSE)

    async def _configured(self) -> Rules:
        own = self._state.row.config_id
        try:
            query = ConfigurationQuery(config_id=own)
            return Rules.of(await self._reader.ask(query, timeout=ASK_TIMEOUT))
        except NoSuchConfiguration:
            if own is None:
                raise
            self._state.lose_configuration()
            return Rules.of(await self._reader.ask(ConfigurationQuery(), timeout=ASK_TIMEOUT))
