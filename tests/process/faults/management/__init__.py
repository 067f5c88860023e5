"""The faults' commands."""
