"""The base of every exception class of workerd. The daemon imports it, so it needs nothing."""


class WorkerdError(Exception):
    """An error that workerd itself raises."""
