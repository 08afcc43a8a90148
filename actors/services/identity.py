"""The unprivileged user for servers that we start as root.

PostgreSQL refuses to run as root, so it runs as an ordinary user. That user may not have access to its own
program and data, for example in a virtual environment or a data directory under ``/root`` (mode 0700). We do
not change the permissions of those folders; the process keeps the one Linux capability that gives it access,
only if it needs it.
"""

from __future__ import annotations

import os
import pwd
import stat
from dataclasses import dataclass
from pathlib import Path

_BITS = {"dac_override": 1, "dac_read_search": 2}  # linux/capability.h


@dataclass(frozen=True, slots=True, kw_only=True)
class Identity:
    """A user for a child process to run as; only root can switch to it."""

    uid: int
    gid: int
    capability: str | None = None
    """Linux capability that the process keeps, by its setpriv name."""

    @property
    def options(self) -> tuple[str, ...]:
        """Arguments for setpriv."""
        options = ("--reuid", str(self.uid), "--regid", str(self.gid), "--clear-groups")
        if self.capability is None:
            return options
        return (
            *options,
            f"--inh-caps=+{self.capability}",
            f"--ambient-caps=+{self.capability}",
            # PostgreSQL finds its own program with access(2), which ignores an ordinary user's capabilities
            # unless this is set.
            "--securebits=+no_setuid_fixup",
        )


def unprivileged(home: Path, program: Path) -> Identity | None:
    """Return the user for `program` with files in `home`, or None if we are not root.

    It is the owner of `home` unless that is root; then ``postgres`` if that user exists, or else the system's
    overflow user.
    """
    if os.geteuid() != 0:
        return None
    owner = home.stat()
    uid, gid = _system_user() if owner.st_uid == 0 else (owner.st_uid, owner.st_gid)
    return Identity(uid=uid, gid=gid, capability=_capability(home, program))


def make_private_directory(path: Path, identity: Identity | None) -> None:
    """Create the folder `path` with access for `identity` only (None: the current user).

    Raises:
        OSError: it cannot be created, or its owner cannot be changed.
    """
    path.mkdir(mode=0o700, exist_ok=True)
    if identity is not None:
        os.chown(path, identity.uid, identity.gid)
    path.chmod(0o700)


def _system_user() -> tuple[int, int]:
    for name in ("postgres", "nobody"):
        try:
            user = pwd.getpwnam(name)
        except KeyError:
            continue
        return user.pw_uid, user.pw_gid
    return 65534, 65534  # the kernel's overflow uid


def _capability(home: Path, program: Path) -> str | None:
    """Return the weakest capability that gives access to `home` and `program`; None if none is needed."""
    if not program.stat().st_mode & stat.S_IXOTH:  # installed with umask 077: read access is not enough
        wanted: tuple[str, ...] = ("dac_override",)
    elif not all(folder.stat().st_mode & stat.S_IXOTH for folder in (*home.parents, *program.parents)):
        wanted = ("dac_read_search", "dac_override")  # containers usually have only the stronger one
    else:
        return None
    return next((name for name in wanted if _permitted() >> _BITS[name] & 1), None)


def _permitted() -> int:
    """Return our permitted capabilities as a bit set."""
    status = Path("/proc/self/status").read_text(encoding="utf-8", errors="replace")
    return next((int(line.split()[1], 16) for line in status.splitlines() if line.startswith("CapPrm:")), 0)
