"""Processes of the daemon: how they are started, found, measured, asked for stacks, reaped and ended."""
