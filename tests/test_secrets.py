"""No dataclass of ours shows a secret in its repr, which logs, tracebacks and failed asserts print."""

from __future__ import annotations

import dataclasses
import importlib
import pkgutil
import re
from collections.abc import Iterator

import pytest

SECRET = re.compile(r"password|secret|token|credential|cookie|dsn|(?:database|redis)_?url", re.IGNORECASE)
HARMLESS = re.compile(r"_(?:file|field|env)$")
"""Where a secret is, not what it is."""
SPEAKS_FOR_ITSELF = re.compile(r"Secret(?:Str)?\b|Reference\b|Credential|Cookie|\bint\b|\bbool\b")
"""Types that show no secret themselves, or are none."""


def dataclasses_of_ours() -> Iterator[type]:
    for root in ("actors", "runtime", "web"):
        for module in pkgutil.walk_packages(importlib.import_module(root).__path__, f"{root}."):
            if module.name.endswith("__main__"):
                continue
            for thing in vars(importlib.import_module(module.name)).values():
                if isinstance(thing, type) and thing.__module__ == module.name:
                    yield thing


def test_no_field_shows_a_secret() -> None:
    """A field that is named for a secret is left out of the repr, or has a type that hides it."""
    shown = [
        f"{kind.__module__}.{kind.__qualname__}.{field.name}"
        for kind in dataclasses_of_ours()
        if dataclasses.is_dataclass(kind)
        for field in dataclasses.fields(kind)
        if field.repr
        and SECRET.search(field.name)
        and not HARMLESS.search(field.name)
        and not SPEAKS_FOR_ITSELF.search(str(field.type))
    ]
    assert shown == []


@pytest.mark.parametrize(
    ("module", "name", "field"),
    [
        ("actors.portals.cookies", "Cookie", "value"),
        ("actors.portals.http.page", "Form", "fields"),
        ("actors.settings.layers", "Given", "value"),
        ("actors.monitor.service_probes", "Surroundings", "portals"),
    ],
)
def test_what_may_hold_a_secret_is_not_shown_either(module: str, name: str, field: str) -> None:
    """Fields whose names do not tell."""
    kind = getattr(importlib.import_module(module), name)
    assert {known.name: known.repr for known in dataclasses.fields(kind)}[field] is False
