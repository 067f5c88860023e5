"""Runs a program that ends with its parent: ``die_with_parent.py USER SIGNAL PARENT_PID PROGRAM ARGUMENT…``.

A test run that is killed leaves no server behind. The request to the kernel must be made between the two
programs: the kernel forgets it when the user changes. Standard library only.
"""

import ctypes
import os
import pwd
import sys

PR_SET_PDEATHSIG = 1


def main(user: str, number: str, parent: str, *program: str) -> None:
    """Become ``user`` (empty: stay), ask for the signal, and become the program."""
    if user:
        entry = pwd.getpwnam(user)
        os.setgroups([])
        os.setgid(entry.pw_gid)
        os.setuid(entry.pw_uid)
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, int(number), 0, 0, 0)
    if os.getppid() != int(parent):
        sys.exit("the parent is gone already")
    os.execvp(program[0], program)


if __name__ == "__main__":
    main(*sys.argv[1:])
