"""The demo project's settings and addresses."""
