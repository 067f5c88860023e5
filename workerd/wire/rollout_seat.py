"""The seat without a job: whoever holds it may drain or reload its node, so that one node at a time does.

It is claimed, renewed, released and taken over like every other seat; no process runs for it. A node that neither
wants nor holds it has nothing to do with it.
"""

from .spec import JobSpec
from .words import Scope

ROLLOUT_JOB = -1
"""Stands for a job in the seat's row: no row of a job has this id. (Django writes no 0 there for MySQL.)"""
ROLLOUT = (ROLLOUT_JOB, 0)
ROLLOUT_NAME = "workerd.rollout:0"
ROLLOUT_SPEC = JobSpec(
    name="workerd.rollout",
    id=ROLLOUT_JOB,
    target="workerd.rollout",
    scope=Scope.FLEET,
    schedule="by order",  # so that the seat's row remembers for the next holder what came of the last reload
)
