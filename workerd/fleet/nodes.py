"""A node as its row tells of it: whether it reports, its labels, and why it may not run a job."""

import json
from datetime import datetime
from typing import Any

from workerd.job_rules.where import WhereError, parse_where
from workerd.models import Job, Node
from workerd.models.clock import between
from workerd.models.node import LATE


def is_silent(node: Node, now: datetime) -> bool:
    """Return whether the node's daemon has ended in order, or has not reported in time; ``now`` is the database's."""
    return has_left(node) or node.pulse is None or between(node.pulse, now) > LATE


def has_left(node: Node) -> bool:
    """Return whether the life in the row has ended in order; a release without keys does not say so."""
    return node.key is not None and node.life is None


def labels_of(node: Node) -> dict[str, str]:
    """Return the node's labels; none where the row holds something else."""
    return {name: str(value) for name, value in _object(node.labels).items()}


def label_words(node: Node) -> str:
    """Return the labels as ``where`` is written."""
    return ", ".join(f"{name}={value}" if value else name for name, value in sorted(labels_of(node).items()))


def why_not(node: Node, job: Job, now: datetime) -> str:
    """Return why the node claims no seat of the job, in workerd's own words; "" where it may."""
    if is_silent(node, now):
        return "is silent"
    if node.draining:
        return "is draining"
    return misfit(node, job) or ("has refused the job" if has_refused(node, job) else "")


def misfit(node: Node, job: Job) -> str:
    """Return why the node's labels are not those that the job needs; "" where they are."""
    try:
        return parse_where(job.where or "").misfit(labels_of(node))
    except WhereError:
        return "cannot tell what where asks for"


def has_refused(node: Node, job: Job) -> bool:
    return str(job.pk) in _object(node.cannot)


def _object(text: str | None) -> dict[str, Any]:
    try:
        found = json.loads(text or "{}")
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}
