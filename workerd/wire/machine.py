"""Tells this boot of the machine, and this pid namespace of it, from all others."""

import os


def boot_id() -> str:
    """Return what tells this boot of the machine from any other; "" where /proc does not tell."""
    try:
        with open("/proc/sys/kernel/random/boot_id", encoding="ascii") as file:  # noqa: PTH123 - no pathlib in the daemon
            return file.read().strip()
    except (OSError, ValueError):
        return ""


def pid_namespace() -> str:
    """Return what tells our pid namespace from others of this boot; "" where /proc does not tell."""
    try:
        return os.readlink("/proc/self/ns/pid")  # noqa: PTH115
    except OSError:
        return ""
