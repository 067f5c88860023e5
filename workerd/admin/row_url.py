"""Addresses of many rows: looked up once, filled in for each."""

from django.urls import reverse


class RowUrl:
    """The address of a view that takes a row's number."""

    def __init__(self, site: str, name: str) -> None:
        self._before, self._slashes, self._after = reverse(f"{site}:{name}", args=[0]).rpartition("/0/")

    def of(self, pk: int) -> str:
        """Return the address for one row."""
        return f"{self._before}/{pk}/{self._after}"
