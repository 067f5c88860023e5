"""All that workerd's processes say to each other: words, specs, messages, heartbeat page. Imports only the stdlib."""

WIRE_VERSION = 8
"""Raise it with each incompatible change of a message or of the page: a forkserver of another version is rejected."""
