"""Secrets that stand in files: read at load time and put where the secret itself belongs."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from pydantic import SecretStr

from .layers import SourcedValue
from .urls import EMBEDDED, has_password, with_password

_LONGEST = 4_096

_FILES: Mapping[str, str] = {
    "web.token_file": "web.token",
    "sessions.password_file": "sessions.password",
    "database.password_file": "database.url",
    "redis.password_file": "redis.url",
}
"""Each setting that names a file, and the one that its content goes to."""


def with_secrets(given: Mapping[str, SourcedValue]) -> dict[str, SourcedValue]:
    """Return the settings with the content of every secret file in place.

    Raises:
        SettingsError: a file cannot be read or is empty, or the secret was given twice.
    """
    complete = dict(given)
    for file, goal in _FILES.items():
        if given[file].value != "":
            complete[goal] = _filled(given[file], given[goal])
    return complete


def _filled(file: SourcedValue, goal: SourcedValue) -> SourcedValue:
    if isinstance(goal.value, SecretStr):
        if goal.value.get_secret_value():
            raise file.refused(f"nothing, since {goal.setting.name} is set in {goal.source}")
        return SourcedValue(setting=goal.setting, source=str(file.value), value=SecretStr(_read(file)))
    url = str(goal.value)
    if url == EMBEDDED:
        raise file.refused(f'nothing, since {goal.setting.name} is "{EMBEDDED}" and needs no password')
    if has_password(url):
        raise file.refused(f"nothing, since {goal.setting.name} in {goal.source} has a password")
    return SourcedValue(setting=goal.setting, source=goal.source, value=with_password(url, _read(file)))


def _read(file: SourcedValue) -> str:
    try:
        with Path(str(file.value)).expanduser().open("rb") as stream:
            content = stream.read(_LONGEST + 1)
        # Editors and `echo` end a file with a line end, which is no part of the secret.
        secret = content.decode().rstrip("\r\n")
    except OSError as error:
        raise file.refused(f"a file that can be read: {error.strerror}") from None
    except (UnicodeDecodeError, RuntimeError):  # a RuntimeError is a "~" without a home
        raise file.refused("a file with UTF-8 text") from None
    if not secret.strip():
        raise file.refused("a file that is not empty")
    if len(content) > _LONGEST:
        raise file.refused(f"a file of at most {_LONGEST} bytes")
    return secret
