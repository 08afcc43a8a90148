"""The data directory and the embedded servers in it: PostgreSQL and Valkey.

`ServerProcess` runs any other child process as an actor.
"""

from __future__ import annotations

from .data_dir import DataDir, default_path, open_data_dir
from .errors import (
    BinaryMissing,
    DataDirFault,
    DataDirInUse,
    DataDirUnusable,
    DataDirVersion,
    ProcessExited,
    ProcessNotReady,
    ProcessNotStarted,
    ServiceFault,
)
from .identity import Identity
from .instance import Instance, read_instance, remove_instance, write_instance
from .postgres import PostgresServer
from .process import ChildProcess, Command, StopStep, open_process, run
from .server import ServerProcess
from .valkey import ValkeyServer

__all__ = [
    "BinaryMissing",
    "ChildProcess",
    "Command",
    "DataDir",
    "DataDirFault",
    "DataDirInUse",
    "DataDirUnusable",
    "DataDirVersion",
    "Identity",
    "Instance",
    "PostgresServer",
    "ProcessExited",
    "ProcessNotReady",
    "ProcessNotStarted",
    "ServerProcess",
    "ServiceFault",
    "StopStep",
    "ValkeyServer",
    "default_path",
    "open_data_dir",
    "open_process",
    "read_instance",
    "remove_instance",
    "run",
    "write_instance",
]
