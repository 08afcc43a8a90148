"""The configurations of sessions: what this resource brings to the front end."""

from __future__ import annotations

from typing import Final

from actors.database.errors import ConfigurationNameTaken, NoSuchConfiguration

from ...capability import WebCapability
from ...errors import ProblemKind
from .routes import configuration_blueprint

CONFIGURATION: Final = WebCapability(
    name="configuration",
    description="The rules by which sessions accept jobs.",
    routes=configuration_blueprint,
    problems={
        NoSuchConfiguration: ProblemKind(status=404, code="no_such_configuration"),
        ConfigurationNameTaken: ProblemKind(status=409, code="name_taken"),
    },
)
