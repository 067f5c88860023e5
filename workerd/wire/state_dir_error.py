"""Judges an error of STATE_DIR at a daemon's start: whether a later start may succeed, and the remedy."""

import errno

from . import exit_codes

NO_ROOM = frozenset({errno.ENOSPC, errno.EDQUOT})
PASSING = NO_ROOM | {errno.EIO, errno.ENOMEM, errno.EMFILE, errno.ENFILE}
"""Errors that pass without a change of settings."""


def judge(folder: str, error: OSError) -> tuple[int, str]:
    """Return the exit code, and the sentence for the operator."""
    if error.errno in NO_ROOM:
        remedy = "Free its disk: “df -h” shows its room, “df -i” its inodes."
        return exit_codes.OWN_FAULT, f"STATE_DIR {folder} cannot be used now: {error}. {remedy}"
    if error.errno in PASSING:
        return exit_codes.OWN_FAULT, f"STATE_DIR {folder} cannot be used now: {error}. Start the daemon again."
    remedy = "Make it a local folder that this user may write to."
    return exit_codes.REFUSED, f"STATE_DIR {folder} cannot be used: {error}. {remedy}"
