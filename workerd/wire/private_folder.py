"""Whether STATE_DIR is the daemon's alone: who writes there could have it overwrite files, or read its journal."""

import os
import stat

PRIVATE_FOLDER, PRIVATE_FILE = 0o700, 0o600


def why_not_private(path: "str | os.PathLike[str]") -> str:
    """Return why the folder is not private, with the remedy; "" where it is, or is not there. Raises OSError."""
    try:
        found = os.stat(path)  # noqa: PTH116 - the daemon does without pathlib
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
