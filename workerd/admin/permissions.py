"""What a user may do beside Django's add, change, delete and view: steer jobs, and read what they wrote."""

from django.http import HttpRequest

OPERATE = "workerd.operate_job"
VIEW_OUTPUT = "workerd.view_output"
VIEW_RUNS = "workerd.view_run"
VIEW_OPERATIONS = "workerd.view_operation"


def may_operate(request: HttpRequest) -> bool:
    """Return whether the user may start, stop, restart, resume and dump."""
    return request.user.has_perm(OPERATE)


def may_view_output(request: HttpRequest) -> bool:
    """Return whether the user may read lines, messages, tracebacks and stacks of jobs."""
    return request.user.has_perm(VIEW_OUTPUT)


def may_view_runs(request: HttpRequest) -> bool:
    """Return whether the user may look into the history."""
    return request.user.has_perm(VIEW_RUNS)


def may_view_operations(request: HttpRequest) -> bool:
    """Return whether the user may read who asked for what."""
    return request.user.has_perm(VIEW_OPERATIONS)
