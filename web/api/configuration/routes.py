"""``/api/bot/configuration`` and ``/api/bot/configurations``: read, change, create and activate them."""

from __future__ import annotations

from uuid import UUID, uuid4

from quart import Blueprint, request

from actors.database.configurations.messages import (
    ActivateConfiguration,
    ChangeConfiguration,
    ConfigurationQuery,
    ConfigurationsQuery,
    CreateConfiguration,
)
from actors.database.events import ConfigurationRefreshRequested

from ...errors import Problem
from ..addresses import ActorAddresses
from ..body_reader import BodyReader
from ..documented import documented
from ..query_params import json_object
from ..serializers import Json
from ..timeouts import COMMAND_TIMEOUT, QUERY_TIMEOUT
from .models import ConfigurationChangesBody, ConfigurationModel, MessageModel, NewConfigurationBody
from .requests import configuration_changes
from .responses import configuration_json


def configuration_blueprint(actors: ActorAddresses) -> Blueprint:
    """Routes of the active configuration and of all configurations."""
    blueprint = Blueprint("configuration", __name__, url_prefix="/api/bot")

    async def read(config_id: UUID | None) -> Json:
        return configuration_json(
            await actors.reader.ask(ConfigurationQuery(config_id=config_id), timeout=QUERY_TIMEOUT)
        )

    async def update(config_id: UUID | None) -> Json:
        row = await actors.reader.ask(ConfigurationQuery(config_id=config_id), timeout=QUERY_TIMEOUT)
        changes = configuration_changes(BodyReader(await json_object(request)), of=row)
        # By id, since another configuration may be active by now.
        command = ChangeConfiguration(config_id=row.id, changes=changes)
        return configuration_json(await actors.writer.ask(command, timeout=COMMAND_TIMEOUT))

    @blueprint.get("/configuration")
    @documented(ConfigurationModel)
    async def get_active_configuration() -> Json:
        """Get the active configuration.

        It applies to every session without a configuration of its own.
        """
        return await read(None)

    @blueprint.put("/configuration")
    @documented(ConfigurationModel, body=ConfigurationChangesBody)
    async def update_active_configuration() -> Json:
        """Change some fields of the active configuration; returns all fields.

        Sessions apply the change within one cycle.
        """
        return await update(None)

    @blueprint.post("/configuration/refresh")
    @documented(MessageModel)
    async def refresh_configuration() -> Json:
        """Make the sessions of every instance reload their configuration.

        Needed after a change in the database itself; changes by this API reach sessions without it.
        """
        actors.bus.publish(ConfigurationRefreshRequested())
        return {"status": "success", "message": "Configuration refresh requested"}

    @blueprint.get("/configurations")
    @documented(list[ConfigurationModel])
    async def list_configurations() -> list[Json]:
        """List configurations by name, the active one first."""
        rows = await actors.reader.ask(ConfigurationsQuery(), timeout=QUERY_TIMEOUT)
        return [configuration_json(row) for row in rows]

    @blueprint.post("/configurations")
    @documented(ConfigurationModel, body=NewConfigurationBody, status=201)
    async def create_configuration() -> tuple[Json, int]:
        """Create a configuration, which is not active.

        A session can be started with it by its id.
        """
        values = configuration_changes(BodyReader(await json_object(request)))
        if values.config_name is None:
            raise Problem(422, "invalid_value", "config_name is required.")
        command = CreateConfiguration(id=uuid4(), config_name=values.config_name, values=values)
        return configuration_json(await actors.writer.ask(command, timeout=COMMAND_TIMEOUT)), 201

    @blueprint.get("/configurations/<uuid:config_id>")
    @documented(ConfigurationModel)
    async def get_configuration(config_id: UUID) -> Json:
        """Get a configuration."""
        return await read(config_id)

    @blueprint.put("/configurations/<uuid:config_id>")
    @documented(ConfigurationModel, body=ConfigurationChangesBody)
    async def update_configuration(config_id: UUID) -> Json:
        """Change some fields of a configuration; returns all fields."""
        return await update(config_id)

    @blueprint.post("/configurations/<uuid:config_id>/activate")
    @documented(ConfigurationModel)
    async def activate_configuration(config_id: UUID) -> Json:
        """Make a configuration the active one."""
        command = ActivateConfiguration(config_id=config_id)
        return configuration_json(await actors.writer.ask(command, timeout=COMMAND_TIMEOUT))

    return blueprint
