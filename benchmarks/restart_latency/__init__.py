"""The child's side of ``restart_latency.py``."""
