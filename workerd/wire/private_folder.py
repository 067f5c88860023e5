"""Checks that STATE_DIR is the daemon's alone: another writer could have it overwrite files, or read its journal."""

import os
import stat

PRIVATE_FOLDER, PRIVATE_FILE = 0o700, 0o600


def why_not_private(path: "str | os.PathLike[str]") -> str:
    """Return why the folder is not private, with the remedy; "" where it is, or is not there. Raises OSError."""
    if exposed := _exposed_parent(os.path.abspath(path)):  # noqa: PTH100 - the daemon does without pathlib
        return f"every user may put another in its place: chmod o-w {exposed}, or name a folder elsewhere"
    try:
        found = os.stat(path)  # noqa: PTH116
    except FileNotFoundError:
        return ""
    user = os.geteuid()
    if found.st_uid not in {0, user}:
        remedy = f"chown {user} it, or name a folder of the daemon's user"
        return f"it belongs to another user (uid {found.st_uid}): {remedy}"
    if found.st_mode & (stat.S_IWGRP | stat.S_IWOTH):
        mode = f"{stat.S_IMODE(found.st_mode):o}"
        return f"others may write to it (mode {mode}): chmod 700 it, or name a folder in it, which the daemon makes"
    return ""


def _exposed_parent(path: str) -> str:
    """Return the folder above in which every user may rename what is another's; in /tmp the sticky bit forbids it."""
    above = os.path.dirname(path)  # noqa: PTH120
    while above != path:
        try:
            mode = os.stat(above).st_mode  # noqa: PTH116
        except OSError:  # not there yet, or closed to this user
            mode = 0
        if mode & stat.S_IWOTH and not mode & stat.S_ISVTX:
            return above
        path, above = above, os.path.dirname(above)  # noqa: PTH120
    return ""
