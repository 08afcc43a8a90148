"""What a request says, parsed: each function returns a good value or raises one clear ``Problem``."""

from __future__ import annotations

import difflib
import json
import math
import re
from collections.abc import Iterable
from enum import StrEnum
from typing import Final, TypeVar, cast
from uuid import UUID

from quart import Request
from werkzeug.datastructures import MultiDict

from ..errors import Problem
from .serializers import Json

E = TypeVar("E", bound=StrEnum)

Args = MultiDict[str, str]

_WHOLE: Final = re.compile(r"-?[0-9]{1,18}")
_SHOWN: Final = 60
_TOO_LARGE: Final = "a number in it is too large"


def whole_number(args: Args, name: str, default: int, *, least: int, most: int) -> int:
    """A number of the query."""
    text = args.get(name)
    if text is None:
        return default
    if not _WHOLE.fullmatch(text) or not least <= int(text) <= most:
        raise unfit(name, f"a whole number from {least} to {most}", text)
    return int(text)


def choice(args: Args, name: str, kind: type[E]) -> E | None:
    """One of a closed set of words of the query; None where it is not given."""
    text = args.get(name)
    if text is None:
        return None
    try:
        return kind(text)
    except ValueError:
        raise unfit(name, f"one of {', '.join(kind)}", text) from None


def identifier(args: Args, name: str) -> UUID | None:
    """A UUID of the query; None where it is not given."""
    text = args.get(name)
    if text is None:
        return None
    try:
        return UUID(text)
    except ValueError:
        raise unfit(name, "a UUID", text) from None


def flag(args: Args, name: str) -> bool:
    """True or false of the query; false where it is not given."""
    text = args.get(name, "false")
    if text not in ("true", "false"):
        raise unfit(name, "true or false", text)
    return text == "true"


async def json_object(request: Request) -> Json:
    """The request's body; an empty one is an empty object."""
    body = await json_body(request)
    if not isinstance(body, dict):
        raise unfit("The body", "a JSON object", body)
    return cast("Json", body)


async def json_body(request: Request) -> object:
    """The request's body, whatever it is; an empty one is an empty object."""
    content = await request.get_data()
    if not content.strip():
        return {}
    try:
        return cast(
            "object",
            json.loads(content, parse_constant=_no_constant, parse_float=_finite, parse_int=_integer),
        )
    except RecursionError:
        raise Problem(400, "bad_json", "The body must be JSON, but it is nested too deeply.") from None
    except UnicodeDecodeError:
        raise Problem(400, "bad_json", "The body must be JSON in UTF-8.") from None
    except ValueError as error:
        raise Problem(400, "bad_json", f"The body must be JSON: {error}.") from None


def _no_constant(name: str) -> None:
    # Python reads these, but no JSON has them, and PostgreSQL takes none.
    raise ValueError(f"{name} is not a JSON value")


def _finite(text: str) -> float:
    # Of 1e400 Python makes an infinity, which no client could read again.
    number = float(text)
    if math.isinf(number):
        raise ValueError(_TOO_LARGE)
    return number


def _integer(text: str) -> int:
    try:
        return int(text)
    except ValueError:
        # More digits than Python reads; its own words would tell the client of a Python function.
        raise ValueError(_TOO_LARGE) from None


def unfit(name: str, expected: str, value: object) -> Problem:
    """What to raise for a value that is not as expected."""
    shown = json.dumps(value, default=str)
    if len(shown) > _SHOWN:
        shown = shown[: _SHOWN - 1] + "…"
    return Problem(422, "invalid_value", f"{name} must be {expected}, not {shown}.")


def unknown(code: str, name: str, known: Iterable[str], *, before: str = "") -> Problem:
    """What to raise for a name that nobody reads, with what was perhaps meant; ``before`` comes first."""
    names = sorted(known)
    near = difflib.get_close_matches(name[:100], names, n=1)
    hint = (
        f"did you mean {near[0]}?"
        if near
        else f"known are {', '.join(names)}."
        if names
        else "there are none."
    )
    shown = name[:_SHOWN] if name.isprintable() else f"{name[:_SHOWN]!a}"
    return Problem(422, code, f"{before}{shown} must be left out, as it is not known here; {hint}")
