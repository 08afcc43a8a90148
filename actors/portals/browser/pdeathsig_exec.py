"""Run a program that dies with its parent: `python leash.py PIDFILE PROGRAM ARGUMENT...`.

A script, not a module to import: it becomes the program, and the kernel kills that the moment the thread that
started it ends, however it ends. Before, it writes its process id, which is the program's, to PIDFILE, and
leaves the terminal's process group, so that a Ctrl-C there is for the parent to act on.

`setpriv --pdeathsig` would do the same where util-linux is; Python is there for certain.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import signal
import sys

PR_SET_PDEATHSIG = 1


def main() -> None:
    pid_file, *command = sys.argv[1:]
    if ctypes.CDLL(None, use_errno=True).prctl(PR_SET_PDEATHSIG, signal.SIGKILL) != 0:
        raise OSError(ctypes.get_errno(), "the parent-death signal cannot be set")
    # Refused to whoever leads a group already, as a browser started by its driver does.
    with contextlib.suppress(PermissionError):
        os.setsid()
    with open(pid_file, "w", encoding="ascii") as file:
        file.write(str(os.getpid()))
    os.execv(command[0], command)


if __name__ == "__main__":
    main()
