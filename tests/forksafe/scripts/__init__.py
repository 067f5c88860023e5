"""Functions without arguments that run in a fresh process; the tests assert what they return."""
