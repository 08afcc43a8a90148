"""``/api/bot/configuration``: the rules that sessions work by."""

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

from ..addresses import ActorAddresses
from ..body_reader import BodyReader
from ..documented import documented
from ..query_params import json_object, unfit
from ..serializers import Json
from ..timeouts import COMMIT, LOOK
from .models import ConfigurationChanges, ConfigurationModel, NewConfiguration, SaidModel
from .requests import configuration_changes
from .responses import configuration


def configuration_blueprint(doors: ActorAddresses) -> Blueprint:
    """The routes of the active configuration, and of all of them."""
    blueprint = Blueprint("configuration", __name__, url_prefix="/api/bot")

    async def read(config_id: UUID | None) -> Json:
        return configuration(await doors.reader.ask(ConfigurationQuery(config_id=config_id), timeout=LOOK))

    async def change(config_id: UUID | None) -> Json:
        row = await doors.reader.ask(ConfigurationQuery(config_id=config_id), timeout=LOOK)
        changes = configuration_changes(BodyReader(await json_object(request)), of=row)
        # By its id, although it may be the active one: another may be that by now.
        order = ChangeConfiguration(config_id=row.id, changes=changes)
        return configuration(await doors.writer.ask(order, timeout=COMMIT))

    @blueprint.get("/configuration")
    @documented(ConfigurationModel)
    async def active() -> Json:
        """The active configuration.

        Sessions that were given none of their own work by it.
        """
        return await read(None)

    @blueprint.put("/configuration")
    @documented(ConfigurationModel, body=ConfigurationChanges)
    async def change_active() -> Json:
        """Change some of the active configuration, and answer with all of it.

        Sessions take it within one cycle.
        """
        return await change(None)

    @blueprint.post("/configuration/refresh")
    @documented(SaidModel)
    async def refresh() -> Json:
        """Let all sessions read their configuration again, in every instance.

        For changes that were made in the database itself; those made here reach them anyway.
        """
        doors.bus.publish(ConfigurationRefreshRequested())
        return {"status": "success", "message": "The sessions are asked to read their configuration again"}

    @blueprint.get("/configurations")
    @documented(list[ConfigurationModel])
    async def every() -> list[Json]:
        """All configurations by name, the active one first."""
        rows = await doors.reader.ask(ConfigurationsQuery(), timeout=LOOK)
        return [configuration(row) for row in rows]

    @blueprint.post("/configurations")
    @documented(ConfigurationModel, body=NewConfiguration, status=201)
    async def create() -> tuple[Json, int]:
        """Add a configuration, which is not active yet.

        A session may be started with it by its id, whichever is active.
        """
        values = configuration_changes(BodyReader(await json_object(request)))
        if values.config_name is None:
            raise unfit("config_name", "given", None)
        order = CreateConfiguration(id=uuid4(), config_name=values.config_name, values=values)
        return configuration(await doors.writer.ask(order, timeout=COMMIT)), 201

    @blueprint.get("/configurations/<uuid:config_id>")
    @documented(ConfigurationModel)
    async def one(config_id: UUID) -> Json:
        """One configuration."""
        return await read(config_id)

    @blueprint.put("/configurations/<uuid:config_id>")
    @documented(ConfigurationModel, body=ConfigurationChanges)
    async def change_one(config_id: UUID) -> Json:
        """Change some of a configuration, and answer with all of it."""
        return await change(config_id)

    @blueprint.post("/configurations/<uuid:config_id>/activate")
    @documented(ConfigurationModel)
    async def activate(config_id: UUID) -> Json:
        """Let it be the active one; the one that was is not any more."""
        order = ActivateConfiguration(config_id=config_id)
        return configuration(await doors.writer.ask(order, timeout=COMMIT))

    return blueprint
