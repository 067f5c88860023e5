"""Pages of a table that may have millions of rows: no look counts them all."""

from functools import cached_property
from typing import TYPE_CHECKING, Any

from django.core.paginator import Paginator

if TYPE_CHECKING:
    AnyPaginator = Paginator[Any]
else:
    AnyPaginator = Paginator

MOST = 10_000


class CappedPaginator(AnyPaginator):
    """Counts up to ``MOST`` rows; what lies beyond is reached by filters and search."""

    @cached_property
    def count(self) -> int:
        """Return the number of rows, at most ``MOST``."""
        rows: Any = self.object_list
        return int(rows.order_by()[:MOST].count())
