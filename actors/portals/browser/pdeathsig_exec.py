"""Run a program that dies with its parent: `python pdeathsig_exec.py PIDFILE PROGRAM ARGUMENT...`.

A script, not a module to import. It sets the parent-death signal and then execs the program: the kernel kills
it as soon as the thread that started it ends, however it ends. Before that, the script writes its process id,
which is also the program's, to PIDFILE, and leaves the terminal's process group, so that Ctrl-C reaches the
parent only.

`setpriv --pdeathsig` does the same, but is only there if util-linux is installed.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import signal
import sys

PR_SET_PDEATHSIG = 1


def main() -> None:
    """Set the parent-death signal, write the process id and exec the program."""
    pid_file, *command = sys.argv[1:]
    if ctypes.CDLL(None, use_errno=True).prctl(PR_SET_PDEATHSIG, signal.SIGKILL) != 0:
        raise OSError(ctypes.get_errno(), "the parent-death signal cannot be set")
    # Not permitted to a process group leader, which a browser started by its driver already is.
    with contextlib.suppress(PermissionError):
        os.setsid()
    with open(pid_file, "w", encoding="ascii") as file:
        file.write(str(os.getpid()))
    os.execv(command[0], command)


if __name__ == "__main__":
    main()
