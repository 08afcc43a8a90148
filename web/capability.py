"""The interface of a capability's front end: what it brings to REST, WebSocket, metrics and the command line.

The other half of `actors.capability`, declared once for each resource; a plugin's module names it `WEB`::

    def routes(actors: ActorAddresses) -> Blueprint:
        blueprint = Blueprint("greetings", __name__, url_prefix="/api/greetings")
        greeter = actors.shared.of(CAPABILITY)

        @blueprint.get("")
        @documented(GreetingsModel)
        async def list_greetings() -> Json:
            \"\"\"List the greetings.\"\"\"
            return {"greetings": list(await greeter.ask(GreetingsQuery(), timeout=QUERY_TIMEOUT))}

        return blueprint

    WEB = WebCapability(name="greetings", description="Greetings.", routes=routes)
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

import typer
from prometheus_client import Metric
from quart import Blueprint

from runtime import Refusal

from .api.addresses import ActorAddresses
from .errors import ProblemKind
from .live.messages import Translation


@dataclass(frozen=True, kw_only=True, eq=False)
class WebCapability:
    """What one resource, or one plugin, brings to the front end."""

    name: str
    """Of its blueprint, and its tag in ``/openapi.json``."""
    description: str
    """A sentence for the tag. Routes of a capability without one are not in ``/openapi.json``."""
    routes: Callable[[ActorAddresses], Blueprint]
    problems: Mapping[type[Refusal], ProblemKind] = field(default_factory=dict[type[Refusal], ProblemKind])
    """Status and code of each refusal of its actors; a class that is not listed is answered as its base."""
    messages: Mapping[type[Any], Translation] = field(default_factory=dict[type[Any], Translation])
    """WebSocket messages of events on the bus, by the event's class."""
    metrics: Callable[[ActorAddresses], Awaitable[Iterable[Metric]]] | None = None
    """Collects metrics for ``/metrics``; a refusal or a missing answer of an actor leaves them out."""
    commands: typer.Typer | None = None
    """A group of commands under ``botvisor``. For plugins: botvisor's own load without the web framework."""
