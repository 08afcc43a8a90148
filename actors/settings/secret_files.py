"""Reads the files that ``*_file`` settings name, and replaces the secret settings with their content."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from pydantic import SecretStr

from .layers import SourcedValue
from .urls import EMBEDDED, has_password, with_password

_MAX_BYTES = 4_096

_FILES: Mapping[str, str] = {
    "web.token_file": "web.token",
    "sessions.password_file": "sessions.password",
    "database.password_file": "database.url",
    "redis.password_file": "redis.url",
}
"""Maps each setting with a file name to the setting that gets the file's content."""


def with_secrets(values: Mapping[str, SourcedValue]) -> dict[str, SourcedValue]:
    """Return the settings with the content of all secret files.

    Raises:
        SettingsError: a file cannot be read or is empty, or the secret is also set directly.
    """
    complete = dict(values)
    for file, target in _FILES.items():
        if values[file].value != "":
            complete[target] = _with_secret(values[file], values[target])
    return complete


def _with_secret(file: SourcedValue, target: SourcedValue) -> SourcedValue:
    if isinstance(target.value, SecretStr):
        if target.value.get_secret_value():
            raise file.error(f'"", because {target.setting.name} is already set in {target.source}')
        return SourcedValue(setting=target.setting, source=str(file.value), value=SecretStr(_read(file)))
    url = str(target.value)
    if url == EMBEDDED:
        raise file.error(f'"", because {target.setting.name} is "{EMBEDDED}", which needs no password')
    if has_password(url):
        raise file.error(f'"", because {target.setting.name} in {target.source} already has a password')
    return SourcedValue(setting=target.setting, source=target.source, value=with_password(url, _read(file)))


def _read(file: SourcedValue) -> str:
    try:
        with Path(str(file.value)).expanduser().open("rb") as stream:
            content = stream.read(_MAX_BYTES + 1)
        # Editors and `echo` append a newline, which is not part of the secret.
        secret = content.decode().rstrip("\r\n")
    except OSError as error:
        raise file.error(f"a readable file: {error.strerror}") from None
    except (UnicodeDecodeError, RuntimeError):  # RuntimeError: "~" without a home directory
        raise file.error("a file of UTF-8 text") from None
    if not secret.strip():
        raise file.error("a non-empty file")
    if len(content) > _MAX_BYTES:
        raise file.error(f"a file of at most {_MAX_BYTES} bytes")
    return secret
