"""The name by which an engine tells the consumers of one job apart."""

import socket

from workerd.child.context import JobContext


def consumer_name(context: JobContext) -> str:
    """Return a name that no other process has now: “mails-1@web3-0f8c2a71”. The end is that of the run."""
    return f"{context.job_name}-{context.index}@{socket.gethostname()}-{context.run_id[:8]}"
