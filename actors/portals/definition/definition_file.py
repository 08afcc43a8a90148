"""Reads a portal definition from a TOML file; unknown keys and wrong values are errors."""

from __future__ import annotations

import difflib
import tomllib
from collections.abc import Iterator
from dataclasses import fields, is_dataclass
from pathlib import Path
from typing import TYPE_CHECKING, get_type_hints

from pydantic import TypeAdapter, ValidationError

from ...settings import mask_url
from ..errors import DefinitionError
from .definition import PortalDefinition

if TYPE_CHECKING:
    from pydantic_core import ErrorDetails

_ADAPTER: TypeAdapter[PortalDefinition] = TypeAdapter(PortalDefinition)


def load_definition(path: Path) -> PortalDefinition:
    """Read a portal definition from a TOML file.

    Raises:
        DefinitionError: the message names the file, the key, its value and what is expected.
    """
    try:
        content = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise DefinitionError(f"{path}: cannot be read: {error.strerror}") from None
    except UnicodeDecodeError:
        raise DefinitionError(f"{path}: not UTF-8 text") from None
    except tomllib.TOMLDecodeError as error:
        raise DefinitionError(f"{path}: invalid TOML: {error}") from None
    try:
        definition = _ADAPTER.validate_python(content)
    except ValidationError as error:
        raise DefinitionError(f"{path}: {_sentence(_most_specific(error.errors()))}") from None
    for sentence in _contradictions(definition):
        raise DefinitionError(f"{path}: {sentence}")
    return definition


def _contradictions(definition: PortalDefinition) -> Iterator[str]:
    """Yield the errors of keys that are valid on their own, but do not go together."""
    login, secret = definition.login, definition.credentials.totp_secret
    if login.totp_form and not login.totp_field:
        yield f"login.totp_field = '', expected the name of the field in {login.totp_form}"
    if secret and not login.totp_field:
        yield "login.totp_field = '', expected the field for the codes of credentials.totp_secret"


def _most_specific(errors: list[ErrorDetails]) -> ErrorDetails:
    """Prefer an unknown key over the missing key that its misspelling causes."""
    return next((error for error in errors if error["type"] == "unexpected_keyword_argument"), errors[0])


def _sentence(error: ErrorDetails) -> str:
    where = [str(part) for part in error["loc"] if part != "[key]"]
    key = ".".join(where)
    match error["type"]:
        case "unexpected_keyword_argument":
            known = _known_keys(where[:-1])
            near = difflib.get_close_matches(where[-1], known, n=1)
            hint = f"did you mean {near[0]}?" if near else f"valid keys: {', '.join(known)}"
            return f"unknown key {key}; {hint}"
        case "missing" | "missing_argument" | "missing_keyword_only_argument":
            return f"{key} is missing"
        case "value_error":
            expected = str(error["ctx"]["error"]) if "ctx" in error else error["msg"]
        case "dataclass_type" | "dataclass_exact_type":
            expected = f"a table with {', '.join(_known_keys(where))}"
        case _:
            expected = error["msg"].removeprefix("Input should be ")
    # A wrong reference may be the secret itself.
    value = "***" if where[0] == "credentials" else mask_url(repr(error["input"]))
    return f"{key} = {value}, expected {expected}"


def _known_keys(where: list[str]) -> list[str]:
    section: type = PortalDefinition
    for part in where:
        section = get_type_hints(section).get(part, object)
    return [field.name for field in fields(section)] if is_dataclass(section) else []
