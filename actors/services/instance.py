"""``instance.json`` in the data directory: pid and URLs of the running instance, for the command line."""

from __future__ import annotations

import os
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from pydantic import TypeAdapter, ValidationError

from .data_dir import INSTANCE, DataDir, default_path, owner
from .errors import DataDirUnusable


@dataclass(frozen=True, slots=True, kw_only=True)
class Instance:
    """A running botvisor; contains no secrets."""

    pid: int
    started_at: datetime
    web_url: str
    practice_url: str | None
    database: str
    """A connection string without its password."""
    redis: str
    """A URL without its password."""


_instance = TypeAdapter(Instance)


def write_instance(data_dir: DataDir, instance: Instance) -> None:
    """Write the file atomically."""
    target = data_dir.path / INSTANCE
    draft = target.with_suffix(".new")
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with open(descriptor, "wb") as file:
        file.write(_instance.dump_json(instance, indent=2) + b"\n")
    draft.replace(target)


def remove_instance(data_dir: DataDir) -> None:
    """Delete the file. Closing the data directory does so, too."""
    (data_dir.path / INSTANCE).unlink(missing_ok=True)


def read_instance(path: Path | None = None) -> Instance | None:
    """Return the instance that runs on a data directory, or None.

    A file left by a killed instance is ignored: the process that wrote it must hold the lock.

    Raises:
        DataDirUnusable: the directory or the file cannot be read.
    """
    path = (default_path() if path is None else path).expanduser().absolute()
    try:
        content = (path / INSTANCE).read_bytes()
    except (FileNotFoundError, NotADirectoryError):
        return None
    except OSError as error:
        raise DataDirUnusable(path, f"{error.strerror} ({error.filename})") from error
    try:
        instance = _instance.validate_json(content)
    except ValidationError as error:
        raise DataDirUnusable(path, f"its {INSTANCE} was written by another version of botvisor") from error
    return instance if owner(path) == instance.pid else None
