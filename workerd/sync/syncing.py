"""One sync from beginning to end."""

from workerd.conf import get_settings
from workerd.models.clock import read_seconds

from .report import Report
from .rows import Running, read_running
from .writing import Request, carry_out, preview


def sync(request: Request, *, is_dry_run: bool = False) -> Report:
    """Write what is to be written, unless ``is_dry_run``, and report it. Raises InvalidError.

    Rows that are in step are read once, without a lock.
    """
    alias = get_settings().database
    plans = preview(request, alias)
    changing = [plan.name for plan in plans if plan.is_written]
    if not changing:
        return Report(request.source, plans, Running(0), 0.0, is_dry_run)
    running = read_running(changing, alias)  # before a daemon hears of it
    plans = plans if is_dry_run else carry_out(request, alias)
    return Report(request.source, plans, running, read_seconds(alias), is_dry_run)
