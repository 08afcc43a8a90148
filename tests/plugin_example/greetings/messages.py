"""The messages of the greeter, and its event."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import TypeAlias

from runtime import Refusal, Request


@dataclass(frozen=True, slots=True, kw_only=True)
class Greeting:
    """A greeting in the database."""

    name: str
    text: str
    created_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Greet(Request[Greeting]):
    """Write a greeting. Refused with `NamelessGreeting`, or with `GreetingsUnavailable`."""

    name: str


@dataclass(frozen=True, slots=True, kw_only=True)
class GreetingsQuery(Request[tuple[Greeting, ...]]):
    """The newest greetings, newest first."""

    limit: int = 100


GreeterMessage: TypeAlias = Greet | GreetingsQuery


@dataclass(frozen=True, slots=True, kw_only=True)
class Greeted:
    """A greeting was committed."""

    greeting: Greeting


class NamelessGreeting(Refusal):
    """There is no name to greet."""


class GreetingsUnavailable(Refusal):
    """The database is unavailable; nothing was written."""
