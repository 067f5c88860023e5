"""The name by which an engine tells the consumers of one job apart, and whether its bearer has ended."""

import re
import socket
import uuid

from workerd.child.context import JobContext

OF_RUN = re.compile(r"-(\d+)@.*-([0-9a-f]{8})$")


def consumer_name(context: JobContext) -> str:
    """Return a name that no other process has now: “mails-1@web3-0f8c2a71”. The end is that of the run."""
    return f"{context.job_name}-{context.index}@{socket.gethostname()}-{context.run_id[:8]}"


def has_ended(name: str) -> bool:
    """Return whether the consumer of this name is known to have ended; of one that is none of ours nothing is."""
    from workerd.conf import get_settings
    from workerd.models import Run

    if (found := OF_RUN.search(name)) is None:
        return False
    index, begin = found.groups()
    ids = (uuid.UUID(begin.ljust(32, "0")), uuid.UUID(begin.ljust(32, "f")))
    ended = Run.objects.using(get_settings().database).filter(pk__range=ids, index=index, ended__isnull=False)
    return ended.exists()
