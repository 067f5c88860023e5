"""What workerd's processes say to each other: words, specs, messages, the heartbeat page. Standard library only."""

WIRE_VERSION = 2
"""Raised with every incompatible change of a message or of the page: a forkserver of another version is rejected."""
