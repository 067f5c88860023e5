"""The keeper's surroundings, which stay the same while the ledger runs: whose seats they are."""

import uuid
from dataclasses import dataclass


@dataclass(frozen=True)
class Home:
    """This life of the node."""

    alias: str
    life: uuid.UUID
    earlier: uuid.UUID | None
    """A life of this very node that has surely ended, with all its processes."""
    labels: str
