"""Permissions besides Django's add, change, delete and view: to give orders to jobs, and to read what jobs wrote."""

from django.http import HttpRequest

OPERATE = "workerd.operate_job"
VIEW_OUTPUT = "workerd.view_output"
VIEW_RUNS = "workerd.view_run"
VIEW_OPERATIONS = "workerd.view_operation"


def may_operate(request: HttpRequest) -> bool:
    """Return whether the user may start, stop, restart, resume, dump, run now, drain, reload, or decide on a reload."""
    return request.user.has_perm(OPERATE)


def may_view_output(request: HttpRequest) -> bool:
    """Return whether the user may read what jobs wrote: lines, messages, tracebacks and stacks."""
    return request.user.has_perm(VIEW_OUTPUT)


def may_view_runs(request: HttpRequest) -> bool:
    return request.user.has_perm(VIEW_RUNS)


def may_view_operations(request: HttpRequest) -> bool:
    return request.user.has_perm(VIEW_OPERATIONS)


def may_see_orders(request: HttpRequest) -> bool:
    """Return whether the user may see the latest orders beside a job: who gives orders sees what became of them."""
    return may_operate(request) or may_view_operations(request)
