"""The half that lives among the actors: settings, tree branch, task handler, migration, invariant."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final, TypeAlias

from actors.capability import Capability, CapabilityContext
from actors.database.maintenance.invariants import Invariant
from actors.queue.messages import Json
from actors.queue.worker.handler import Handler, PermanentFailure, TaskContext
from runtime import Address, ChildSpec

from .greeter import Greeter
from .messages import Greet, GreeterMessage, NamelessGreeting


@dataclass(frozen=True, slots=True, kw_only=True)
class GreetingsSettings:
    """The section ``[greetings]``."""

    template: str = "Hello, {name}!"


Context: TypeAlias = CapabilityContext[GreetingsSettings, Address[GreeterMessage]]


def greeter_address() -> Address[GreeterMessage]:
    """The mailbox of the greeter."""
    return Address("greeter", capacity=64)


def children(context: Context) -> Sequence[ChildSpec]:
    """The greeter."""
    config = context.config
    return [
        context.specs.worker(
            context.shared,
            lambda: Greeter(context.settings.template, config.settings.database, config.dsn),
        )
    ]


def handlers(context: Context) -> Mapping[str, Handler]:
    """Tasks of the type ``greet`` with the data ``{"name": ...}``."""

    async def greet(task: TaskContext) -> Json:
        name = task.task.data.get("name")
        try:
            greeting = await context.shared.ask(
                Greet(name=name if isinstance(name, str) else ""), timeout=5.0
            )
        except NamelessGreeting as refusal:
            # No further attempt would help.
            raise PermanentFailure(str(refusal)) from refusal
        return {"text": greeting.text}

    return {"greet": greet}


CAPABILITY: Final = Capability(
    name="greetings",
    settings=GreetingsSettings,
    shared=greeter_address,
    children=children,
    handlers=handlers,
    migrations=Path(__file__).parent / "migrations",
    invariants=(
        Invariant(
            name="each greeting greets by name",
            sql="""
                select format('greeting %%s lacks its name', id)
                from greetings where position(name in text) = 0
            """,
        ),
    ),
)
