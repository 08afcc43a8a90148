"""An error, as every route tells it."""

from __future__ import annotations

from typing_extensions import TypedDict


class ProblemModel(TypedDict):
    """What is wrong, in one sentence (RFC 9457)."""

    type: str
    title: str
    status: int
    detail: str
    error: str
    code: str
