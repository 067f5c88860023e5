"""The node's identity: a key that STATE_DIR keeps over all starts, and the life, which each start makes anew.

Names are for people. A file that says which life had the folder before, and on which boot, tells the ledger whether
that life has surely ended: a copy of STATE_DIR lies in another folder, or on another machine.
"""

import json
import os
import uuid
from contextlib import suppress
from typing import Any, NamedTuple

from workerd.daemon.io.files import StrPath, folder_id, read_text, write_private
from workerd.wire.machine import boot_id, pid_namespace


class _Place(NamedTuple):
    """The place of a daemon: its boot, its folder, its pid namespace, and its pid in that."""

    boot: str
    folder: str
    namespace: str
    pid: int


class Identity:
    """The key and the life of this daemon, and the life that had its STATE_DIR before."""

    def __init__(self, state_dir: StrPath, name: str) -> None:
        """Write the file for the daemon's next start. Raises OSError."""
        self.path = os.path.join(state_dir, f"{name}.node")
        self._place = _look_around(state_dir)
        self.life = str(uuid.uuid4())
        self.fault = ""
        """Why the key that was kept could not be read; "" where it was, or where there was none."""
        self.registered = False
        """Whether a ledger has said that the node's row is this life's."""
        self.displaced = False
        """Whether a ledger has said that the row is another life's now."""
        kept = self._read()
        self.key = _uuid(kept.get("key")) or str(uuid.uuid4())
        self.yields_to = _uuid(kept.get("yields_to"))
        """The life that has displaced this one, or the one before in this STATE_DIR; "" for none."""
        self.earlier, self.same_boot, self.settled = self._judge(kept)
        self.keep()

    def keep(self) -> None:
        """Write the file, whole or not at all; also where STATE_DIR was made anew. Raises OSError."""
        self._place = _look_around(os.path.dirname(self.path))
        values = {"key": self.key, "life": self.life, "yields_to": self.yields_to, **self._place._asdict()}
        write_private(self.path, f"{json.dumps(values)}\n")

    def yield_to(self, life: str) -> None:
        """Remember over the next start who has displaced this life: a restart displaces nobody in return."""
        self.yields_to = life
        with suppress(OSError):  # then the next start asks for the row, as any other does
            self.keep()

    def terms(self) -> dict[str, Any]:
        """Return what a ledger's licence says of it."""
        return {
            "key": self.key,
            "life": self.life,
            "registered": self.registered,
            "earlier": self.earlier,
            "same_boot": self.same_boot,
            "settled": self.settled,
            "yields_to": self.yields_to,
        }

    def _read(self) -> dict[str, Any]:
        try:
            kept = json.loads(read_text(self.path))
        except FileNotFoundError:
            return {}
        except (OSError, ValueError, RecursionError) as error:
            self.fault = f"{type(error).__name__}: {error}"
            return {}
        if not isinstance(kept, dict) or not _uuid(kept.get("key")):
            self.fault = "it holds no key"
            return {}
        return kept

    def _judge(self, kept: dict[str, Any]) -> tuple[str, bool, bool]:
        """Return the life before in this very folder, whether on this boot, and whether all its processes are gone.

        The lock says that its daemon has ended; what the daemon's processes have left can be looked for only in the
        same pid namespace, unless the namespace has ended with its first process.
        """
        here = self._place
        earlier = _uuid(kept.get("life"))
        if not earlier or kept.get("folder") != here.folder:
            return "", False, False
        same_boot = bool(here.boot) and kept.get("boot") == here.boot
        seen = kept.get("namespace") == here.namespace or kept.get("pid") == 1
        return earlier, same_boot, same_boot and seen


def _look_around(folder: StrPath) -> _Place:
    return _Place(boot_id(), folder_id(folder), pid_namespace(), os.getpid())


def _uuid(value: object) -> str:
    try:
        return str(uuid.UUID(value)) if isinstance(value, str) else ""
    except ValueError:
        return ""
