"""No dataclass shows a secret in its repr, which logs, tracebacks and failed assertions print."""

from __future__ import annotations

import dataclasses
import importlib
import pkgutil
import re
from collections.abc import Iterator

import pytest

SECRET = re.compile(r"password|secret|token|credential|cookie|dsn|(?:database|redis)_?url", re.IGNORECASE)
HARMLESS = re.compile(r"_(?:file|field|env)$")
"""Names of places of secrets, not of secrets."""
SAFE_TYPE = re.compile(r"Secret(?:Str)?\b|Reference\b|Credential|Cookie|\bint\b|\bbool\b")
"""Types that mask a secret, or cannot hold one."""


def own_classes() -> Iterator[type]:
    for root in ("actors", "runtime", "web"):
        for module in pkgutil.walk_packages(importlib.import_module(root).__path__, f"{root}."):
            if module.name.endswith("__main__"):
                continue
            for value in vars(importlib.import_module(module.name)).values():
                if isinstance(value, type) and value.__module__ == module.name:
                    yield value


def test_no_repr_shows_a_secret() -> None:
    """A field with the name of a secret is left out of the repr, or its type masks it."""
    shown = [
        f"{kind.__module__}.{kind.__qualname__}.{field.name}"
        for kind in own_classes()
        if dataclasses.is_dataclass(kind)
        for field in dataclasses.fields(kind)
        if field.repr
        and SECRET.search(field.name)
        and not HARMLESS.search(field.name)
        and not SAFE_TYPE.search(str(field.type))
    ]
    assert shown == []


@pytest.mark.parametrize(
    ("module", "name", "field"),
    [
        ("actors.portals.cookies", "Cookie", "value"),
        ("actors.portals.http.page", "Form", "fields"),
        ("actors.settings.layers", "SourcedValue", "value"),
        ("actors.monitor.service_probes", "ProbeContext", "portals"),
    ],
)
def test_fields_that_may_hold_a_secret_are_hidden(module: str, name: str, field: str) -> None:
    """Although their names do not say so."""
    kind = getattr(importlib.import_module(module), name)
    assert {known.name: known.repr for known in dataclasses.fields(kind)}[field] is False
