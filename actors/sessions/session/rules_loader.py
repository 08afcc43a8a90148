"""Loads the rules of a session from its own configuration, or from the active one."""

from __future__ import annotations

import trio

from runtime import Address, AskFailed, Refusal

from ...database.configurations.messages import ConfigurationQuery
from ...database.errors import NoSuchConfiguration
from ...database.messages import Query
from ..database_actors import ASK_TIMEOUT, RETRY_PAUSE
from .rules import Rules
from .session_state import SessionState


class RulesLoader:
    """Reads the configuration of a session."""

    def __init__(self, state: SessionState, reader: Address[Query]) -> None:
        self._state = state
        self._reader = reader

    async def read(self, current: Rules | None) -> Rules:
        """Read the configured rules; if that fails, return ``current``, or retry if it is None."""
        while True:
            try:
                return await self._configured()
            except (AskFailed, Refusal) as error:
                if current is not None:
                    self._state.publisher.configuration_read_failed(str(error))
                    return current
                self._state.report_degraded(error)
                await trio.sleep(RETRY_PAUSE)

    async def _configured(self) -> Rules:
        own = self._state.row.config_id
        try:
            query = ConfigurationQuery(config_id=own)
            return Rules.of(await self._reader.ask(query, timeout=ASK_TIMEOUT))
        except NoSuchConfiguration:
            if own is None:
                raise
            self._state.drop_configuration()
            return Rules.of(await self._reader.ask(ConfigurationQuery(), timeout=ASK_TIMEOUT))
