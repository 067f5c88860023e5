"""workerd's rows: jobs, which people edit; runs, slots and nodes, which the ledger writes; operations, for both."""

from .job import Job
from .node import Node
from .operation import Operation
from .run import Run
from .slot import Slot

__all__ = ["Job", "Node", "Operation", "Run", "Slot"]
