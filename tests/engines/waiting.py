"""What a project counts itself: RQ's waiting tasks, and nothing of those in hand. A daemon has it by PRELOAD."""

import django_rq

from workerd.contrib.depths import probe


@probe
def waiting(queue: str) -> int:
    """Count the queue."""
    return int(django_rq.get_queue(queue).count)
