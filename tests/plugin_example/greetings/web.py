"""The half that lives in the front end: REST route, WebSocket message, metric."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Final

from prometheus_client import Metric
from prometheus_client.core import GaugeMetricFamily
from quart import Blueprint
from typing_extensions import TypedDict

from web.api.addresses import ActorAddresses
from web.api.documented import documented
from web.api.serializers import Json, iso
from web.api.timeouts import QUERY_TIMEOUT
from web.capability import WebCapability
from web.errors import ProblemKind
from web.live.messages import LiveMessage
from web.live.topics import Topic

from .capability import CAPABILITY
from .commands import commands
from .messages import Greeted, Greeting, GreetingsQuery, GreetingsUnavailable, NamelessGreeting


class GreetingModel(TypedDict):
    """A greeting."""

    name: str
    text: str
    created_at: str


class GreetingsModel(TypedDict):
    """Greetings, newest first."""

    greetings: list[GreetingModel]


def routes(actors: ActorAddresses) -> Blueprint:
    """The route ``/api/greetings``."""
    blueprint = Blueprint("greetings", __name__, url_prefix="/api/greetings")
    greeter = actors.shared.of(CAPABILITY)

    @blueprint.get("")
    @documented(GreetingsModel)
    async def list_greetings() -> Json:
        """List the newest greetings."""
        greetings = await greeter.ask(GreetingsQuery(), timeout=QUERY_TIMEOUT)
        return {"greetings": [as_json(greeting) for greeting in greetings]}

    return blueprint


def as_json(greeting: Greeting) -> Json:
    """A greeting as JSON."""
    return {"name": greeting.name, "text": greeting.text, "created_at": iso(greeting.created_at)}


def greeted(event: Greeted) -> Iterator[LiveMessage]:
    """The WebSocket message ``greeted``."""
    yield LiveMessage(
        type="greeted",
        data=as_json(event.greeting),
        timestamp=event.greeting.created_at,
        topic=Topic.PLUGINS,
    )


async def metrics(actors: ActorAddresses) -> Iterable[Metric]:
    """The metric ``greetings_recent``."""
    greetings = await actors.shared.of(CAPABILITY).ask(GreetingsQuery(), timeout=QUERY_TIMEOUT)
    return [GaugeMetricFamily("greetings_recent", "Newest greetings, up to 100.", value=len(greetings))]


WEB: Final = WebCapability(
    name="greetings",
    description="Greetings.",
    routes=routes,
    problems={
        NamelessGreeting: ProblemKind(status=422, code="nameless_greeting"),
        GreetingsUnavailable: ProblemKind(status=503, code="greetings_unavailable"),
    },
    messages={Greeted: greeted},
    metrics=metrics,
    commands=commands,
)
