"""Encodes journal entries as JSON, and decodes them. Fields go by name, so versions may differ in them."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Final

from pydantic import TypeAdapter, ValidationError
from pydantic_core import to_jsonable_python

from ..errors import WriteRefused
from .messages import JournalEntry, RecordOutcome, RecordSession

_ADAPTERS: Final[dict[str, TypeAdapter[RecordSession] | TypeAdapter[RecordOutcome]]] = {
    RecordSession.__name__: TypeAdapter(RecordSession),
    RecordOutcome.__name__: TypeAdapter(RecordOutcome),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class UnreadableEntry:
    """A stored entry that this version cannot decode."""

    reason: str


def encode_entry(entry: JournalEntry) -> str:
    """The entry as one line of JSON.

    Raises:
        WriteRefused: its data is not JSON.
    """
    kind = type(entry).__name__
    try:
        return json.dumps({"kind": kind, "entry": to_jsonable_python(entry)}, allow_nan=False)
    except (ValueError, TypeError) as error:
        raise WriteRefused(f"{kind} cannot be stored: {error}") from None


def decode_entry(text: str) -> JournalEntry | UnreadableEntry:
    """The entry, or why it cannot be decoded."""
    try:
        line = json.loads(text)
        return _ADAPTERS[line["kind"]].validate_python(line["entry"])
    except (ValidationError, ValueError, KeyError, TypeError) as error:
        return UnreadableEntry(reason=" ".join(str(error).split()))
