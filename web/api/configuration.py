"""``/api/bot/configuration``: the rules that sessions work by."""

from __future__ import annotations

from uuid import UUID, uuid4

from quart import Blueprint, request

from actors.records.configuration_messages import (
    ActivateConfiguration,
    ChangeConfiguration,
    ConfigurationQuery,
    ConfigurationsQuery,
    CreateConfiguration,
)
from actors.records.events import ConfigurationRefreshRequested

from ..configuration_params import configuration_changes
from ..configuration_schemas import configuration
from ..described import described
from ..doors import Doors
from ..fields import Fields
from ..models.configuration import ConfigurationChanges, ConfigurationModel, NewConfiguration, SaidModel
from ..params import json_object, unfit
from ..patience import COMMIT, LOOK
from ..schemas import Json


def configuration_blueprint(doors: Doors) -> Blueprint:
    """The routes of the active configuration, and of all of them."""
    blueprint = Blueprint("configuration", __name__, url_prefix="/api/bot")

    async def read(config_id: UUID | None) -> Json:
        return configuration(await doors.reader.ask(ConfigurationQuery(config_id=config_id), timeout=LOOK))

    async def change(config_id: UUID | None) -> Json:
        row = await doors.reader.ask(ConfigurationQuery(config_id=config_id), timeout=LOOK)
        changes = configuration_changes(Fields(await json_object(request)), of=row)
        # By its id, although it may be the active one: another may be that by now.
        order = ChangeConfiguration(config_id=row.id, changes=changes)
        return configuration(await doors.writer.ask(order, timeout=COMMIT))

    @blueprint.get("/configuration")
    @described(ConfigurationModel)
    async def active() -> Json:
        """The active configuration.

        Sessions that were given none of their own work by it.
        """
        return await read(None)

    @blueprint.put("/configuration")
    @described(ConfigurationModel, body=ConfigurationChanges)
    async def change_active() -> Json:
        """Change some of the active configuration, and answer with all of it.

        Sessions take it within one cycle.
        """
        return await change(None)

    @blueprint.post("/configuration/refresh")
    @described(SaidModel)
    async def refresh() -> Json:
        """Let all sessions read their configuration again, in every instance.

        For changes that were made in the database itself; those made here reach them anyway.
        """
        doors.bus.publish(ConfigurationRefreshRequested())
        return {"status": "success", "message": "The sessions are asked to read their configuration again"}

    @blueprint.get("/configurations")
    @described(list[ConfigurationModel])
    async def every() -> list[Json]:
        """All configurations by name, the active one first."""
        rows = await doors.reader.ask(ConfigurationsQuery(), timeout=LOOK)
        return [configuration(row) for row in rows]

    @blueprint.post("/configurations")
    @described(ConfigurationModel, body=NewConfiguration, status=201)
    async def create() -> tuple[Json, int]:
        """Add a configuration, which is not active yet.

        A session may be started with it by its id, whichever is active.
        """
        values = configuration_changes(Fields(await json_object(request)))
        if values.config_name is None:
            raise unfit("config_name", "given", None)
        order = CreateConfiguration(id=uuid4(), config_name=values.config_name, values=values)
        return configuration(await doors.writer.ask(order, timeout=COMMIT)), 201

    @blueprint.get("/configurations/<uuid:config_id>")
    @described(ConfigurationModel)
    async def one(config_id: UUID) -> Json:
        """One configuration."""
        return await read(config_id)

    @blueprint.put("/configurations/<uuid:config_id>")
    @described(ConfigurationModel, body=ConfigurationChanges)
    async def change_one(config_id: UUID) -> Json:
        """Change some of a configuration, and answer with all of it."""
        return await change(config_id)

    @blueprint.post("/configurations/<uuid:config_id>/activate")
    @described(ConfigurationModel)
    async def activate(config_id: UUID) -> Json:
        """Let it be the active one; the one that was is not any more."""
        order = ActivateConfiguration(config_id=config_id)
        return configuration(await doors.writer.ask(order, timeout=COMMIT))

    return blueprint
