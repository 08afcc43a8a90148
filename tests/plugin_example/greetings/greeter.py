"""The greeter: an actor that writes to a table of its own."""

from __future__ import annotations

from typing import assert_never

from actors.database.connections.connection import Connection, ConnectionFactory
from actors.database.connections.threads import ConnectionPool
from actors.database.errors import DatabaseFault
from actors.settings import DatabaseSettings
from runtime import Actor, Exit

from .messages import (
    Greet,
    Greeted,
    GreeterMessage,
    Greeting,
    GreetingsQuery,
    GreetingsUnavailable,
    NamelessGreeting,
)


class Greeter(Actor[GreeterMessage]):
    """Writes greetings, one at a time, and reads them back."""

    def __init__(self, template: str, database: DatabaseSettings, dsn: str) -> None:
        self._template = template
        self._pool = ConnectionPool(ConnectionFactory(database, dsn, "botvisor greeter"), 1)

    async def started(self) -> None:
        """Show in the tree how many greetings were written since."""
        self.context.detail.update(greeted=0)

    async def stopped(self, reason: Exit) -> None:
        """Close the connection."""
        self._pool.close()

    async def handle(self, message: GreeterMessage) -> object:
        """Reply with the greeting that was written, or with the newest ones."""
        try:
            match message:
                case Greet():
                    return await self._greet(message.name)
                case GreetingsQuery():
                    return await self._pool.run(lambda connection: newest(connection, message.limit))
                case _:
                    assert_never(message)
        except DatabaseFault as fault:
            raise GreetingsUnavailable(str(fault)) from fault

    async def _greet(self, name: str) -> Greeting:
        if not name.strip():
            raise NamelessGreeting("name must not be empty")
        text = self._template.format(name=name)
        greeting = await self._pool.run(lambda connection: insert(connection, name, text))
        self.context.count(greeted=1)
        self.context.publish(Greeted(greeting=greeting))
        return greeting


def insert(connection: Connection, name: str, text: str) -> Greeting:
    """Write a greeting and return it. Blocks."""
    row = connection.execute(
        "insert into greetings (name, text) values (%s, %s) returning name, text, created_at", [name, text]
    ).fetchall()[0]
    return Greeting(**row)


def newest(connection: Connection, limit: int) -> tuple[Greeting, ...]:
    """Return the newest greetings. Blocks."""
    rows = connection.execute(
        "select name, text, created_at from greetings order by id desc limit %s", [limit]
    ).fetchall()
    return tuple(Greeting(**row) for row in rows)
