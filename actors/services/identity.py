"""Whom a server runs as when we are root.

PostgreSQL refuses to run as root. It then runs as an ordinary user, who may
not be able to reach its own program and data: a virtual environment or a data
directory under ``/root`` (mode 0700) is the usual case. The rights of those
folders are not ours to change, so the user gets the one capability that lets
it pass, and only where it is needed.
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
    """A user for a child process to run as; only root can hand one out."""

    uid: int
    gid: int
    capability: str | None = None
    """A capability that it keeps, by its name for setpriv."""

    @property
    def options(self) -> tuple[str, ...]:
        """The arguments for setpriv."""
        options = ("--reuid", str(self.uid), "--regid", str(self.gid), "--clear-groups")
        if self.capability is None:
            return options
        return (
            *options,
            f"--inh-caps=+{self.capability}",
            f"--ambient-caps=+{self.capability}",
            # access(2), with which PostgreSQL looks for its own program, ignores an ordinary user's
            # capabilities unless this is set.
            "--securebits=+no_setuid_fixup",
        )


def unprivileged(home: Path, program: Path) -> Identity | None:
    """The user for `program`, which keeps its files in `home`; None where we are an ordinary user ourselves.

    Whoever owns `home` already stays its user; else it is ``postgres`` where
    there is such a user, or ``nobody``.
    """
    if os.geteuid() != 0:
        return None
    owner = home.stat()
    uid, gid = _system_user() if owner.st_uid == 0 else (owner.st_uid, owner.st_gid)
    return Identity(uid=uid, gid=gid, capability=_capability(home, program))


def own_directory(path: Path, identity: Identity | None) -> None:
    """Make `path` a folder that only `identity` (None: ourselves) may enter.

    Raises:
        OSError: it cannot be made or given away.
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
    return 65534, 65534  # what the kernel itself calls nobody


def _capability(home: Path, program: Path) -> str | None:
    """The least that lets an ordinary user come to `home` and run `program`; None where rights alone do."""
    if not program.stat().st_mode & stat.S_IXOTH:  # installed under a umask of 077: reading is not enough
        wanted: tuple[str, ...] = ("dac_override",)
    elif not all(folder.stat().st_mode & stat.S_IXOTH for folder in (*home.parents, *program.parents)):
        wanted = ("dac_read_search", "dac_override")  # a container's usual set has only the wider one
    else:
        return None
    return next((name for name in wanted if _permitted() >> _BITS[name] & 1), None)


def _permitted() -> int:
    """Our own capabilities, one bit each."""
    status = Path("/proc/self/status").read_text(encoding="utf-8", errors="replace")
    return next((int(line.split()[1], 16) for line in status.splitlines() if line.startswith("CapPrm:")), 0)
