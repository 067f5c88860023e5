"""workerd's rows: people edit jobs; the ledger writes runs, slots and nodes; both write operations.

The ledger writes seats, too, and the notifier the alerts of the fleet.
"""

from .alert import FleetAlert
from .job import Job
from .node import Node
from .operation import Operation
from .run import Run
from .seat import Seat
from .slot import Slot

__all__ = ["FleetAlert", "Job", "Node", "Operation", "Run", "Seat", "Slot"]
