"""Greets people: an example of a capability of one's own."""

from __future__ import annotations

from .capability import CAPABILITY
from .web import WEB

__all__ = ["CAPABILITY", "WEB"]
