"""``python -m tests.harness.refusing CALL COMMAND…``: runs COMMAND, to which the kernel refuses CALL (seccomp(2))."""

import ctypes
import errno
import os
import platform
import struct
import sys

NUMBERS = {
    "x86_64": {"memfd_create": 319, "prctl": 157, "socketpair": 53, "waitid": 247},
    "aarch64": {"memfd_create": 279, "prctl": 167, "socketpair": 199, "waitid": 95},
}
PR_SET_NO_NEW_PRIVS, PR_SET_SECCOMP, SECCOMP_MODE_FILTER = 38, 22, 2
LOAD_NUMBER, JUMP_IF_EQUAL, RETURN = 0x20, 0x15, 0x06
REFUSE, ALLOW = 0x00050000, 0x7FFF0000


class _Program(ctypes.Structure):
    _fields_ = (("length", ctypes.c_ushort), ("filter", ctypes.c_char_p))


def refuse(call: str) -> None:
    """Have the kernel answer every such call of this process, and of what it becomes, with EPERM."""
    number = NUMBERS[platform.machine()][call]
    steps = [
        struct.pack("HBBI", LOAD_NUMBER, 0, 0, 0),
        struct.pack("HBBI", JUMP_IF_EQUAL, 0, 1, number),
        struct.pack("HBBI", RETURN, 0, 0, REFUSE | errno.EPERM),
        struct.pack("HBBI", RETURN, 0, 0, ALLOW),
    ]
    program = _Program(len(steps), b"".join(steps))
    libc = ctypes.CDLL(None, use_errno=True)
    for words in ((PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0), (PR_SET_SECCOMP, SECCOMP_MODE_FILTER, ctypes.byref(program))):
        if libc.prctl(*words) != 0:
            raise OSError(ctypes.get_errno(), "the kernel takes no filter")


if __name__ == "__main__":
    refuse(sys.argv[1])
    os.execv(sys.argv[2], sys.argv[2:])
