"""workerd in the Django admin: jobs are defined here; runs, slots, nodes and operations are read here."""

from .job import JobAdmin
from .node import NodeAdmin
from .operation import OperationAdmin
from .run import RunAdmin
from .slot import SlotAdmin

__all__ = ["JobAdmin", "NodeAdmin", "OperationAdmin", "RunAdmin", "SlotAdmin"]
