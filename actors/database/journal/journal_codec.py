"""A fact as a line of the journal, and back: JSON with the fields' names, so that versions may differ."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Final

from pydantic import TypeAdapter, ValidationError
from pydantic_core import to_jsonable_python

from ..refusals import WriteRefused
from .messages import EntryWrite, RecordOutcome, RecordSession

_ADAPTERS: Final[dict[str, TypeAdapter[RecordSession] | TypeAdapter[RecordOutcome]]] = {
    RecordSession.__name__: TypeAdapter(RecordSession),
    RecordOutcome.__name__: TypeAdapter(RecordOutcome),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Unreadable:
    """A line that names no fact that this version knows."""

    reason: str


def write_text(fact: EntryWrite) -> str:
    """The line.

    Raises:
        WriteRefused: its data is not JSON.
    """
    kind = type(fact).__name__
    try:
        return json.dumps({"kind": kind, "fact": to_jsonable_python(fact)}, allow_nan=False)
    except (ValueError, TypeError) as error:
        raise WriteRefused(f"this {kind} cannot be kept: {error}") from None


def read_text(text: str) -> EntryWrite | Unreadable:
    """What was written, or why that cannot be told."""
    try:
        line = json.loads(text)
        return _ADAPTERS[line["kind"]].validate_python(line["fact"])
    except (ValidationError, ValueError, KeyError, TypeError) as error:
        return Unreadable(reason=" ".join(str(error).split()))
