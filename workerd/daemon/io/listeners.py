"""Listeners, who are told when a part has news: parts above subscribe, so that parts below never know them."""

from collections.abc import Callable
from typing import Generic, ParamSpec

P = ParamSpec("P")


class Listeners(Generic[P]):
    """Calls each listener in the order in which they subscribed; the arguments are the news."""

    def __init__(self) -> None:
        self._calls: list[Callable[P, None]] = []

    def add(self, call: Callable[P, None]) -> None:
        """Call ``call`` at each news from now on."""
        self._calls.append(call)

    def __call__(self, *args: P.args, **kwargs: P.kwargs) -> None:
        """Tell everybody."""
        for call in self._calls:
            call(*args, **kwargs)
