"""Parses query parameters and JSON bodies; each function returns a valid value or raises ``Problem``."""

from __future__ import annotations

import difflib
import json
import math
import re
from collections.abc import Iterable
from enum import StrEnum
from typing import Final, Literal, TypeVar, cast
from uuid import UUID

from quart import Request
from werkzeug.datastructures import MultiDict

from ..errors import Problem
from .serializers import Json

E = TypeVar("E", bound=StrEnum)

Args = MultiDict[str, str]

_INTEGER: Final = re.compile(r"-?[0-9]{1,18}")
_MAX_SHOWN: Final = 60
"""Characters of a rejected value that an error sentence repeats."""
_TOO_LARGE: Final = "a number in it is too large"


def integer(args: Args, name: str, default: int, *, minimum: int, maximum: int) -> int:
    """An integer parameter within limits; ``default`` if it is missing."""
    text = args.get(name)
    if text is None:
        return default
    if not _INTEGER.fullmatch(text) or not minimum <= int(text) <= maximum:
        raise invalid_value(name, f"a whole number from {minimum} to {maximum}", text)
    return int(text)


def choice(args: Args, name: str, kind: type[E]) -> E | None:
    """A parameter with one of an enumeration's values; None if it is missing."""
    text = args.get(name)
    if text is None:
        return None
    try:
        return kind(text)
    except ValueError:
        raise invalid_value(name, f"one of {', '.join(kind)}", text) from None


def identifier(args: Args, name: str) -> UUID | None:
    """A UUID parameter; None if it is missing."""
    text = args.get(name)
    if text is None:
        return None
    try:
        return UUID(text)
    except ValueError:
        raise invalid_value(name, "a UUID", text) from None


def flag(args: Args, name: str) -> bool:
    """A boolean parameter; false if it is missing."""
    text = args.get(name, "false")
    if text not in ("true", "false"):
        raise invalid_value(name, "true or false", text)
    return text == "true"


async def json_object(request: Request) -> Json:
    """The body, which must be a JSON object; an empty body is an empty object."""
    body = await json_body(request)
    if not isinstance(body, dict):
        raise invalid_value("The body", "a JSON object", body)
    return cast("Json", body)


async def json_body(request: Request) -> object:
    """The body as any JSON value; an empty body is an empty object."""
    content = await request.get_data()
    if not content.strip():
        return {}
    try:
        return cast(
            "object",
            json.loads(
                content, parse_constant=_reject_constant, parse_float=_parse_float, parse_int=_parse_integer
            ),
        )
    except RecursionError:
        raise Problem(400, "bad_json", "The body must be JSON, but it is nested too deeply.") from None
    except UnicodeDecodeError:
        raise Problem(400, "bad_json", "The body must be JSON in UTF-8.") from None
    except ValueError as error:
        raise Problem(400, "bad_json", f"The body must be JSON: {error}.") from None


def _reject_constant(name: str) -> None:
    # Python accepts NaN and Infinity, but JSON and PostgreSQL do not.
    raise ValueError(f"{name} is not a JSON value")


def _parse_float(text: str) -> float:
    # Python parses 1e400 as infinity, which JSON cannot represent.
    number = float(text)
    if math.isinf(number):
        raise ValueError(_TOO_LARGE)
    return number


def _parse_integer(text: str) -> int:
    try:
        return int(text)
    except ValueError:
        # More digits than Python parses; its own message would mention a Python function.
        raise ValueError(_TOO_LARGE) from None


def invalid_value(name: str, expected: str, value: object) -> Problem:
    """The error of a value that is not as expected."""
    shown = json.dumps(value, default=str)
    if len(shown) > _MAX_SHOWN:
        shown = shown[: _MAX_SHOWN - 1] + "…"
    return Problem(422, "invalid_value", f"{name} must be {expected}, not {shown}.")


def unknown_name(
    kind: Literal["field", "parameter"], name: str, known: Iterable[str], *, path: str = ""
) -> Problem:
    """The error of an unknown field or parameter, with the known name closest to it; ``path`` precedes it."""
    names = sorted(known)
    close = difflib.get_close_matches(name[:100], names, n=1)
    if close:
        hint = f"did you mean `{close[0]}`?"
    elif names:
        hint = f"known are {', '.join(f'`{known_name}`' for known_name in names)}."
    else:
        hint = f"this route takes no {kind}s."
    shown = name[:_MAX_SHOWN] if name.isprintable() else ascii(name[:_MAX_SHOWN])[1:-1]
    return Problem(422, f"unknown_{kind}", f"Unknown {kind} `{path}{shown}`; {hint}")
