"""All that the daemon reads and writes: the loop, the links to children, the log, the control socket, the records."""
