"""workerd in the Django admin: jobs are defined here; runs, slots, nodes and operations are read here."""

from .jobs.admin import JobAdmin
from .nodes import NodeAdmin
from .operations import OperationAdmin
from .runs import RunAdmin
from .slots import SlotAdmin

__all__ = ["JobAdmin", "NodeAdmin", "OperationAdmin", "RunAdmin", "SlotAdmin"]
